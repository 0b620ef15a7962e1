"""The whole way from files to histories, and everything that can stop it."""

import errno
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuajie.core.errors import ArtifactError, ConfigError, DataError, ResourceError, UsageError
from kuajie.core.language import translator
from kuajie.core.records import Account, Event
from kuajie.data import importing
from kuajie.data import spool as spool_module
from kuajie.data.config import DataConfig, StrengthConfig
from kuajie.data.dataset import JointDataset
from kuajie.data.event_columns import read_columns
from kuajie.data.kinds import KINDS
from kuajie.data.live import history_of_events
from kuajie.data.snapshot import MANIFEST, TEMPORARY, latest_snapshot, open_snapshot
from kuajie.workflows.ingest import IngestResult, ingest

NOW = datetime(2025, 1, 1, tzinfo=UTC)
FLAT = StrengthConfig(half_life_days=None, saturation=0.5)
HEADER = "user,item,kind,occurred_at,value\n"
COURSES = HEADER + (
    "007,py,view,2024-01-02T00:00:00Z,\n"
    "007,py,view,2024-01-02T00:00:01Z,\n"  # near duplicate
    "007,py,purchase,2024-01-03T00:00:00Z,99\n"
    "007,py,purchase,2024-01-03T00:00:00Z,99\n"  # exact duplicate
    "😀,驾驶,play,2024-01-05T00:00:00Z,600\n"
    "only,py,view,2024-01-06T00:00:00Z,\n"
)
PARTS = HEADER + (
    "007,brake,view,2024-01-02T12:00:00Z,\n😀,brake,rate,2024-01-04T00:00:00Z,1\nnew,轮胎,cart,2024-01-07T00:00:00Z,\n"
)
COURSE_ITEMS = "item,title,price\npy,Python 入门,9.9\n驾驶,安全驾驶,\nidle,Never used,1\n"


def world(folder: Path, courses: str = COURSES, parts: str = PARTS, **more: Any) -> DataConfig:
    (folder / "courses.csv").write_text(courses, encoding="utf-8")
    (folder / "items.csv").write_text(COURSE_ITEMS, encoding="utf-8")
    (folder / "parts.csv").write_text(parts, encoding="utf-8")
    domains = {
        "courses": {"events": [{"path": "courses.csv"}], "items": [{"path": "items.csv"}]},
        "parts": {"events": [{"path": "parts.csv"}]},
    }
    return DataConfig.parse({"domains": domains, **more})


def run(config: DataConfig, folder: Path, **options: Any) -> IngestResult:
    return ingest(config, folder, clock=lambda: NOW, **options)


def opened(result: IngestResult) -> JointDataset:
    return JointDataset.open(result.folder, FLAT)


def entries(dataset: JointDataset, account: str, **options: Any) -> list[tuple[str, float]]:
    domain, user = account.split(":")
    row = dataset.history_of(Account(domain=domain, user=user), **options)
    return [
        (dataset.catalog.name(item)[1], weight) for item, weight in zip(row.items, row.weights.tolist(), strict=True)
    ]


def rounded(dataset: JointDataset, account: str, **options: Any) -> list[tuple[str, float]]:
    return [(item, round(weight, 6)) for item, weight in entries(dataset, account, **options)]


def left_over(folder: Path) -> list[str]:
    return [path.name for path in (folder / "warehouse").glob(f"{TEMPORARY}*")]


def test_the_whole_way(tmp_path: Path) -> None:
    result = run(world(tmp_path), tmp_path)
    total = result.account.total
    assert (total.read, total.kept, total.exact_duplicates, total.near_duplicates, total.bad) == (12, 10, 1, 1, 0)
    assert result.account.of("events").kept == 7
    assert (result.snapshot.people, result.snapshot.linked_people, result.snapshot.events) == (4, 2, 7)
    assert result.snapshot.items == {"courses": 3, "parts": 2}
    assert result.overlap.pairs[0].active == 2
    dataset = opened(result)
    assert dataset.order == "joint"
    assert entries(dataset, "courses:007") == entries(dataset, "parts:007")
    assert entries(dataset, "parts:007") == [("py", 1.0), ("brake", 1.0), ("py", 5.0)]
    assert entries(dataset, "courses:😀") == [("brake", 0.0), ("驾驶", 2.0)]
    assert dataset.catalog.item(dataset.catalog.number("courses", "py")).title == "Python 入门"
    assert dataset.catalog.titles()[dataset.catalog.number("parts", "轮胎")] == "轮胎"
    assert dataset.knowledge().is_empty()


