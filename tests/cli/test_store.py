"""The loop by command: events -> store -> import -> train -> recommend; and the doctor."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kuajie.bootstrap import cache, operational_store, store_exists
from kuajie.core.errors import ConfigError, StoreError
from kuajie.core.records import Account, Event, Item, Link, Traits, Triple
from kuajie.data.dataset import JointDataset
from kuajie.data.snapshot import latest_snapshot
from kuajie.storage.cache.memory import MemoryCache
from kuajie.storage.cache.redis import RedisCache
from kuajie.testing.servers import Server
from kuajie.workflows.workspace import Workspace

from .conftest import write_planted

NOW = datetime.now(UTC)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUAJIE_SERVICE__PORT", "0")  # any that is free, so that the doctor has nothing to say of it
    return write_planted(tmp_path)


def fill(folder: Path) -> int:
    """A newcomer's ten events on topic 1, a new item with its knowledge, people; the last sequence number."""
    store = operational_store(Workspace.open(folder))
    rows = [
        Event(
            event_id=f"e{n}",
            domain="courses",
            user="新人 ",
            item=f"课{4 * n + 1}",
            kind="view",
            occurred_at=NOW - timedelta(minutes=n),
            exposure_id="x" if n == 1 else None,
        )
        for n in range(1, 6)
    ]
    rows.append(Event(event_id="new", domain="car", user="新人 ", item="🚗新", kind="purchase", occurred_at=NOW))
    store.events.append(rows, NOW)
    store.catalogue.put_items([Item(domain="car", item="🚗新", title="新车", attributes={"颜色": "红"})])
    store.catalogue.put_people([Traits(account=Account(domain="car", user="只注册"))])
    store.catalogue.put_triples([Triple(domain="car", head="🚗新", relation="品牌", tail="红旗")])
    sequence = store.events.newest()
    store.close()
    return sequence


def test_what_the_service_stored_is_in_the_next_snapshot(kuajie: Callable, workspace: Path) -> None:
    files = kuajie("import", "-w", workspace, "--json").data
    assert latest_snapshot(workspace / "warehouse").store_sequence == 0
    sequence = fill(workspace)
    both = kuajie("import", "-w", workspace, "--json").data
    assert both["snapshot"]["events"] == files["snapshot"]["events"] + 6
    assert both["snapshot"]["people"] == files["snapshot"]["people"] + 2
    snapshot = latest_snapshot(workspace / "warehouse")
    assert snapshot.store_sequence == sequence
    dataset = JointDataset.open(snapshot.path)
    assert len(dataset.history_of(Account(domain="courses", user="新人 ")).items) == 6
    item = dataset.catalog.item(dataset.catalog.number("car", "🚗新"))
    assert (item.title, item.attributes) == ("新车", {"颜色": "红"})
    assert dataset.knowledge()["tail"].to_list() == ["红旗"]
    named = [source for source in both["quality"]["sources"] if source["source"] == "operational store"]
    assert [(source["domain"], source["table"], source["read"]) for source in named] == [
        ("car", "items", 1),
        ("car", "users", 1),
        ("car", "kg", 1),
        ("courses", "events", 5),
        ("car", "events", 1),
    ]
    again = kuajie("import", "-w", workspace, "--no-store", "--json").data
    assert again["snapshot"]["events"] == files["snapshot"]["events"]
    assert not list((workspace / "warehouse").glob(".new-*"))


def test_the_whole_loop(kuajie: Callable, workspace: Path) -> None:
    fill(workspace)
    assert kuajie("import", "-w", workspace).code == 0
    assert kuajie("train", "-w", workspace).code == 0
    seen = kuajie("recommend", "-w", workspace, "--user", "courses:新人 ", "--target", "car", "-k", 3, "--json")
    assert seen.code == 0, seen.err
    items = [int(place["item"].removeprefix("🚗")) for place in seen.data["items"] if place["item"] != "🚗新"]
    assert items
    assert all(item % 4 == 1 for item in items), "a newcomer's topic is the topic of what the service has stored"
    assert kuajie("doctor", "-w", workspace).code == 0


