"""Several workers on one port, over a database server: one answer for all of them."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kuajie.client import Client, ServiceError, UnavailableError
from kuajie.testing.servers import Server
from kuajie.workflows.workspace import Workspace

from .test_observing import samples
from .test_process import COMMAND, ENVIRONMENT, Served
from .test_together import free_port, wait_for

ROUTE = frozenset({("route", "/v1/recommend"), ("method", "POST"), ("status", "2xx")})


@pytest.fixture
def served(workspace: Workspace, mariadb: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Configured by the environment alone."""
    port, temporary = free_port(), tmp_path / "tmp"
    temporary.mkdir()
    settings = {
        "KUAJIE_STORE__DATABASE": mariadb.new_database(),
        "KUAJIE_SERVICE__PORT": str(port),
        "KUAJIE_SERVICE__WORKERS": "2",
        "KUAJIE_SERVICE__LOG": "all",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "-w", str(workspace.root)],
            env={**ENVIRONMENT, **settings, "TMPDIR": str(temporary)},
            stdout=subprocess.DEVNULL, stderr=log, text=True,
        )  # fmt: skip
    try:
        served = Served(process, f"http://127.0.0.1:{port}", "")
        wait_for(served)
        yield served
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert not list(temporary.iterdir()), "the numbers of the workers are gone with them"


@pytest.mark.slow
def test_workers_answer_for_each_other(
    served: Served, workspace: Workspace, kuajie: Callable[..., Any], tmp_path: Path
) -> None:
    with Client(served.url) as anybody:  # in demo mode
        pids = both(anybody)
    asked = 0
    for number in range(30):  # each on a connection of its own, so both are met
        served.recommend(f"{number:04d}")
        asked += 1
    made = kuajie("keys", "create", "-w", workspace.root, "--organisation", "平台", "--domains", "courses", "--json")
    operator = kuajie(
        "keys", "create", "-w", workspace.root, "--organisation", "运维", "--scopes", "operations,admin", "--json"
    )
    assert (made.code, operator.code) == (0, 0), (made.err, operator.err)
    until = time.monotonic() + 15
    refused = 0
    while refused < 20:  # both have noticed that there is a key
        status, _ = served.ask("/v1/recommend", {"domain": "courses", "user": "0007", "target": "car"})
        refused = refused + 1 if status == 401 else 0
        asked += status == 200
        assert time.monotonic() < until
    with Client(served.url, operator.data["key"]) as admin:
        assert pids_in(wait_until(admin, asked)) == pids
        os.kill(int(min(pids)), signal.SIGKILL)
        both(admin, pids)
        assert samples(admin.metrics())["kuajie_requests_total", ROUTE] == asked, "what the dead one counted stays"
        key = made.data["key_id"]
        successor = admin.rotate_key(key, hours=0)
        time.sleep(6)
        for _ in range(10):
            with Client(served.url, made.data["key"], attempts=1) as old, pytest.raises(ServiceError) as error:
                old.recommend("courses", "0007", "car")
            assert error.value.status == 401, "every worker, within 5 seconds"
        with Client(served.url, successor.key) as mine:
            assert mine.recommend("courses", "0007", "car").items
    served.process.send_signal(signal.SIGTERM)
    served.process.wait(60)
    log = (tmp_path / "log").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    answered = sum(line.get("route") == "/v1/recommend" and line.get("status") == 200 for line in lines)
    assert asked - 200 <= answered <= asked + 1, "who is killed takes the lines of its last moment along"
    assert len({line["request_id"] for line in lines if "route" in line}) == sum("route" in line for line in lines)
    ended = [line["message"] for line in lines if line.get("logger") == "kuajie.upkeep"]
    assert ended == ["demo mode has ended: there is a key now"] * 2


def pids_in(told: dict[Any, float]) -> set[str]:
    return {dict(labels)["pid"] for name, labels in told if name == "kuajie_resident_memory_bytes"}


def both(client: Client, others: set[str] | None = None) -> set[str]:
    """The workers, when there are two, and not the same as before."""
    until = time.monotonic() + 60
    while True:
        try:
            found = pids_in(samples(client.metrics()))
            if len(found) == 2 and found != others:
                return found
        except UnavailableError:
            pass
        assert time.monotonic() < until
        time.sleep(0.2)


def wait_until(admin: Client, asked: int) -> dict[Any, float]:
    until = time.monotonic() + 10
    while True:
        told = samples(admin.metrics())
        if (
            told.get(("kuajie_requests_total", ROUTE)) == asked
            and told["kuajie_requests_in_progress", frozenset()] == 1
        ):
            return told
        assert time.monotonic() < until, told
        time.sleep(0.2)