def test_what_was_found_can_be_said_in_any_language_later(tmp_path: Path) -> None:
    courses = COURSES + ",py,view,2024-01-02T00:00:00Z,\n007,py,view,1980-01-01T00:00:00Z,\n"
    result = run(world(tmp_path, courses, cleaning={"max_quarantined": 0.5}), tmp_path)
    for account in (result.account, open_snapshot(result.folder).manifest.quality):
        reasons = account.total.quarantined
        assert reasons == {"occurred_at is before 1990-01-01": 1, "user is missing or no text": 1}
        assert [account.text(reason).say(translator("zh")) for reason in sorted(reasons)] == [
            "occurred_at 早于 1990-01-01",
            "user 缺失或不是文本",
        ]
        assert all(account.text(reason) == reason for reason in reasons)
        assert account.text("of an older kuajie") == "of an older kuajie"
    stored = open_snapshot(result.folder).manifest.overlap
    assert list(stored.warnings) == stored.texts
    assert stored.texts[0].say(translator("zh")).startswith("courses 和 parts 只有 2 人在两边都有行为")


def test_interactions_have_a_row_for_each_person(tmp_path: Path) -> None:
    dataset = opened(run(world(tmp_path), tmp_path))
    interactions = dataset.interactions()
    assert interactions.n_people == 4
    for person in range(4):
        for account in dataset.accounts_of(person):
            assert dataset.person_of(account) == person
            row = dataset.history_of(account)
            mine = interactions.histories.take([person])
            assert mine.items.tolist() == row.items.tolist()
            assert mine.weights.tolist() == row.weights.tolist()
            assert mine.times is not None
            assert (np.diff(mine.times) >= 0).all()
    assert interactions.histories.at is not None
    assert interactions.histories.at.tolist() == [datetime(2024, 1, 7, tzinfo=UTC).timestamp()] * 4
    assert [len(dataset.accounts_of(person)) for person in range(4)].count(2) == 2
    with pytest.raises(UsageError, match="got 4"):
        dataset.accounts_of(4)


def test_a_cut_in_time_leaves_the_later_out(tmp_path: Path) -> None:
    dataset = opened(run(world(tmp_path), tmp_path))
    cut = datetime(2024, 1, 3, tzinfo=UTC)
    assert entries(dataset, "courses:007", at=cut) == [("py", 1.0), ("brake", 1.0)]
    assert dataset.interactions(cut).histories.weights.tolist() == [1.0, 1.0]
    assert entries(dataset, "parts:new", at=cut) == []


def test_the_snapshot_does_not_depend_on_how_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = world(tmp_path)
    first = run(config, tmp_path)
    monkeypatch.setattr(importing, "PART_BYTES", 30)
    monkeypatch.setattr(spool_module, "BUFFER_ROWS", 2)
    again = run(config, tmp_path)
    assert again.snapshot == first.snapshot
    assert len(list((tmp_path / "warehouse").iterdir())) == 2  # one snapshot, and the pointer to it


def test_a_second_import_points_to_the_newer_and_keeps_the_older(tmp_path: Path) -> None:
    first = run(world(tmp_path), tmp_path)
    second = run(world(tmp_path, courses=f"{COURSES}late,py,view,2024-02-01,\n"), tmp_path)
    assert latest_snapshot(tmp_path / "warehouse").record == second.snapshot
    assert open_snapshot(first.folder).record == first.snapshot
    assert not left_over(tmp_path)


def test_bad_rows_go_to_the_quarantine(tmp_path: Path) -> None:
    good = "".join(f"u{n},py,view,2024-01-02,\n" for n in range(100))
    result = run(world(tmp_path, courses=f'{HEADER}{good},py,view,,\n"a\x00",py,view,2999-01-01,\n'), tmp_path)
    file = tmp_path / "warehouse" / result.account.quarantine
    table = pl.read_csv(file)
    assert table["source"].to_list() == ["courses.csv", "courses.csv"]
    assert table["line"].to_list() == [102, 103]
    assert table["reason"].to_list() == ["user is missing or no text", "user has a control character"]
    assert result.account.sources[1].quarantined == {"user is missing or no text": 1, "user has a control character": 1}


