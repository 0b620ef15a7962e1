"""The disk is full: events are refused, never acknowledged falsely; lists go on; all is well when there is room."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kuajie.bootstrap import model_store
from kuajie.core.errors import KuajieError
from kuajie.storage.artifacts import save_model
from kuajie.workflows.workspace import Workspace

from .conftest import Running, _run, with_sqlite


@dataclass
class Disk:
    """How many pages the database may have; each connection is told when it is used."""

    pages: int = 1_000_000

    def checkout(self, connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.pages}")


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def full(workspace: Workspace, disk: Disk) -> Iterator[Running]:
    """A running service whose database may grow by a few pages only."""
    for running in _run(with_sqlite(workspace)):
        store: Any = running.service.store
        with store.reader.connection() as connection:
            disk.pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 20
        sa.event.listen(store.engines.writing, "checkout", disk.checkout)
        yield running
        disk.pages = 1_000_000


def post(running: Running, number: int):
    event = {"event_id": f"e{number}", "domain": "courses", "user": "0007", "item": "课1", "kind": "view"}
    return running.ask("POST", "/v1/events", {**event, "properties": {"x": "中" * 2_000}})


def test_events_are_refused_until_there_is_room(full: Running, disk: Disk) -> None:
    acknowledged: list[str] = []
    number = refused = 0
    while refused < 5:
        answer = post(full, number)
        assert answer.status_code in {200, 503}, answer.text
        if answer.status_code == 200:
            acknowledged.append(f"e{number}")
        else:
            assert answer.headers["retry-after"] == "1"
            assert "full" in answer.json()["error"]
            refused += 1
        number += 1
        assert number < 200, "the disk is never full"
    assert acknowledged
    store = full.service.store
    assert [row.event.event_id for row in store.events.after(0)] == acknowledged
    assert full.recommend("0011")["items"], "lists go on"
    disk.pages = 1_000_000
    assert post(full, 1_000).json()["accepted"] == 1
    assert [row.event.event_id for row in store.events.after(0)] == [*acknowledged, "e1000"]
    assert all(finding.ok for finding in store.check())


def test_a_model_that_does_not_fit_on_the_disk_does_not_serve(
    fast: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a half-written version nor a half-written pointer; what served before goes on."""
    models = model_store(fast.service.workspace)
    folder = fast.service.workspace.models
    stored = models.load()
    before = fast.recommend("0007")
    real = os.fsync

    def no_room(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", no_room)
        with pytest.raises(KuajieError):
            save_model(stored.model, stored.space, folder / "新", stored.version)
        with pytest.raises(KuajieError):
            models.serve(before["model_version"])
    assert os.fsync is real
    assert not (folder / "新").exists()
    assert models.serving() == before["model_version"]
    assert not fast.service.deployment.look()
    assert fast.recommend("0007")["items"] == before["items"]
    save_model(stored.model, stored.space, folder / "新", stored.version)
    assert (folder / "新").is_dir()
