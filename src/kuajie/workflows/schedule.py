"""When the loop runs, and what became of its rounds.

`models/loop.json` holds the last rounds; `models/loop.lock` is held by whoever runs one, and let go of by the system
when that process dies.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

import msgspec
from pydantic import Field, model_validator

from kuajie.core.config import Config
from kuajie.core.files import write_file
from kuajie.core.locks import locked
from kuajie.core.records import Record
from kuajie.core.texts import Text

STATE, LOCK = "loop.json", "loop.lock"
MOST_ROUNDS = 20
Outcome = Literal["claimed", "running", "activated", "trained", "imported", "skipped", "refused", "failed"]


class LoopConfig(Config):
    """The section `[loop]`: events -> snapshot -> train -> activate, again and again.

    It runs inside `kuajie serve` where `every_minutes` or `at` is said, each round in a process of its own, and by
    `kuajie loop`.

    Attributes:
        every_minutes: from the start of one round to the start of the next.
        at: a time of day, such as "03:30", instead.
        timezone: of `at`, such as "Asia/Shanghai"; left out: the system's.
        least_events: a round with fewer new events than this does nothing.
        steps: what a round does.
        choose_hours: the models are chosen anew after so long; rounds before that fit the chosen ones again.
        budget_seconds: of choosing; left out: that of `[training]`.
        threads: of a round.
        niceness: of its process; 0: as important as the service, 19: least.
        most_minutes: a round that takes longer is ended.
        worst_fall: share by which recall@10 on what happened since the serving model may fall.
        worst_shrink: share of people, events or items that a new snapshot may lack.
        least_rows: a target with fewer held-out rows is not compared.
        kept: versions and snapshots that are kept, besides those that serve, served last, or are pinned.
    """

    every_minutes: Annotated[float, Field(ge=0.01, le=525_600)] | None = None
    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None = None
    timezone: str | None = None
    least_events: Annotated[int, Field(ge=0)] = 1
    steps: Annotated[tuple[Literal["import", "train"], ...], Field(min_length=1)] = ("import", "train")
    choose_hours: Annotated[float, Field(ge=0)] = 24.0
    budget_seconds: Annotated[float, Field(gt=0)] | None = None
    threads: Annotated[int, Field(ge=1)] = 1
    niceness: Annotated[int, Field(ge=0, le=19)] = 10
    most_minutes: Annotated[float, Field(gt=0)] = 120.0
    worst_fall: Annotated[float, Field(ge=0, le=1)] = 0.05
    worst_shrink: Annotated[float, Field(ge=0, le=1)] = 0.2
    least_rows: Annotated[int, Field(ge=1)] = 200
    kept: Annotated[int, Field(ge=1)] = 3

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        if self.every_minutes is not None and self.at is not None:
            raise ValueError(Text("say every_minutes or at, not both"))
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (KeyError, ValueError, OSError):
                raise ValueError(Text("there is no time zone '{name}'", name=self.timezone[:80])) from None
        return self

    @property
    def scheduled(self) -> bool:
        """Whether there is a schedule at all."""
        return self.every_minutes is not None or self.at is not None

    @property
    def zone(self) -> tzinfo | None:
        """Of `at`; None: the system's."""
        return None if self.timezone is None else ZoneInfo(self.timezone)


def due(config: LoopConfig, last: datetime, now: datetime) -> bool:
    """Whether a round should begin.

    Args:
        config: the schedule.
        last: when the last round began, or, where there was none, since when one is waited for.
        now: the time.
    """
    if config.every_minutes is not None:
        return now - last >= timedelta(minutes=config.every_minutes)
    if config.at is None:
        return False
    hour, minute = map(int, config.at.split(":"))
    today = now.astimezone(config.zone).replace(hour=hour, minute=minute, second=0, microsecond=0)
    latest = today if today <= now else today - timedelta(days=1)
    return last < latest


class Round(Record, frozen=True):
    """One round of the loop.

    Attributes:
        started_at, finished_at: None: it has not ended.
        outcome: `trained` and `imported`: as far as it should go; `refused`: the new model must not serve.
        reason: in English, for whoever operates the service.
        new_events: since the last snapshot; counted up to `least_events`.
        mode: whether the models were chosen anew.
        metrics: of the comparison with what served, by target.
    """

    started_at: datetime
    outcome: Outcome
    finished_at: datetime | None = None
    reason: str = ""
    new_events: int = 0
    snapshot_id: str = ""
    mode: Literal["", "chosen", "fitted again"] = ""
    model_version: str = ""
    metrics: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)

    @property
    def bad(self) -> bool:
        """Whether somebody should look."""
        return self.outcome in {"failed", "refused"}


class LoopLog:
    """The last rounds, in a file that is replaced whole.

    Args:
        folder: of the models.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self.lock = folder / STATE, folder / LOCK

    def rounds(self) -> list[Round]:
        """Oldest first; none where the file is missing or damaged, for it can be lost."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=list[Round])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return []

    def last(self) -> Round | None:
        """The newest."""
        return next(reversed(self.rounds()), None)

    def keep(self, current: Round) -> None:
        """Put down how a round stands; only the holder of the lock may.

        A round that begins replaces its claim, one that did nothing the one before that did nothing either.

        Raises:
            ResourceError: the disk refuses.
        """
        rounds = [each for each in self.rounds() if each.started_at != current.started_at]
        replaced = {"running": "claimed", "skipped": "skipped"}.get(current.outcome)
        while rounds and rounds[-1].outcome == replaced:
            rounds.pop()
        write_file(self.path, msgspec.json.format(msgspec.json.encode([*map(ended, rounds), current][-MOST_ROUNDS:])))

    def settle(self) -> None:
        """Put down that a round failed whose process has ended without saying how."""
        with locked(self.lock) as free:
            last = self.last()
            if free and last is not None and last.outcome in {"claimed", "running"}:
                self.keep(ended(last))

    def claim(self, config: LoopConfig, waiting_since: datetime, now: datetime) -> bool:
        """Whether a round is due and this process is the one to start it; the others see that."""
        if not self._due(config, waiting_since, now):
            return False
        with locked(self.lock) as free:
            if not free or not self._due(config, waiting_since, now):
                return False
            self.keep(Round(started_at=now, outcome="claimed"))
            return True

    def _due(self, config: LoopConfig, waiting_since: datetime, now: datetime) -> bool:
        last = self.last()
        return due(config, waiting_since if last is None else max(last.started_at, EARLIEST), now)


EARLIEST = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def ended(round_: Round) -> Round:
    """A round before the current one: where its process did not live to say how it ended, it failed."""
    if round_.outcome not in {"running", "claimed"}:
        return round_
    reason = "its process ended before the round did"
    return msgspec.structs.replace(round_, outcome="failed", reason=reason)


def told(rounds: Sequence[Round]) -> str:
    """The last round in a few words."""
    if not rounds:
        return ""
    last = rounds[-1]
    words = f"{last.outcome} {last.started_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"{words}: {last.reason}" if last.reason else words