def test_too_many_bad_rows_stop_the_import_and_keep_what_was_there(tmp_path: Path) -> None:
    before = run(world(tmp_path), tmp_path)
    config = world(tmp_path, courses=COURSES + ",py,view,,\n")
    with pytest.raises(
        DataError, match=r"courses.csv: 1 of 7 rows \(14.3%\) .*user is missing or no text: 1"
    ) as caught:
        run(config, tmp_path)
    assert caught.value.exit_code == 1
    assert len(list((tmp_path / "warehouse" / "quarantine").iterdir())) == 1
    assert latest_snapshot(tmp_path / "warehouse").record == before.snapshot
    assert not left_over(tmp_path)
    lenient = world(tmp_path, courses=COURSES + ",py,view,,\n", cleaning={"max_quarantined": 0.2})
    assert run(lenient, tmp_path).account.total.bad == 1
    assert len(list((tmp_path / "warehouse" / "quarantine").iterdir())) == 2


def test_an_empty_domain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the domain 'parts' has no event \(parts.csv\)"):
        run(world(tmp_path, parts=HEADER), tmp_path)
    with pytest.raises(UsageError, match="no workspace"):
        run(world(tmp_path), tmp_path / "none")
    with pytest.raises(UsageError, match="nothing was imported"):
        latest_snapshot(tmp_path / "warehouse")


def test_no_overlap_and_a_catalogue_of_one_item_work_with_a_warning(tmp_path: Path) -> None:
    result = run(world(tmp_path, parts=f"{HEADER}x,brake,view,,\n"), tmp_path)
    assert "share no person" in result.overlap.warnings[0]
    assert "one item alone" in result.account.warnings[0]
    assert entries(opened(result), "parts:x") == [("brake", 1.0)]


def test_events_without_times_and_with_zero_weight(tmp_path: Path) -> None:
    config = world(tmp_path, courses="user,item,kind,value\na,py,play,0\na,驾驶,play,0\n")
    dataset = opened(run(config, tmp_path))
    assert dataset.order == "none"
    assert dataset.interactions().histories.times is None
    assert entries(dataset, "courses:a") == [("py", 0.0), ("驾驶", 0.0)]


def test_ids_of_events_and_exposures_are_kept_and_counted_once(tmp_path: Path) -> None:
    text = (
        "user,item,kind,occurred_at,event_id,exposure_id\n"
        "a,py,click,2024-01-01T00:00:00Z,e1,x1\n"
        "a,py,click,2024-01-01T01:00:00Z,e1,x1\n"  # sent again
        "a,py,click,2024-01-01T02:00:00Z,e2,x1\n"  # another answer to the same exposure
        "a,py,purchase,2024-01-01T03:00:00Z,e3,x1\n"
    )
    result = run(world(tmp_path, courses=text), tmp_path)
    events = open_snapshot(result.folder).read("events.parquet")
    assert sorted(events["event_id"].drop_nulls()) == ["e1", "e3"]
    assert result.account.of("events").exact_duplicates == 2


def test_flagged_accounts_are_named_and_may_be_left_out(tmp_path: Path) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(seconds=5 * number) for number in range(20)]
    bot = "".join(f"bot,py,view,{moment.isoformat()},\n" for moment in moments)
    rules = {"flag_events_per_minute": 10}
    kept = run(world(tmp_path, courses=COURSES + bot, cleaning=rules), tmp_path)
    assert kept.account.flagged == {"events_per_minute": 1}
    assert "1 accounts have extreme rates" in kept.account.warnings[0]
    assert len(opened(kept).interactions().histories.items) == 27
    out = run(world(tmp_path, courses=COURSES + bot, cleaning={**rules, "flagged": "exclude"}), tmp_path)
    assert len(opened(out).interactions().histories.items) == 7
    assert len(entries(opened(out), "courses:bot")) == 20


