"""When rounds are due, who may start one, and what is on record when a process dies."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError
from kuajie.core.locks import locked
from kuajie.workflows.looper import Looper
from kuajie.workflows.schedule import LoopConfig, LoopLog, Round, due, told
from kuajie.workflows.workspace import RunConfig, Workspace, WorkspaceConfig

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_every_so_many_minutes() -> None:
    config = LoopConfig(every_minutes=30)
    assert not due(config, NOW - timedelta(minutes=29), NOW)
    assert due(config, NOW - timedelta(minutes=30), NOW)
    assert not due(LoopConfig(), NOW - timedelta(days=9), NOW), "no schedule"


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        ("2026-11-01T19:29:00Z", "2026-11-01T19:29:59Z", False),
        ("2026-11-01T19:29:00Z", "2026-11-01T19:30:00Z", True),
        ("2026-11-01T19:30:00Z", "2026-11-02T19:29:00Z", False),
        ("2026-11-01T19:30:00Z", "2026-11-02T19:30:00Z", True),
        ("2026-10-20T00:00:00Z", "2026-11-02T10:00:00Z", True),  # it was off at that time
    ],
)
def test_at_a_time_of_day(last: str, now: str, expected: bool) -> None:
    config = LoopConfig(at="03:30", timezone="Asia/Shanghai")
    assert due(config, at(last), at(now)) is expected


def test_a_time_of_day_comes_once_when_clocks_are_set_back() -> None:
    config = LoopConfig(at="02:30", timezone="Europe/Berlin")
    first = at("2026-10-25T00:30:00Z")  # 02:30 of summer; an hour later it is 02:30 again
    assert due(config, first - timedelta(hours=5), first)
    assert not due(config, first, first + timedelta(minutes=45))
    assert due(config, first, first + timedelta(hours=25))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"every_minutes": 5, "at": "03:30"}, "every_minutes or at, not both"),
        ({"at": "3:30"}, "'at'"),
        ({"at": "24:00"}, "'at'"),
        ({"timezone": "亚洲/上海"}, "no time zone '亚洲/上海'"),
        ({"timezone": "../../etc/passwd"}, "no time zone"),
        ({"every_minutes": 0}, "every_minutes"),
        ({"steps": []}, "steps"),
        ({"worst_fall": float("nan")}, "worst_fall"),
    ],
)
def test_a_wrong_schedule_is_one_sentence(values: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        LoopConfig.parse(values, Path("kuajie.toml"))


def workspace(folder: Path, **loop: object) -> Workspace:
    config = WorkspaceConfig.model_construct(workspace=RunConfig(), loop=LoopConfig(**loop))
    assert isinstance(config, Config)
    return Workspace(folder, config)


class FakeChild:
    """A process that a test ends."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.asked_to_end = False

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.asked_to_end, self.code = True, -15

    kill = terminate

    def wait(self, timeout: float | None = None) -> int:
        assert self.code is not None
        return self.code


class Hands:
    """Loopers of several processes with one clock that a test moves."""

    def __init__(self, folder: Path, count: int, **loop: object) -> None:
        self.now, self.children = 0.0, []
        self.loopers = [
            Looper(
                workspace(folder, **loop),
                self.start,
                lambda: NOW + timedelta(seconds=self.now),
                lambda: self.now,
            )
            for _ in range(count)
        ]

    def start(self, _: Workspace) -> FakeChild:
        self.children.append(FakeChild())
        return self.children[-1]

    def wait(self, seconds: float) -> list[Round | None]:
        self.now += seconds
        return [looper.look() for looper in self.loopers]


def test_one_of_many_processes_starts_a_round(tmp_path: Path) -> None:
    hands = Hands(tmp_path, 4, every_minutes=10)
    hands.wait(599)
    assert not hands.children
    hands.wait(2)
    assert len(hands.children) == 1
    hands.wait(10)
    assert len(hands.children) == 1
    log = hands.loopers[0].log
    log.keep(Round(started_at=NOW + timedelta(seconds=603), outcome="running"))
    log.keep(Round(started_at=NOW + timedelta(seconds=603), outcome="activated", model_version="v"))
    hands.children[0].code = 0
    ended = [each for each in hands.wait(2) if each]
    assert [(each.outcome, each.model_version) for each in ended] == [("activated", "v")]
    assert [each.outcome for each in log.rounds()] == ["activated"]
    hands.wait(550)
    assert len(hands.children) == 1
    hands.wait(60)
    assert len(hands.children) == 2


def test_who_dies_or_takes_too_long_is_on_record(tmp_path: Path) -> None:
    hands = Hands(tmp_path, 1, every_minutes=10, most_minutes=1)
    hands.wait(601)
    hands.children[0].code = -9  # before it could say anything
    assert [each and each.outcome for each in hands.wait(2)] == ["failed"]
    hands.wait(601)
    hands.loopers[0].log.keep(Round(started_at=NOW + timedelta(seconds=1_210), outcome="running"))
    hands.wait(30)
    assert not hands.children[1].asked_to_end
    hands.wait(40)
    assert hands.children[1].asked_to_end
    rounds = hands.loopers[0].log.rounds()
    assert [each.outcome for each in rounds] == ["failed", "failed"]
    assert told(rounds).startswith("failed 2026-11-01T12:20:10Z: its process ended")


def test_nobody_starts_a_round_while_another_runs(tmp_path: Path) -> None:
    hands = Hands(tmp_path, 2, every_minutes=10)
    with locked(tmp_path / "models" / "loop.lock") as free:
        assert free
        hands.wait(601)
        assert not hands.children
    hands.wait(2)
    assert len(hands.children) == 1


def test_stopping_ends_the_round(tmp_path: Path) -> None:
    hands = Hands(tmp_path, 1, every_minutes=10)
    hands.wait(601)
    hands.loopers[0].stop()
    assert hands.children[0].asked_to_end
    assert hands.loopers[0].log.last().outcome == "failed"


def test_a_process_that_cannot_be_started_does_not_disturb(tmp_path: Path) -> None:
    hands = Hands(tmp_path, 1, every_minutes=10)

    def fail(_: Workspace) -> FakeChild:
        raise OSError("no memory for a process")

    hands.loopers[0].start = fail
    assert hands.wait(601) == [None]
    hands.loopers[0].start = hands.start
    hands.wait(601)
    assert len(hands.children) == 1


@pytest.mark.parametrize("rubbish", [b"", b"[", b"{}", b'[{"started_at": "x"}]', b"\xff\xfe", b"[1]"])
def test_a_damaged_record_is_lost_and_nothing_else(tmp_path: Path, rubbish: bytes) -> None:
    log = LoopLog(tmp_path)
    log.path.write_bytes(rubbish)
    assert log.rounds() == []
    assert told(log.rounds()) == ""
    log.keep(Round(started_at=NOW, outcome="imported"))
    assert [each.outcome for each in log.rounds()] == ["imported"]


def test_rounds_without_work_do_not_push_out_the_others(tmp_path: Path) -> None:
    log = LoopLog(tmp_path)
    log.keep(Round(started_at=NOW, outcome="failed", reason="磁盘已满"))
    for number in range(40):
        log.keep(Round(started_at=NOW + timedelta(hours=number + 1), outcome="skipped"))
    assert [each.outcome for each in log.rounds()] == ["failed", "skipped"]
    assert log.last().started_at == NOW + timedelta(hours=40)
    for number in range(40):
        log.keep(Round(started_at=NOW + timedelta(days=number + 9), outcome="activated"))
    assert len(log.rounds()) == 20
