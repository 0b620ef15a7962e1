"""How many people the domains share, and how much history they have."""

from itertools import combinations

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.records import Record
from kuajie.core.texts import Text
from kuajie.data.identity import Identity

FEW = 100  # people with events on both sides below which results across the two are weak


class PairOverlap(Record, frozen=True):
    """Two domains.

    Attributes:
        a, b: the domains.
        people: with an account in both.
        active: with an event in both.
        share_a, share_b: `people` per person of the domain.
        median_events_a, median_events_b: of the active people.
    """

    a: str
    b: str
    people: int
    active: int
    share_a: float
    share_b: float
    median_events_a: float
    median_events_b: float


class OverlapReport(Record, frozen=True):
    """Who is who, counted.

    Attributes:
        method: shared, links or hashed.
        people: all of them.
        linked_people: with accounts in at least two domains.
        people_of: of each domain.
        pairs: every two domains.
        links: what became of the links; empty for shared ids.
        warnings: sentences for a person.
    """

    method: str
    people: int
    linked_people: int
    people_of: dict[str, int]
    pairs: tuple[PairOverlap, ...]
    links: dict[str, int] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def texts(self) -> list[Text]:
        """The warnings, to be said in any language."""
        return _warnings(self.pairs)


def overlap_report(accounts: pl.DataFrame, identity: Identity, domains: list[str], method: str) -> OverlapReport:
    """Count.

    Args:
        accounts: domain, user, events; in the order of the account numbers.
        identity: of these accounts.
        domains: in order.
        method: how identity was found.
    """
    place = accounts[c.DOMAIN].replace_strict(domains, list(range(len(domains))), return_dtype=pl.Int64).to_numpy()
    known = np.zeros((identity.n_people, len(domains)), bool)
    known[identity.person, place] = True
    events = np.zeros((identity.n_people, len(domains)), np.int64)
    np.add.at(events, (identity.person, place), accounts["events"].to_numpy())
    pairs = tuple(_pair(domains, i, j, known, events) for i, j in combinations(range(len(domains)), 2))
    return OverlapReport(
        method=method,
        people=identity.n_people,
        linked_people=int((known.sum(axis=1) > 1).sum()),
        people_of={name: int(known[:, number].sum()) for number, name in enumerate(domains)},
        pairs=pairs,
        links=identity.counts,
        warnings=tuple(map(str, _warnings(pairs))),
    )


def _pair(
    domains: list[str], i: int, j: int, known: npt.NDArray[np.bool_], events: npt.NDArray[np.int64]
) -> PairOverlap:
    both = known[:, i] & known[:, j]
    active = (events[:, i] > 0) & (events[:, j] > 0)
    medians = [float(np.median(events[active, k])) if active.any() else 0.0 for k in (i, j)]
    people = int(both.sum())
    return PairOverlap(
        a=domains[i],
        b=domains[j],
        people=people,
        active=int(active.sum()),
        share_a=people / max(1, int(known[:, i].sum())),
        share_b=people / max(1, int(known[:, j].sum())),
        median_events_a=medians[0],
        median_events_b=medians[1],
    )


def _warnings(pairs: tuple[PairOverlap, ...]) -> list[Text]:
    warnings = []
    for pair in pairs:
        if not pair.active:
            warnings.append(
                Text(
                    "{a} and {b} share no person with events in both: nothing can be learned from one for the "
                    "other. Check the identity settings, or bring a table of links.",
                    a=pair.a,
                    b=pair.b,
                )
            )
        elif pair.active == 1:
            warnings.append(
                Text(
                    "{a} and {b} share only one person with events in both: results across them are "
                    "weak. Bring more links or a longer history.",
                    a=pair.a,
                    b=pair.b,
                )
            )
        elif pair.active < FEW:
            warnings.append(
                Text(
                    "{a} and {b} share only {count} people with events in both: results across them are "
                    "weak. Bring more links or a longer history.",
                    a=pair.a,
                    b=pair.b,
                    count=pair.active,
                )
            )
    return warnings