LINKS = "domain_a,user_a,domain_b,user_b,confidence,expires_at\n"


def linked(folder: Path, table: str) -> IngestResult:
    (folder / "links.csv").write_text(LINKS + table, encoding="utf-8")
    return run(world(folder, identity={"method": "links", "links": [{"path": "links.csv"}]}), folder)


def test_links_join_people_and_name_accounts_without_events(tmp_path: Path) -> None:
    result = linked(tmp_path, "courses,007,parts,cold,0.9,\ncourses,only,parts,new,0.9,2024-12-31\n")
    assert result.snapshot.linked_people == 1
    assert result.overlap.links["expired"] == 1
    dataset = opened(result)
    assert entries(dataset, "parts:cold") == [("py", 1.0), ("py", 5.0)]
    assert entries(dataset, "parts:007") == [("brake", 1.0)]
    assert entries(dataset, "parts:new") == [("轮胎", 3.0)]


def test_one_to_many_links_lend_history_times_confidence(tmp_path: Path) -> None:
    result = linked(tmp_path, "courses,007,parts,007,0.9,\ncourses,007,parts,new,0.8,\n")
    assert result.snapshot.linked_people == 0
    dataset = opened(result)
    assert rounded(dataset, "parts:new") == [("py", 0.8), ("py", 4.0), ("轮胎", 3.0)]
    assert entries(dataset, "parts:new", lent=False) == [("轮胎", 3.0)]
    assert rounded(dataset, "courses:007") == [("py", 1.0), ("brake", 0.9), ("py", 5.0), ("轮胎", 2.4)]
    own, all_of_it = dataset.interactions(), dataset.interactions(lent=True)
    assert len(all_of_it.histories.items) == len(own.histories.items) + 2 + 2 + 2
    person = dataset.person_of(Account(domain="parts", user="new"))
    assert (
        all_of_it.histories.take([person]).items.tolist()
        == dataset.history_of(Account(domain="parts", user="new")).items.tolist()
    )
    cut = datetime(2024, 1, 3, tzinfo=UTC)
    assert rounded(dataset, "parts:new", at=cut) == [("py", 0.8)]


def test_hashed_keys_need_the_secret_and_never_reach_the_snapshot(tmp_path: Path) -> None:
    config = world(tmp_path, identity={"method": "hashed", "secret_env": "KEY"}).model_dump(exclude_unset=True)
    for domain, key in (("courses", "13800000000"), ("parts", " 13800000000")):
        users = f"{domain}-user,{key}\n" + "".join(f"{domain}{number},\n" for number in range(99))
        (tmp_path / f"{domain}_users.csv").write_text(f"user,key\n{users},{key}\nbroken,{key},{key}\n")
        config["domains"][domain]["users"] = [{"path": f"{domain}_users.csv"}]
    with pytest.raises(ConfigError, match="KEY"):
        run(DataConfig.parse(config), tmp_path, environment={})
    result = run(DataConfig.parse(config), tmp_path, environment={"KEY": "s" * 32})
    assert result.snapshot.linked_people == 1
    assert result.account.of("users").bad == 4
    files = [path for path in (tmp_path / "warehouse").rglob("*") if path.is_file()]
    assert len(files) == 13
    for path in files:
        assert b"13800000000" not in path.read_bytes()


def test_recbole_graphs_speak_of_items(tmp_path: Path) -> None:
    (tmp_path / "c.kg").write_text("head_id:token\trelation_id:token\ttail_id:token\nm.1\tteaches\tm.2\nm.3\tis\tm.1\n")
    (tmp_path / "c.link").write_text("item_id:token\tentity_id:token\npy\tm.1\n")
    config = world(tmp_path).model_dump(exclude_unset=True)
    config["domains"]["courses"]["kg"] = [{"path": "c.kg"}, {"path": "c.link"}]
    graph = opened(run(DataConfig.parse(config), tmp_path)).knowledge()
    assert graph.rows() == [("courses", "py", "teaches", "m.2"), ("courses", "m.3", "is", "py")]


