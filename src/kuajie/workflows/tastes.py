"""Tastes: which categories and brands a history consists of."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kuajie.core import columns as c
from kuajie.core.histories import Histories
from kuajie.data.catalog import Catalog

MOST = 5
Kind = Literal["category", "brand"]


@dataclass(frozen=True)
class Taste:
    """What part of a history, by the strength of its events, is of a category or brand."""

    domain: str
    name: str
    share: float


def tastes(history: Histories, catalog: Catalog, domains: Collection[str], kind: Kind, most: int = MOST) -> list[Taste]:
    """The largest shares, of the history in some domains alone.

    Args:
        history: one row over the catalogue's item space.
        catalog: names what items are of.
        domains: whose items count; shares are of what they hold together.
        kind: of what; items without one count towards the whole.
        most: how many.
    """
    domain_of = catalog.space.domain_of(history.items)
    own = np.isin(domain_of, [place for place, name in enumerate(catalog.space.domains) if name in domains])
    weights = history.weights[own].astype(np.float64)
    whole = float(weights.sum())
    names = catalog.table[c.CATEGORY if kind == "category" else c.BRAND].gather(history.items[own]).to_list()
    summed: dict[tuple[int, str], float] = {}
    for domain, name, weight in zip(domain_of[own].tolist(), names, weights.tolist(), strict=True):
        if name and weight > 0:
            summed[domain, name] = summed.get((domain, name), 0.0) + weight
    best = sorted(summed.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    return [Taste(catalog.space.domains[domain], name, round(weight / whole, 4)) for (domain, name), weight in best]