def test_an_import_reads_while_the_service_writes(kuajie: Callable, workspace: Path) -> None:
    fill(workspace)
    service = operational_store(Workspace.open(workspace))
    try:
        assert kuajie("import", "-w", workspace).code == 0
        assert kuajie("doctor", "-w", workspace).code == 1  # there is no model yet
        with pytest.raises(StoreError, match="another process"):
            operational_store(Workspace.open(workspace))
    finally:
        service.close()


def test_links_of_the_store_join_people_where_links_do(kuajie: Callable, workspace: Path) -> None:
    config = workspace / "kuajie.toml"
    text = config.read_text(encoding="utf-8")
    store = operational_store(Workspace.open(workspace))
    ends = Account(domain="courses", user="0001"), Account(domain="car", user="0002")
    store.catalogue.put_links([Link(a=ends[0], b=ends[1])])
    store.close()
    assert "links, which are not used" in kuajie("import", "-w", workspace).err
    assert "没有使用" in kuajie("import", "-w", workspace, "--lang", "zh").err
    (workspace / "links.csv").write_text("user_a,user_b\n0003,0003\n", encoding="utf-8")
    links = (
        '[identity]\nmethod = "links"\n[[identity.links]]\npath = "links.csv"\ndomain_a = "courses"\ndomain_b = "car"\n'
    )
    config.write_text(text + links, encoding="utf-8")
    assert kuajie("import", "-w", workspace, "--json").data["snapshot"]["linked_people"] == 2


def test_a_store_on_a_server(
    kuajie: Callable, workspace: Path, mariadb: Server, redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = workspace / "kuajie.toml"
    section = '[store]\ndatabase_env = "STORE_URL"\nredis_env = "REDIS_URL"\n'
    config.write_text(config.read_text(encoding="utf-8") + section, encoding="utf-8")
    opened = Workspace.open(workspace)
    with pytest.raises(ConfigError, match="STORE_URL, which is not set"):
        store_exists(opened)
    monkeypatch.setenv("STORE_URL", mariadb.new_database())
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    assert store_exists(opened)
    fill(workspace)
    fill(workspace)
    both = kuajie("import", "-w", workspace, "--json").data
    assert sum(each["read"] for each in both["quality"]["sources"] if each["source"] == "operational store") == 9
    assert not (workspace / "kuajie.db").exists()
    shared = cache(opened)
    assert isinstance(shared, RedisCache)
    shared.close()


def test_without_redis_a_process_keeps_its_own(workspace: Path) -> None:
    assert isinstance(cache(Workspace.open(workspace)), MemoryCache)


def test_the_doctor_says_what_is_broken(kuajie: Callable, workspace: Path, tmp_path: Path) -> None:
    sick = kuajie("doctor", "-w", workspace)
    assert sick.code == 1
    assert "kuajie import" in sick.out
    fill(workspace)
    content = (workspace / "kuajie.db").read_bytes()
    (workspace / "kuajie.db").write_bytes(b"x" * len(content))
    for wal in workspace.glob("kuajie.db-*"):
        wal.unlink()
    seen = kuajie("doctor", "-w", workspace, "--json")
    assert seen.code == 1
    broken = {each["name"] for each in seen.data["findings"] if not each["ok"]}
    assert {"the operational store can be opened", "the snapshot is whole", "the model that serves is whole"} <= broken
    assert "不正常" in kuajie("doctor", "-w", workspace, "--lang", "zh").out
    (workspace / "kuajie.toml").write_text("[domains", encoding="utf-8")
    assert "not valid TOML" in kuajie("doctor", "-w", workspace, "--json").out
    (workspace / "courses.csv").unlink()
    write_planted(workspace)
    (workspace / "car.csv").unlink()
    assert "no file car.csv" in " ".join(kuajie("doctor", "-w", workspace, "--json").out.split())