def test_repeated_items_count_as_duplicates(tmp_path: Path) -> None:
    config = world(tmp_path)
    (tmp_path / "items.csv").write_text("item,title,price\npy,A,1\npy,A,1\npy,B,1\n")
    result = run(config, tmp_path)
    account = result.account.of("items")
    assert (account.read, account.kept, account.exact_duplicates, account.near_duplicates) == (3, 1, 1, 1)
    assert opened(result).catalog.titles()[0] == "A"


@pytest.mark.parametrize(
    "name", ["events.parquet", "events.time.npy", "items.parquet", "accounts.parquet", "lent.parquet", MANIFEST]
)
def test_a_flipped_byte_is_noticed(tmp_path: Path, name: str) -> None:
    result = run(world(tmp_path), tmp_path)
    path = result.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=name):
        opened(result)
    path.unlink()
    with pytest.raises((ArtifactError, UsageError), match=r"missing|no snapshot"):
        opened(result)


def test_columns_and_parquet_hold_the_same_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "GROUP_ROWS", 3)  # several row groups
    result = run(world(tmp_path), tmp_path)
    folder, files = result.folder, open_snapshot(result.folder).manifest.files
    mapped, accounts = read_columns(folder, files, 7)
    read, same_accounts = read_columns(folder, (), 7)  # as a snapshot of an earlier kuajie is read
    for name in ("row", "item", "kind", "time", "value"):
        np.testing.assert_array_equal(getattr(mapped, name), getattr(read, name))
    np.testing.assert_array_equal(accounts, same_accounts)
    assert not mapped.time.flags.owndata
    assert not mapped.time.flags.writeable
    with pytest.raises(ArtifactError, match=r"\(7,\) instead of int32 \(8,\)"):
        read_columns(folder, files, 8)
    np.save(folder / "events.item.npy", np.zeros(7))
    with pytest.raises(ArtifactError, match="float64"):
        read_columns(folder, files, 7)
    (folder / "events.item.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ArtifactError, match="damaged"):
        read_columns(folder, files, 7)


@pytest.mark.parametrize("flagged", ["keep", "exclude"])
def test_support_is_counted_without_histories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flagged: str) -> None:
    monkeypatch.setattr("kuajie.data.dataset.BLOCK", 2)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    bot = "".join(f"bot,py,view,{(start + timedelta(seconds=5 * number)).isoformat()},\n" for number in range(20))
    low = "a,py,rate,2024-01-09T00:00:00Z,1\nb,驾驶,rate,2024-01-09T00:00:00Z,5\n"
    rules = {"flag_events_per_minute": 10, "flagged": flagged}
    dataset = opened(run(world(tmp_path, courses=COURSES + bot + low, cleaning=rules), tmp_path))
    support = dataset.support()
    assert support.tolist() == dataset.interactions().support().tolist()
    assert support.sum() == (27 if flagged == "keep" else 7)


def test_a_snapshot_of_another_version_or_a_dangling_pointer(tmp_path: Path) -> None:
    result = run(world(tmp_path), tmp_path)
    manifest = json.loads((result.folder / MANIFEST).read_text())
    (result.folder / MANIFEST).write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(ArtifactError, match="format 99"):
        opened(result)
    (tmp_path / "warehouse" / "latest").write_text("../elsewhere")
    with pytest.raises(ArtifactError, match="not there"):
        latest_snapshot(tmp_path / "warehouse")


class FullDisk:
    """Takes the place of a writer; fails at its n-th call."""

    def __init__(self, error: Exception, calls: int = 1) -> None:
        self.error = error
        self.calls = calls

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.calls -= 1
        if not self.calls:
            raise self.error


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("polars.DataFrame.write_ipc", OSError("No space left on device (os error 28)")),
        (
            "polars.DataFrame.write_parquet",
            pl.exceptions.ComputeError("IO error: No space left on device (os error 28)"),
        ),
        ("pyarrow.parquet.ParquetWriter.write_table", NO_SPACE),
        ("pathlib.Path.rename", NO_SPACE),
        ("os.fsync", NO_SPACE),
        ("kuajie.data.snapshot.write_file", NO_SPACE),
    ],
)
def test_a_full_disk_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    before = run(world(tmp_path), tmp_path)
    config = world(tmp_path, courses=f"{COURSES}late,py,view,2024-02-01,\n")
    with monkeypatch.context() as patched:
        patched.setattr(place, FullDisk(error))
        with pytest.raises(ResourceError, match="No space left"):
            run(config, tmp_path)
    assert latest_snapshot(tmp_path / "warehouse").record == before.snapshot
    assert not left_over(tmp_path)
    assert latest_snapshot(tmp_path / "warehouse").path.name != run(config, tmp_path).folder.name


