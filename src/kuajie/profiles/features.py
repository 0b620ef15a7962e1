"""Features of people: what segments are found by, and what a ranker may read.

Point in time: an event at or after `at` of its person is left out, as in `JointDataset.interactions`; events without a
time are kept. An audience that was fitted on later events knows the future: give one that was fitted before `at`.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.histories import Histories
from kuajie.data.catalog import Catalog
from kuajie.data.config import StrengthConfig
from kuajie.data.kinds import KINDS
from kuajie.data.strength import DAY, Events, strength
from kuajie.profiles.activity import Activity, activity
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.habits import Habits, habits
from kuajie.profiles.spending import Prices, Spending, spending

F32 = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class People:
    """What the events of some people say, all at once.

    Attributes:
        used: float32 CSR (n, n_items), 1 for each distinct item that was used and not disliked.
        used_last: unix seconds (n,) of the newest such event; NaN.
        habits, activity, spending: see there.
    """

    used: sparse.csr_array
    used_last: Numbers
    habits: Habits
    activity: Activity
    spending: Spending

    @property
    def items(self) -> Numbers:
        """Distinct used items of each person (n,)."""
        found: Numbers = np.diff(self.used.indptr).astype(np.float64)
        return found


def people_of(
    events: Events,
    n: int,
    catalog: Catalog,
    at: float | Numbers,
    config: ProfilesConfig,
    rules: StrengthConfig | None = None,
    prices: Prices | None = None,
) -> People:
    """What the events of n people say.

    Args:
        events: rows 0..n-1, oldest first in each.
        n: people.
        catalog: the items.
        at: unix seconds, now; one for all, or one of each person (n,). Later events are left out.
        config: time zone, pauses, stages.
        rules: what a dislike is, and how many seconds are all of a thing.
        prices: of the catalogue, where they were read before.
    """
    rules = rules or StrengthConfig()
    moments = np.broadcast_to(np.asarray(at, np.float64), n)
    events = events.where(~(events.time >= moments[events.row]))
    liked = events.where(strength(events, float(moments.max(initial=0.0)), rules) > 0)
    used = sparse.csr_array(
        (np.ones(len(liked), np.float32), (liked.row.astype(np.int64), liked.item)), shape=(n, catalog.space.n_items)
    )
    used.sum_duplicates()
    used.data[:] = 1
    last = np.full(n, np.nan)
    np.fmax.at(last, liked.row, liked.time)
    return People(
        used=used,
        used_last=last,
        habits=habits(events, n, config, rules),
        activity=activity(events, n, moments, config.life_cycle),
        spending=spending(liked, n, prices or Prices.of(catalog)),
    )


def events_of(histories: Histories) -> Events:
    """The entries of histories as events, where there is nothing more than histories: views of weight above 0."""
    kept = histories.weights > 0
    n = int(kept.sum())
    times = np.full(len(kept), np.nan) if histories.times is None else histories.times
    return Events(
        row=histories.rows()[kept],
        item=histories.items[kept],
        kind=np.full(n, KINDS.index("view"), np.uint8),
        time=times[kept],
        value=np.full(n, np.nan),
    )


def behaviour_features(people: People, catalog: Catalog, at: float | Numbers) -> tuple[F32, tuple[str, ...]]:
    """Habits, activity and prices as columns: float32 (n, d), NaN where unknown, and their names."""
    seen, used, paid = people.activity, people.habits, people.spending
    n = len(seen.events)
    now = np.broadcast_to(np.asarray(at, np.float64), n)
    hours = used.hours @ np.exp(2j * np.pi * (np.arange(24) + 0.5) / 24)
    columns = {
        "items": np.log1p(people.items),
        "events": np.log1p(seen.events),
        "active_days": np.log1p(seen.days),
        "days_since_last": np.log1p(np.maximum(0, now - seen.last) / DAY),
        "days_since_first": np.log1p(np.maximum(0, now - seen.first) / DAY),
        "recent_events": np.log1p(seen.recent),
        "trend": np.log1p(seen.recent) - np.log1p(seen.before),
        "weekend_share": _share(used.weekend, used.dated),
        "hour_cos": _share(hours.real, used.timed),
        "hour_sin": _share(hours.imag, used.timed),
        "sessions": np.log1p(used.sessions),
        "session_minutes": np.log1p(used.minutes),
        "finished_share": _share(used.finished, used.started),
        "price_level": paid.used_level,
        "bought_price_level": paid.bought_level,
        "purchases": np.log1p(paid.purchases.sum(axis=1)),
    }
    spent = np.log1p(np.maximum(0, paid.spent))
    columns |= {f"spent.{name}": spent[:, place] for place, name in enumerate(catalog.space.domains)}
    domains = domain_counts(people, catalog)
    total = domains.sum(axis=1)
    columns |= {f"domain.{name}": _share(domains[:, place], total) for place, name in enumerate(catalog.space.domains)}
    return np.column_stack(list(columns.values())).astype(np.float32), tuple(columns)


def domain_counts(people: People, catalog: Catalog) -> Numbers:
    """Distinct used items of each person in each domain: (n, domains)."""
    offsets = catalog.space.offsets
    return np.column_stack(
        [np.diff(people.used[:, start:stop].indptr).astype(np.float64) for start, stop in pairwise(offsets)]
    )


def _share(part: Numbers, whole: Numbers) -> Numbers:
    found: Numbers = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return found
