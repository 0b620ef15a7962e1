"""Which item a visit goes to: exact probabilities, and draws from them.

A visit follows one interest; given interest, buying tier and week, the item is drawn by

    P(item | interest, tier, week) ~ answers(interest, item) * popularity(item, week) * tier match

and the chance of an item for a person is the mixture over the interests that the visit may follow. The last
"interest", number K, is passing by: everything is answered by its popularity. The mixture is the oracle.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.worlds.catalogue import Catalogue
from kuajie.worlds.people import BUYING_TIERS, People, TasteSettings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TIER_MATCH = np.array([[1.0, 0.45, 0.15], [0.5, 1.0, 0.5], [0.15, 0.5, 1.0]])  # (buying tier, price tier)
_BELOW_ONE = 1 - 1e-12  # a number group + uniform must not round up into the next group
_PASSING_POWER = 1.15  # the charts show the popular a little more


@dataclass(frozen=True, eq=False)
class WeekTable:
    """P(item | interest, tier) of one week, as one cumulative line.

    Attributes:
        items: int64, item of each entry.
        cumulative: float64, group number + cumulative probability inside the group; ascending.
        groups: int64 (tiers, K + 1), number of each (tier, interest); interests without items point to passing by.
    """

    items: Ints
    cumulative: Floats
    groups: Ints

    def draw(self, tier: Ints, interest: Ints, uniforms: Floats) -> Ints:
        """One item for each visit."""
        place = np.searchsorted(self.cumulative, self.groups[tier, interest] + uniforms * _BELOW_ONE, side="right")
        return self.items[place]


def week_table(catalogue: Catalogue, n_topics: int, week: int) -> WeekTable:
    """The item chances of one week."""
    groups, items, weights = _entries(catalogue, n_topics, week)
    total = np.bincount(groups, weights, BUYING_TIERS * (n_topics + 1))
    cumulative = np.cumsum(weights / total[groups])
    ends = np.searchsorted(groups, np.arange(len(total)), side="right")
    before = np.concatenate([[0.0], cumulative])[np.searchsorted(groups, groups)]
    inside = cumulative - before
    last = ends[np.diff(np.concatenate([[0], ends])) > 0] - 1
    inside[last] = 1.0  # rounding must not leave a gap before the next group
    table = np.arange(len(total)).reshape(BUYING_TIERS, n_topics + 1)
    filled = (total > 0).reshape(table.shape)
    return WeekTable(items, groups + inside, np.where(filled, table, table[:, -1:]))


def week_matrix(catalogue: Catalogue, n_topics: int, week: int) -> Floats:
    """P(item | tier, interest): (tiers, K + 1, items), rows sum to 1."""
    groups, items, weights = _entries(catalogue, n_topics, week)
    dense = np.zeros((BUYING_TIERS * (n_topics + 1), catalogue.n_items))
    dense[groups, items] = weights
    chances: Floats = dense.reshape(BUYING_TIERS, n_topics + 1, -1)
    empty = chances.sum(axis=2) == 0
    chances[empty] = np.broadcast_to(chances[:, -1:], chances.shape)[empty]
    chances /= chances.sum(axis=2, keepdims=True)
    return chances


def _entries(catalogue: Catalogue, n_topics: int, week: int) -> tuple[Ints, Ints, Floats]:
    topic, item, strength = catalogue.answers
    popularity = catalogue.popularity_at(week)
    topic = np.concatenate([topic, np.full(catalogue.n_items, n_topics)])
    item = np.concatenate([item, np.arange(catalogue.n_items)])
    weight = np.concatenate([strength * popularity[item[: len(strength)]], popularity**_PASSING_POWER])
    kept = weight > 0
    topic, item, weight = topic[kept], item[kept], weight[kept]
    tiers = np.arange(BUYING_TIERS)[:, None]
    groups = (tiers * (n_topics + 1) + topic).ravel()
    weights = (weight * _TIER_MATCH[tiers, catalogue.tier[item]]).ravel()
    return groups, np.tile(item, BUYING_TIERS), weights


def interest_chances(
    people: People, persons: Ints, domain: int, weeks: Ints, seasons: Floats, settings: TasteSettings
) -> tuple[Ints, Floats]:
    """Which interest a visit follows.

    Args:
        people: everybody.
        persons: one person for each visit (n,).
        domain: index of the domain.
        weeks: week of each visit (n,).
        seasons: draw of each topic in each week (topics, weeks).
        settings: how tastes are spread.

    Returns:
        interests and their chances, both (n, s + 2): shared ones, the domain's own, passing by; rows sum to 1.
    """
    shared = people.interests[persons].astype(np.int64)
    moment = weeks[:, None] / settings.wave_weeks + people.phase[persons]
    weight = people.weights[persons] * people.tilt[persons, domain] * np.exp(settings.wave * np.cos(2 * np.pi * moment))
    weight *= seasons[shared, weeks[:, None]]
    weight /= weight.sum(axis=1, keepdims=True)
    n = len(persons)
    own, passing = settings.own_share, settings.passing_share
    interests = np.column_stack([shared, people.own[persons, domain], np.full(n, len(seasons))])
    chances = np.column_stack([weight * (1 - own - passing), np.full(n, own), np.full(n, passing)])
    return interests, chances