def test_other_faults_are_not_taken_for_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polars.DataFrame.write_parquet", FullDisk(pl.exceptions.ComputeError("something else")))
    with pytest.raises(pl.exceptions.ComputeError, match="something else"):
        run(world(tmp_path), tmp_path)


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    run(world(tmp_path), tmp_path, progress=lambda *step: told.append(step))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages[:3] == ["reading items.csv", "reading courses.csv", "reading parts.csv"]
    assert all(0 <= done <= total or total == 0 for _, done, total in told)


def test_unknown_accounts_are_named_exactly(tmp_path: Path) -> None:
    dataset = opened(run(world(tmp_path), tmp_path))
    for user in ("7", "0070", "", "～"):
        with pytest.raises(UsageError, match="there is no user"):
            dataset.person_of(Account(domain="parts", user=user))
    with pytest.raises(UsageError, match="there is no domain"):
        dataset.person_of(Account(domain="films", user="007"))


def test_events_of_the_last_minute_are_a_history(tmp_path: Path) -> None:
    dataset = opened(run(world(tmp_path), tmp_path))

    def event(item: str, kind: Any, hour: int | None, domain: str = "courses") -> Event:
        moment = None if hour is None else datetime(2025, 1, 1, hour, tzinfo=UTC)
        return Event(event_id="", domain=domain, user="x", item=item, kind=kind, occurred_at=moment)

    live = [
        event("py", "purchase", 5),
        event("brake", "view", 4, "parts"),
        event("unknown", "view", 4),
        event("驾驶", "cart", None),
        event("py", "view", 1, "films"),
    ]
    row = history_of_events(live, dataset.catalog, FLAT, NOW + timedelta(hours=6))
    assert [dataset.catalog.name(item)[1] for item in row.items] == ["驾驶", "brake", "py"]
    assert row.weights.tolist() == [3.0, 1.0, 5.0]
    assert history_of_events([], dataset.catalog, FLAT, NOW).n_rows == 1


USERS = st.sampled_from(["a", "b", "007", "😀", "", " ", "a\x00", "x" * 200])
TIMES = st.sampled_from(["", "2024-01-01", "2024-01-01T00:00:01Z", "2024-01-01T00:00:02Z", "1800-01-01", "soon"])
VALUES = st.sampled_from(["", "1", "-1", "NaN", "5"])
ROWS = st.lists(st.tuples(USERS, st.sampled_from("xy"), st.sampled_from([*KINDS[:3], "?"]), TIMES, VALUES), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(ROWS, ROWS)
def test_the_account_always_adds_up(
    tmp_path: Path, courses: list[tuple[str, ...]], parts: list[tuple[str, ...]]
) -> None:
    texts = [
        HEADER + "good,x,view,2024-01-01,\n" + "".join(f"{','.join(row)}\n" for row in each)
        for each in (courses, parts)
    ]
    result = run(world(tmp_path, *texts, cleaning={"max_quarantined": 1.0}), tmp_path)
    for account, lines in zip(result.account.sources[1:], (courses, parts), strict=True):
        assert account.read == len(lines) + 1
        assert account.read == account.kept + account.merged + account.bad
    assert result.account.of("events").kept == result.snapshot.events
    assert result.snapshot.events == len(opened(result).interactions().histories.items)


def test_many_accounts_are_found_like_single_ones(tmp_path: Path) -> None:
    text = "".join(f"u{number},py,view,2024-01-01,\n" for number in range(80))
    dataset = opened(run(world(tmp_path, courses=HEADER + text), tmp_path))
    accounts = [Account(domain="courses", user=f"u{number * 37 % 80}") for number in range(80)]
    assert dataset.people_of(accounts).tolist() == [dataset.person_of(account) for account in accounts]
    with pytest.raises(UsageError, match="no user 'nobody'"):
        dataset.histories_of([*accounts, Account(domain="courses", user="nobody")])
