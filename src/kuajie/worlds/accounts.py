"""Accounts: how each domain names people, and the table of links between the names."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.worlds.people import People
from kuajie.worlds.scenarios import PLANS
from kuajie.worlds.seasons import END

Ints = npt.NDArray[np.int64]

_SECOND_SHARE = 0.03  # members of a partner with a second account there
_SECOND_VISITS = 0.3  # share of their events that it gets
_LINKED = 0.9  # pairs of accounts that somebody has linked
_EXPIRED = 0.04
_WRONG = 0.015  # links between strangers, of low confidence
_EVIDENCE = (("phone", 0.75, 0.97, 1.0), ("order_email", 0.17, 0.86, 0.96), ("device", 0.08, 0.5, 0.79))


@dataclass(frozen=True, eq=False)
class Accounts:
    """Accounts of one domain.

    Attributes:
        domain: its name.
        ids: how the domain names them; bots come last.
        first: int64 (people,), number of each person's account, -1: none.
        second: int64 (people,), number of their second account, -1: none.
        bots: numbers of accounts that nobody is behind.
    """

    domain: str
    ids: pl.Series
    first: Ints
    second: Ints
    bots: Ints

    def of(self, persons: Ints, rng: np.random.Generator) -> Ints:
        """The account behind each event of a person."""
        second = self.second[persons]
        elsewhere = (second >= 0) & (rng.random(len(persons)) < _SECOND_VISITS)
        return np.where(elsewhere, second, self.first[persons])

    def table(self) -> pl.DataFrame:
        """User and person (a row of the world; null for bots), one row per account."""
        person = np.full(len(self.ids), -1, np.int64)
        for column in (self.second, self.first):
            owners = np.flatnonzero(column >= 0)
            person[column[owners]] = owners
        return pl.DataFrame({c.USER: self.ids, c.PERSON: person}).with_columns(
            pl.when(pl.col(c.PERSON) >= 0).then(pl.col(c.PERSON)).alias(c.PERSON)
        )


def make_accounts(people: People, domain: str, index: int, bots: int, rng: np.random.Generator) -> Accounts:
    """Name everybody who is in one domain; people who are nowhere are registered with the platform (domain 0)."""
    inside = people.member[:, index] | (~people.member.any(axis=1) if index == 0 else False)
    owners = np.flatnonzero(inside)
    twice = owners[rng.random(len(owners)) < _SECOND_SHARE] if index else owners[:0]
    first, second = np.full(people.n_people, -1), np.full(people.n_people, -1)
    first[owners] = np.arange(len(owners))
    second[twice] = len(owners) + np.arange(len(twice))
    known = len(owners) + len(twice)
    numbers = rng.permutation(3 * (known + bots))[: known + bots] + 10_001
    form = PLANS[domain].user_id
    ids = pl.Series(c.USER, [form.format(number) for number in numbers.tolist()], dtype=pl.String)
    return Accounts(domain, ids, first, second, known + np.arange(bots))


def make_links(platform: Accounts, partner: Accounts, rng: np.random.Generator) -> pl.DataFrame:
    """Links between the platform and one partner: mostly right, some expired, some one-to-many, a few wrong."""
    pairs = [
        _found(platform.first, partner.first, _LINKED, rng),
        _found(platform.first, partner.second, _LINKED, rng),
    ]
    right = np.concatenate(pairs)
    wrong = rng.choice(platform.first[platform.first >= 0], int(_WRONG * len(right)))
    strangers = rng.choice(partner.first[partner.first >= 0], len(wrong))
    kind = rng.choice(len(_EVIDENCE), len(right), p=[share for _, share, _, _ in _EVIDENCE])
    low, high = (np.array([row[at] for row in _EVIDENCE])[kind] for at in (2, 3))
    confidence = np.concatenate([rng.uniform(low, high), rng.uniform(0.3, 0.6, len(wrong))])
    evidence = [_EVIDENCE[number][0] for number in kind] + ["device"] * len(wrong)
    table = pl.DataFrame(
        {
            c.DOMAIN_A: [platform.domain] * len(evidence),
            c.USER_A: platform.ids.gather(np.concatenate([right[:, 0], wrong])),
            c.DOMAIN_B: [partner.domain] * len(evidence),
            c.USER_B: partner.ids.gather(np.concatenate([right[:, 1], strangers])),
            c.CONFIDENCE: confidence.round(3),
            c.EVIDENCE: evidence,
            c.EXPIRES_AT: _expiry(len(evidence), rng),
        }
    )
    return table[rng.permutation(len(table))]


def _found(a: Ints, b: Ints, share: float, rng: np.random.Generator) -> Ints:
    both = np.flatnonzero((a >= 0) & (b >= 0))
    both = both[rng.random(len(both)) < share]
    return np.column_stack([a[both], b[both]])


def _expiry(n: int, rng: np.random.Generator) -> list[datetime | None]:
    """Most links last; some end in years to come, a few have ended already."""
    end = END.astimezone(UTC)
    draw, days = rng.random(n), rng.integers(1, 120, n)
    return [
        end - timedelta(days=int(day))
        if u < _EXPIRED
        else end + timedelta(days=3_650 + int(day)) if u < 0.35 else None
        for u, day in zip(draw.tolist(), days.tolist(), strict=True)
    ]  # fmt: skip
