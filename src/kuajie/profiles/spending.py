"""What people pay: from purchases alone. What somebody looks at says nothing of what they can spend.

What is paid stays apart by domain: two companies may count in two currencies, and who sees one domain alone must
compare its sums with its own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.space import ItemSpace
from kuajie.data.catalog import Catalog
from kuajie.data.kinds import KINDS
from kuajie.data.strength import Events

Numbers = npt.NDArray[np.float64]
TIERS = ("low", "middle", "high")
FEWEST = 5
"""Prices that make a scale; with fewer in a category the domain's is used."""


@dataclass(frozen=True, eq=False)
class Spending:
    """Of each person, and where it says so of each domain.

    Attributes:
        purchases: (n, domains), how many.
        spent: (n, domains), their values together: what the event says, else the price of the item, else nothing.
        last: unix seconds of the last purchase (n, domains), NaN where there is none or no time.
        bought_level: (n,), mean place (0..1) of the bought items' prices among those of their category; NaN.
        used_level: (n,), the same of everything that was used.
        priced: (n,), used items with such a place.
    """

    purchases: Numbers
    spent: Numbers
    last: Numbers
    bought_level: Numbers
    used_level: Numbers
    priced: Numbers


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices of a catalogue.

    Attributes:
        space: of the items.
        price: float64 (n_items,), NaN where there is none.
        place: float64 (n_items,), the place among the prices of the category, see `price_places`.
    """

    space: ItemSpace
    price: Numbers
    place: Numbers

    @classmethod
    def of(cls, catalog: Catalog) -> "Prices":
        """Read a catalogue."""
        price = catalog.table[c.PRICE].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return cls(catalog.space, price, price_places(catalog))


def spending(events: Events, n: int, prices: Prices) -> Spending:
    """What n people pay, of events of rows 0..n-1."""
    bought = events.where(events.kind == KINDS.index("purchase"))
    value = np.where(np.isnan(bought.value), prices.price[bought.item], bought.value)
    shape = n, len(prices.space.domains)
    cell = bought.row.astype(np.int64) * shape[1] + prices.space.domain_of(bought.item)
    last = np.full(n * shape[1], np.nan)
    np.fmax.at(last, cell, bought.time)

    def counted(weights: Numbers | None = None) -> Numbers:
        return np.bincount(cell, weights, minlength=len(last)).astype(np.float64).reshape(shape)

    places = prices.place
    priced = np.bincount(events.row[~np.isnan(places[events.item])], minlength=n)
    return Spending(
        purchases=counted(),
        spent=counted(np.nan_to_num(value)),
        last=last.reshape(shape),
        bought_level=_means(bought, places, n),
        used_level=_means(events, places, n),
        priced=priced.astype(np.float64),
    )


def price_places(catalog: Catalog) -> Numbers:
    """The place of each item's price among those of its category, 0 (cheapest) to 1; of its domain where these are few.

    float64 (n_items,), NaN without a price.
    """
    price = pl.col(c.PRICE).fill_nan(None)
    table = catalog.table.select(c.DOMAIN, c.CATEGORY, price)

    def place(*groups: str) -> pl.Expr:
        return ((pl.col(c.PRICE).rank() - 0.5) / pl.col(c.PRICE).count()).over(*groups)

    enough = pl.col(c.PRICE).count().over(c.DOMAIN, c.CATEGORY) >= FEWEST
    whole = pl.col(c.PRICE).count().over(c.DOMAIN) >= FEWEST
    scale = pl.when(enough).then(place(c.DOMAIN, c.CATEGORY)).when(whole).then(place(c.DOMAIN))
    return table.select(scale.cast(pl.Float64).fill_null(float("nan"))).to_series().to_numpy()


def tier_bounds(spent: Numbers, purchases: Numbers) -> tuple[float, float] | None:
    """Thirds of those who paid in a domain: what is spent there at least in the middle and in the high tier.

    Args:
        spent: of each person in the domain (n,).
        purchases: how many (n,).

    Returns:
        None where nobody paid.
    """
    paying = spent[(purchases > 0) & (spent > 0)]
    if not len(paying):
        return None
    low, high = np.quantile(paying, [1 / 3, 2 / 3]).tolist()
    return low, high


def tier_of(spent: float, bounds: tuple[float, float]) -> str:
    """The value tier in a domain of somebody who bought something there."""
    return TIERS[int(spent >= bounds[0]) + int(spent >= bounds[1])]


def _means(events: Events, places: Numbers, n: int) -> Numbers:
    place = places[events.item]
    has = ~np.isnan(place)
    counts = np.bincount(events.row[has], minlength=n)
    sums = np.bincount(events.row[has], weights=place[has], minlength=n)
    found: Numbers = np.divide(sums, counts, out=np.full(n, np.nan), where=counts > 0)
    return found
