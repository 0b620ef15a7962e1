"""Behaviour: when people come, what they choose, and which events a visit leaves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.worlds.catalogue import FORMAT_SHARES, Catalogue
from kuajie.worlds.choices import interest_chances, week_table
from kuajie.worlds.funnels import FUNNELS, Step, events_per_visit
from kuajie.worlds.people import People, TasteSettings
from kuajie.worlds.scenarios import DomainPlan
from kuajie.worlds.seasons import START, WEEK_SECONDS, WEEKS, seconds_of_week

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_VISITS_PER_SESSION = 1.9
_PAUSE = 420.0  # mean seconds between two visits of a session
_END = START.timestamp() + WEEKS * WEEK_SECONDS


@dataclass(frozen=True, eq=False)
class Events:
    """Events of one domain in a week or more, oldest first within each week.

    Attributes:
        person: int64 (n,), row of the person.
        item: int64 (n,), number inside the domain.
        kind: list of the domain's kinds; `kind_code` int8 (n,) points into it.
        time: float64 (n,), unix seconds.
        value: float64 (n,), NaN where the kind has none.
    """

    person: Ints
    item: Ints
    kinds: tuple[str, ...]
    kind_code: npt.NDArray[np.int8]
    time: Floats
    value: Floats

    @classmethod
    def joined(cls, parts: Sequence["Events"]) -> "Events":
        """Several weeks of one domain as one."""
        if len(parts) == 1:
            return parts[0]
        columns = [
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("person", "item", "kind_code", "time", "value")
        ]
        return cls(columns[0], columns[1], parts[0].kinds, *columns[2:])


@dataclass(frozen=True, eq=False)
class DomainBehaviour:
    """Everything that decides the behaviour in one domain."""

    plan: DomainPlan
    index: int
    catalogue: Catalogue
    people: People
    seasons: Floats
    shares: Floats
    settings: TasteSettings
    events_per_account: float

    def weeks(self, seed: int) -> Iterator[Events]:
        """Events week after week; each week has its own random stream, so memory stays that of a week."""
        members = np.flatnonzero(self.people.member[:, self.index])
        formats = FORMAT_SHARES if self.plan.funnel == "learning" else {}
        steps = FUNNELS[self.plan.funnel]
        per_session = _VISITS_PER_SESSION * events_per_visit(steps, self.settings.passing_share, formats)
        sessions = self.people.activity[members, self.index] * (self.events_per_account / per_session)
        joined = self.people.joined[members, self.index]
        sessions = sessions * (1 / np.maximum(1 - joined / WEEKS, 0.1)).clip(max=3)
        for week in range(WEEKS):
            rng = np.random.default_rng([seed, 7, self.index, week])
            count = rng.poisson(np.where(joined <= week, sessions * self.shares[week], 0.0))
            yield self._week(np.repeat(members, count), week, rng)

    def _week(self, persons: Ints, week: int, rng: np.random.Generator) -> Events:
        start = START.timestamp() + week * WEEK_SECONDS + seconds_of_week(self.plan, rng.random(len(persons)))
        visits = 1 + rng.poisson(_VISITS_PER_SESSION - 1, len(persons))
        session = np.repeat(np.arange(len(persons)), visits)
        pause = rng.exponential(_PAUSE, len(session))
        position = np.arange(len(session)) - np.repeat(np.cumsum(visits) - visits, visits)
        waited = np.cumsum(np.where(position > 0, pause, 0.0))
        time = start[session] + waited - np.repeat(waited[np.cumsum(visits) - visits], visits)
        person = persons[session]
        weeks = np.full(len(person), week)
        interests, chances = interest_chances(self.people, person, self.index, weeks, self.seasons, self.settings)
        picked = (rng.random(len(person))[:, None] >= np.cumsum(chances, axis=1)[:, :-1]).sum(axis=1)
        interest = interests[np.arange(len(person)), picked]
        table = week_table(self.catalogue, len(self.seasons), week)
        item = table.draw(self.people.buying[person].astype(np.int64), interest, rng.random(len(person)))
        passing = picked == chances.shape[1] - 1
        return self._expand(person, item, time, passing, rng)

    def _expand(
        self, person: Ints, item: Ints, time: Floats, passing: npt.NDArray[np.bool_], rng: np.random.Generator
    ) -> Events:
        steps = FUNNELS[self.plan.funnel]
        kinds = tuple(dict.fromkeys(step.kind for step in steps))
        formats = self._formats()
        happened: list[npt.NDArray[np.bool_]] = []
        parts: list[tuple[Ints, npt.NDArray[np.int8], Floats, Floats]] = []
        for step in steps:
            did = rng.random(len(person)) < np.where(passing, step.passing, step.fitting)
            if step.after >= 0:
                did &= happened[step.after]
            if step.only:
                did &= formats[item] == step.only
            happened.append(did)
            rows = np.flatnonzero(did)
            when = np.floor(time[rows] + step.delay * rng.exponential(1.0, len(rows)))
            code = np.full(len(rows), kinds.index(step.kind), np.int8)
            parts.append((rows, code, when, self._values(step, item[rows], passing[rows], rng)))
        rows, codes, when, values = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(when, kind="stable")
        order = order[when[order] < _END]
        rows = rows[order]
        return Events(person[rows], item[rows], kinds, codes[order], when[order], values[order])

    def _formats(self) -> npt.NDArray[np.str_]:
        table = self.catalogue.table
        return np.array(table["format_en"].to_list() if "format_en" in table.columns else [""] * table.height)

    def _values(self, step: Step, item: Ints, passing: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
        n = len(item)
        if step.value == "seconds":
            share = np.where(passing, rng.beta(0.8, 4, n), rng.beta(2, 1.2, n))
            return np.maximum(np.round(self.catalogue.seconds[item] * share), 1)
        if step.value == "rating":
            return np.clip(np.round(np.where(passing, 3.0, 4.3) + rng.normal(0, 0.8, n)), 1, 5)
        if step.value == "price":
            return self.catalogue.table["price"].to_numpy()[item]
        return np.full(n, np.nan)
