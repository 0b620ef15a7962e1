"""Keys are made, rotated and revoked while the service runs and holds the store."""

import json
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuajie.core.errors import UsageError
from kuajie.service.upkeep import Upkeep
from kuajie.testing.memory_store import MemoryStore
from kuajie.workflows.access import SCOPES
from kuajie.workflows.control import FILE, Control, offer, offered
from kuajie.workflows.issuing import Wish, issue, rotate
from kuajie.workflows.list_ids import plain
from kuajie.workflows.workspace import Workspace

from .conftest import Running
from .test_process import serving

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ASKED = {"domain": "courses", "user": "0007", "target": "car"}


def test_an_admin_makes_rotates_and_revokes(fast: Running, token: Callable[..., str]) -> None:
    admin = token("car", scopes=("admin",))
    wish = {"organisation": "新平台", "domains": [], "name": "服务器"}
    assert "新平台" in fast.ask("POST", "/v1/keys", wish, admin).json()["error"], "a new one needs domains"
    made = fast.post("/v1/keys", {"organisation": "courses公司", "days": 30, "name": "服务器"}, admin)
    assert made["scopes"] == list(SCOPES), "nobody gets what operators may without saying so"
    fast.recommend(token=made["key"])
    rotated = fast.post(f"/v1/keys/{made['key_id']}/rotate", {"hours": 0}, admin)
    fast.recommend(token=made["key"], status=401)
    fast.recommend(token=rotated["key"])
    listed = fast.ask("GET", "/v1/keys", token=admin)
    assert {key["key_id"] for key in listed.json()["keys"]} >= {made["key_id"], rotated["key_id"]}
    assert made["key"].rpartition("_")[2] not in listed.text
    assert "hash" not in listed.text
    closed = fast.ask("DELETE", f"/v1/keys/{rotated['key_id']}", token=admin)
    assert closed.json()["revoked_at"]
    fast.recommend(token=rotated["key"], status=401), "at once, in the process that was told"
    assert fast.ask("DELETE", "/v1/keys/nothing", token=admin).status_code == 404
    assert fast.ask("POST", "/v1/keys/nothing/rotate", {}, admin).status_code == 404
    assert fast.ask("POST", f"/v1/keys/{rotated['key_id']}/rotate", {}, admin).status_code == 400


def test_demo_mode_makes_no_keys_and_ends_when_there_is_one(fast: Running, token: Callable[..., str]) -> None:
    fast.service.demo = True
    assert fast.ask("POST", "/v1/keys", {"organisation": "x", "domains": ["courses"]}).status_code == 403
    upkeep = Upkeep(fast.service)
    upkeep.look(0.0)
    assert fast.service.demo
    token("courses")
    fast.service.demo = fast.service.insist = True
    upkeep.look(10.0)
    assert fast.service.demo, "whoever said --demo meant it"
    fast.service.insist = False
    upkeep.look(11.0)
    assert not fast.service.demo
    fast.recommend(status=401)


def test_old_lists_are_removed_while_serving(fast: Running) -> None:
    ids = [plain(fast.recommend(f"{n:04d}")["list_id"]) for n in range(3)]
    fast.service.lists.flush()
    shown, upkeep = fast.service.store.shown, Upkeep(fast.service)
    upkeep.look(0.0)
    assert all(shown.ranked_list(each) for each in ids)
    clock = fast.service.clock
    fast.service.clock = lambda: clock() + timedelta(days=181)
    upkeep.look(1.0)
    assert all(shown.ranked_list(each) for each in ids), "not due yet"
    upkeep.look(601.0)
    assert not any(shown.ranked_list(each) for each in ids)
    assert "kuajie_lists_pruned_total 3.0" in fast.ask("GET", "/metrics").text


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"organisation": " "}, "organisation is missing"),
        ({"organisation": "a\x00b"}, "control character"),
        ({"kind": "publishable"}, "needs origins"),
        ({"origins": ["https://a.example"]}, "no other key takes them"),
        ({"domains": ["cours"]}, "did you mean 'courses'"),
        ({"scopes": ["everything"]}, "no scope 'everything'"),
        ({"kind": "publishable", "origins": ["https://a.example"], "scopes": ["admin"]}, "no scope 'admin'"),
        ({"scopes": ["events", "admin"]}, "is new"),
    ],
)
def test_wishes_that_are_not_granted(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        issue(MemoryStore().access, ["courses"], Wish(**{"organisation": "平台", **wish}), NOW)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "origin",
    ["shop.example", "https://shop.example/", "https://Shop.example", "https://a.example:443", "https://u@a.example",
     "ftp://a.example", "https://", "https://a.example:x", "null", "*", "https://店.example", "https://a b.example"],
)  # fmt: skip
def test_origins_are_as_browsers_send_them(origin: str) -> None:
    wish = Wish(organisation="平台", domains=["courses"], kind="publishable", origins=[origin])
    with pytest.raises(UsageError, match="an origin is written"):
        issue(MemoryStore().access, ["courses"], wish, NOW)
    for good in ("https://shop.example", "http://127.0.0.1:8080"):
        issue(MemoryStore().access, ["courses"], Wish("平台", ["courses"], "publishable", [good]), NOW)


