"""A list that got lost before it was stored is known by its signed id; a forged, foreign or old id is not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kuajie.bootstrap import list_keys
from kuajie.core.errors import ConfigError, StoreError
from kuajie.core.records import Account, RankedList
from kuajie.service.kept import KeptLists
from kuajie.storage.list_keys import ListKeyFile
from kuajie.workflows.list_ids import VALID_DAYS, Seals, plain
from kuajie.workflows.workspace import Workspace

from .conftest import NOW, Running, with_sqlite
from .test_lists import ids

UNKNOWN = "the list is not known"


def restart(running: Running) -> None:
    """Lists that were not stored yet are gone."""
    running.service.lists = KeptLists(running.service.store.shown)


def lose(running: Running, ranked: dict) -> None:
    """What a crash before the list was written would do; another process is asked next."""
    list_id = plain(ranked["list_id"])
    restart(running)
    running.service.store.shown.lists.pop(list_id, None)
    assert running.service.store.shown.ranked_list(list_id) is None


def seen(ranked: dict, place: int = 0, number: int = 1, **more: object) -> dict:
    item = ranked["items"][place]["item"]
    row = {"exposure_id": f"x{number}", "list_id": ranked["list_id"], "position": place, "item": item, **more}
    return {"exposures": [row]}


def clicked(ranked: dict, position: int = 0, number: int = 1, **more: object) -> dict:
    item = ranked["items"][position]["item"]
    row = {"event_id": f"f{number}", "list_id": ranked["list_id"], "exposure_id": f"x{number}", "item": item}
    return {"feedback": [{**row, "kind": "click", **more}]}


def refused(running: Running, path: str, body: dict, token: str | None = None) -> str:
    return running.post(path, body, token, status=422)["verdicts"][0]["reason"]


def test_exposures_and_feedback_stand_without_their_list(fast: Running) -> None:
    ranked = fast.recommend("0007", k=4)
    lose(fast, ranked)
    assert fast.post("/v1/exposures", seen(ranked, 2))["accepted"] == 1
    assert fast.post("/v1/exposures", seen(ranked, 2))["duplicate"] == 1, "sending it again is safe"
    (stored,) = fast.service.store.shown.exposures_of(plain(ranked["list_id"]))
    assert (stored.domain, stored.item, stored.position) == ("car", ids(ranked)[2], 2)
    assert stored.exposure_id == "courses:x1"
    assert fast.post("/v1/feedback", clicked(ranked, 2))["accepted"] == 1
    assert fast.post("/v1/feedback", clicked(ranked, 2))["duplicate"] == 1
    assert ids(ranked)[2] not in ids(fast.recommend("0007", k=40)), "the next list of that person knows it"
    event = fast.service.store.events.after(0)[-1].event
    assert (event.domain, event.user, event.exposure_id) == ("car", "车7", "courses:x1")


def test_a_list_is_lost_where_the_store_is_down_and_its_exposures_stand_afterwards(
    fast: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise StoreError("the store is down")

    with monkeypatch.context() as broken:
        broken.setattr(fast.service.store.shown, "submit_lists", down)
        broken.setattr(fast.service.store.shown, "save_exposures", down)
        ranked = fast.recommend("0007")
        fast.service.lists.flush()
        assert fast.service.lists.waiting == 1
        restart(fast)
        assert fast.ask("POST", "/v1/exposures", seen(ranked)).status_code == 503
    assert fast.post("/v1/exposures", seen(ranked))["accepted"] == 1


def test_the_item_must_have_been_there(fast: Running) -> None:
    ranked = fast.recommend("0007", k=3)
    for lost in (False, True):
        if lost:
            lose(fast, ranked)
        for wrong in (
            seen(ranked, 1, position=0),
            seen(ranked, item="🚗没有"),
            seen(ranked, position=3),
            seen(ranked, position=-1),
        ):
            assert refused(fast, "/v1/exposures", wrong) == "the list has no such item at this position"
        assert refused(fast, "/v1/feedback", clicked(ranked, item="🚗没有")) == "the item is not in the list"
    unnamed = seen(ranked, item="")
    assert refused(fast, "/v1/exposures", unnamed) == "the list is not stored: name the item that was seen"


def test_a_stored_list_needs_no_item_and_no_seal(running: Running) -> None:
    ranked = running.recommend("0007", k=3)
    running.service.lists.flush()
    running.service.store.shown.submit_lists([]).result(10)
    restart(running)
    assert running.post("/v1/exposures", seen(ranked, item=""))["accepted"] == 1
    short = {**ranked, "list_id": plain(ranked["list_id"])}
    assert running.post("/v1/exposures", seen(short, 1, 2, item=""))["accepted"] == 1
    both = seen(ranked, 0, 3)["exposures"] + seen(ranked, 1, 4, item="")["exposures"]
    assert running.post("/v1/exposures", {"exposures": both})["accepted"] == 2


def test_forged_ids_are_not_known(fast: Running) -> None:
    ranked, other = fast.recommend("0007"), fast.recommend("0008")
    list_id, _, seal = ranked["list_id"].partition(".")
    lost = [
        list_id,
        f"{list_id}.",
        f"{list_id}.{seal[:-1]}",
        f"{list_id}.{seal}A",
        f"{list_id}.{seal[:20]}{'A' if seal[20] != 'A' else 'B'}{seal[21:]}",
        f"{list_id}.{other['list_id'].partition('.')[2]}",
        f"{'0' * 32}.{seal}",
        f"{list_id}.{seal}.{seal}",
        f"{list_id}.列表",
        "",
        "." + seal,
        "a" * 5_000,
        f"{list_id}.{'A' * 5_000}",
    ]
    known = lost[3:8]
    for wrong in known:
        assert refused(fast, "/v1/exposures", seen(ranked, list_id=wrong)) == UNKNOWN, "also where the list is known"
    lose(fast, ranked)
    for wrong in lost:
        assert refused(fast, "/v1/exposures", seen(ranked, list_id=wrong)) == UNKNOWN
        assert refused(fast, "/v1/feedback", clicked(ranked, list_id=wrong)) == UNKNOWN
        assert fast.ask("GET", f"/v1/lists/{wrong}/why?item=🚗1").status_code == 404
    assert fast.service.store.shown.exposures_of(list_id) == []


def test_an_old_id_is_not_known(fast: Running) -> None:
    ranked = fast.recommend("0007")
    fast.service.clock = lambda: NOW + timedelta(days=VALID_DAYS + 1)
    assert fast.post("/v1/exposures", seen(ranked))["accepted"] == 1, "its list is stored"
    lose(fast, ranked)
    assert refused(fast, "/v1/exposures", seen(ranked, number=2)) == UNKNOWN


def test_the_lost_list_of_another_organisation_is_not_known(fast: Running, token: Callable[..., str]) -> None:
    own, other = token("courses"), token("car")
    ranked = fast.recommend("0007", token=own)
    lose(fast, ranked)
    assert refused(fast, "/v1/exposures", seen(ranked), other) == UNKNOWN
    assert refused(fast, "/v1/feedback", clicked(ranked), other) == UNKNOWN
    assert fast.post("/v1/exposures", seen(ranked), own)["accepted"] == 1
    assert fast.post("/v1/feedback", clicked(ranked), own)["accepted"] == 1


def test_secrets_are_rotated_while_the_service_runs(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fast.recommend("0007")
    ListKeyFile.of(fast.service.workspace.root).rotate(NOW)
    monkeypatch.setattr(fast.service.seals, "_refreshed_at", -1e9)
    fast.service.look()
    after = fast.recommend("0008")
    assert before["list_id"][33:38] != after["list_id"][33:38], "another key signs"
    for number, ranked in enumerate((before, after)):
        lose(fast, ranked)
        assert fast.post("/v1/exposures", seen(ranked, number=number))["accepted"] == 1


def test_a_list_of_somebody_without_an_account_there_is_answered_too(fast: Running) -> None:
    ranked = fast.recommend("新来的")
    lose(fast, ranked)
    assert fast.post("/v1/feedback", clicked(ranked, kind="purchase"))["accepted"] == 1
    event = fast.service.store.events.after(0)[-1].event
    assert Account(domain=event.domain, user=event.user) == Account(domain="car", user="courses:新来的")
    assert fast.recommend("新来的")["fallback"] == ""


def test_secrets_are_rotated_by_command_while_sqlite_serves(kuajie: Callable[..., Any], workspace: Workspace) -> None:
    service = with_sqlite(workspace)
    try:
        told = kuajie("keys", "rotate-lists", "-w", workspace.root, "--lang", "zh")
        assert (told.code, "新密钥" in told.out + told.err) == (0, True)
        made = kuajie("keys", "rotate-lists", "-w", workspace.root, "--json").data
        keys = ListKeyFile.of(workspace.root).read()
        assert (len(keys), keys[-1].key_id.hex()) == (3, made["key_id"])
        service.seals._refreshed_at = -1e9
        service.look()
        assert list(service.seals._keys) == [key.key_id for key in keys]
    finally:
        service.close()
    config = workspace.root / "kuajie.toml"
    config.write_text(config.read_text(encoding="utf-8") + '\n[service]\nlist_secret_env = "秘密"\n', encoding="utf-8")
    assert "秘密" in kuajie("keys", "rotate-lists", "-w", workspace.root).err
    assert kuajie("keys", "rotate-lists", "x", "-w", workspace.root).code == 2


def test_machines_that_share_no_disk_share_a_secret(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    config = workspace.config.model_copy(
        update={"service": workspace.config.service.model_copy(update={"list_secret_env": "KJ_LISTS"})}
    )
    with pytest.raises(ConfigError, match="KJ_LISTS"):
        list_keys(replace(workspace, config=config))
    monkeypatch.setenv("KJ_LISTS", "s" * 40)
    here, there = (Seals(list_keys(replace(workspace, config=config, root=Path(name)))) for name in ("a", "b"))
    ranked = RankedList(
        list_id="l",
        account=Account(domain="courses", user="张"),
        target="car",
        model_version="v",
        created_at=NOW,
        items=(),
    )
    found = there.open(here.seal(ranked), NOW)
    assert found is not None
    assert found.account == ranked.account
