"""Duplicates among the events of some accounts: which rows are merged into which.

Exact: every field equal; or the same event id; or the same answer to the same exposure.
Near: the same account, item and kind, at most N seconds after the event before. The first keeps its time; it gets the
last rating, or the largest value of any other kind. Events without a time are never near duplicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c

ACCOUNT, SOURCE = "account", "source"
SAME = (ACCOUNT, c.ITEM, c.KIND)
FIELDS = (*SAME, c.OCCURRED_AT, c.VALUE, c.EVENT_ID, c.EXPOSURE_ID)


@dataclass(frozen=True, eq=False)
class Merged:
    """What is left.

    Attributes:
        events: the kept rows, sorted by account, item, kind, time, source, row.
        exact: int64 (n_sources,), rows of each source merged as exact duplicates.
        near: the same for near duplicates.
    """

    events: pl.DataFrame
    exact: npt.NDArray[np.int64]
    near: npt.NDArray[np.int64]


def merge_duplicates(events: pl.DataFrame, near_seconds: float, n_sources: int) -> Merged:
    """Merge the duplicates.

    Args:
        events: whole accounts: `FIELDS`, `source` (0..n_sources-1), `row`.
        near_seconds: 0: exact ones only.
        n_sources: how many sources there are.
    """
    kept = _first_of_each_id(events)
    fields = [name for name in FIELDS if kept[name].null_count() < max(1, len(kept))]
    kept = kept.sort(*fields, SOURCE, c.ROW)
    kept = kept.filter(~_equals_previous(kept, fields))
    exact = _count(events, n_sources) - _count(kept, n_sources)
    if near_seconds <= 0:
        return Merged(kept, exact, np.zeros(n_sources, np.int64))
    merged = _merge_near(kept.sort(*SAME, c.OCCURRED_AT, SOURCE, c.ROW), near_seconds)
    return Merged(merged, exact, _count(kept, n_sources) - _count(merged, n_sources))


def _count(events: pl.DataFrame, n_sources: int) -> npt.NDArray[np.int64]:
    return np.bincount(events[SOURCE].to_numpy(), minlength=n_sources)


def _first_of_each_id(events: pl.DataFrame) -> pl.DataFrame:
    for key in ((ACCOUNT, c.EVENT_ID), (ACCOUNT, c.EXPOSURE_ID, c.KIND)):
        if events[key[1]].null_count() < len(events):
            events = events.sort(SOURCE, c.ROW)
            events = events.filter(pl.col(key[1]).is_null() | pl.struct(*key).is_first_distinct())
    return events


def _equals_previous(events: pl.DataFrame, fields: Sequence[str]) -> pl.Series:
    same = pl.all_horizontal(*(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in fields))
    return events.select((same & (pl.int_range(pl.len()) > 0)).alias("same"))["same"]


def _merge_near(events: pl.DataFrame, near_seconds: float) -> pl.DataFrame:
    """`events` sorted by SAME, time; every run of near duplicates becomes its first row."""
    gap = pl.col(c.OCCURRED_AT).diff().dt.total_microseconds() <= round(near_seconds * 1e6)
    follows = _equals_previous(events, SAME) & events.select(gap.fill_null(value=False)).to_series()
    if not follows.any():
        return events
    run = (~follows).cum_sum().alias("run")
    inside = follows | follows.shift(-1, fill_value=False)
    value = (
        events.with_columns(run)
        .filter(inside)
        .group_by("run", maintain_order=True)
        .agg(
            pl.when(pl.col(c.KIND).first() == "rate")
            .then(pl.col(c.VALUE).drop_nulls().last())
            .otherwise(pl.col(c.VALUE).max())
            .alias(c.VALUE)
        )[c.VALUE]
    )
    firsts = (inside & ~follows).arg_true()
    values = events[c.VALUE].clone().scatter(firsts, value)
    return events.with_columns(values).filter(~follows)