def test_a_rotated_key_lives_as_long_as_the_old_one_was_to() -> None:
    access = MemoryStore().access
    _, key = issue(access, ["courses"], Wish("平台", ["courses"], days=10), NOW)
    later = NOW + timedelta(days=9)
    _, successor = rotate(access, key.key_id, 48, later)
    assert successor.expires_at == later + timedelta(days=10)
    old = access.key(key.key_id)
    assert old is not None
    assert old.expires_at == NOW + timedelta(days=10), "never later than it would have"
    with pytest.raises(UsageError, match="no key"):
        rotate(access, "nothing", 1, NOW)
    with pytest.raises(UsageError, match="opens nothing any more"):
        rotate(access, key.key_id, 1, later + timedelta(days=2))


def test_operators_have_no_domains() -> None:
    access = MemoryStore().access
    _, key = issue(access, ["courses"], Wish("运维", scopes=["operations"]), NOW)
    assert (key.scopes, access.organisations()[0].domains) == (("operations",), ())


def test_the_command_line_reaches_the_service_that_runs(kuajie: Callable[..., Any], workspace: Workspace) -> None:
    folder = workspace.root
    with serving(folder) as served:
        place = folder / FILE
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert served.ask("/v1/recommend", ASKED)[0] == 200
        made = kuajie("keys", "create", "-w", folder, "--organisation", "平台", "--domains", "courses", "--json")
        assert made.code == 0, made.err
        key = made.data
        assert served.ask("/v1/recommend", ASKED, Authorization=f"Bearer {key['key']}")[0] == 200
        until = time.monotonic() + 10
        while served.ask("/v1/recommend", ASKED)[0] != 401:
            assert time.monotonic() < until, "demo mode ends when there is a key"
            time.sleep(0.1)
        rotated = kuajie("keys", "rotate", key["key_id"], "-w", folder, "--hours", 0, "--json").data
        assert served.ask("/v1/recommend", ASKED, Authorization=f"Bearer {key['key']}")[0] == 401
        assert len(kuajie("keys", "-w", folder, "--json").data["keys"]) == 2
        assert kuajie("keys", "revoke", rotated["key_id"], "-w", folder).code == 0
        assert served.ask("/v1/recommend", ASKED, Authorization=f"Bearer {rotated['key']}")[0] == 401
        wrong = kuajie("keys", "create", "-w", folder, "--organisation", "平台", "--domains", "cours", "--lang", "zh")
        assert (wrong.code, wrong.err[:19]) == (2, "kuajie: 没有领域“cours”"), wrong.err
        served.process.terminate()
        served.process.wait(30)
        assert not place.exists()
    assert len(kuajie("keys", "-w", folder, "--json").data["keys"]) == 2


def test_what_a_killed_service_left_behind_does_not_mislead(kuajie: Callable[..., Any], workspace: Workspace) -> None:
    from kuajie.bootstrap import operational_store

    assert offered(workspace.root) is None
    offer(workspace.root, Control(url="http://127.0.0.1:9", key="kj_secret_0_0"))
    store = operational_store(workspace)
    try:
        refused = kuajie("keys", "-w", workspace.root)
    finally:
        store.close()
    assert (refused.code, "another process" in refused.err, "Traceback" in refused.err) == (1, True, False)
    assert kuajie("keys", "-w", workspace.root).code == 0, "nobody holds the store, so nobody is asked"
    (workspace.root / FILE).write_text(json.dumps({"url": 3}))
    assert offered(workspace.root) is None
