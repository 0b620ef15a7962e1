"""What real logs have too: repeated rows, broken rows and bots."""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.worlds.seasons import START, WEEK_SECONDS

_REPEATED = 0.004
_BROKEN = 0.004
_BOT_EVENTS = 300
_BOT_SECONDS = 90
_FUTURE = datetime(2199, 12, 31, tzinfo=UTC)
_PAST = datetime(1970, 1, 1, tzinfo=UTC)


def bots_for(people: int) -> int:
    """Number of bots in each domain."""
    return max(2, people // 20_000)


def bot_events(
    users: pl.Series, items: pl.Series, weeks: npt.NDArray[np.int64], rng: np.random.Generator
) -> pl.DataFrame:
    """A burst of views of anything, by each of some bots in its week, faster than a person can look."""
    n = _BOT_EVENTS * len(users)
    start = weeks * WEEK_SECONDS + rng.uniform(0, WEEK_SECONDS - _BOT_SECONDS, len(users))
    seconds = START.timestamp() + np.floor(np.repeat(start, _BOT_EVENTS) + rng.uniform(0, _BOT_SECONDS, n))
    return pl.DataFrame(
        {
            c.USER: users.gather(np.repeat(np.arange(len(users)), _BOT_EVENTS)),
            c.ITEM: items.gather(rng.integers(0, len(items), n)),
            c.KIND: pl.Series(["view"] * n, dtype=pl.String),
            c.OCCURRED_AT: (seconds * 1e6).astype(np.int64),
            c.VALUE: pl.Series([None] * n, dtype=pl.Float64),
        },
    ).with_columns(pl.col(c.OCCURRED_AT).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))


def spoil(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Repeat some rows and break others: no user, no item, impossible times and values, unknown words.

    Args:
        frame: user, item, kind, occurred_at, value.
        rng: decides which.
    """
    n = len(frame)
    repeats = 1 + (rng.random(n) < _REPEATED)
    frame = frame[np.repeat(np.arange(n), repeats)]
    fault = np.where(rng.random(len(frame)) < _BROKEN, rng.integers(1, 7, len(frame)), 0)
    broken = pl.Series("fault", fault)
    return frame.with_columns(broken).select(
        pl.when(pl.col("fault") == 1).then(pl.lit("")).otherwise(pl.col(c.USER)).alias(c.USER),
        pl.when(pl.col("fault") == 2).then(pl.lit("")).otherwise(pl.col(c.ITEM)).alias(c.ITEM),
        pl.when(pl.col("fault") == 3).then(pl.lit("debug_ping")).otherwise(pl.col(c.KIND)).alias(c.KIND),
        pl.when(pl.col("fault") == 4)
        .then(_FUTURE)
        .when(pl.col("fault") == 5)
        .then(_PAST)
        .otherwise(pl.col(c.OCCURRED_AT))
        .alias(c.OCCURRED_AT),
        pl.when(pl.col("fault") == 6).then(-1.0).otherwise(pl.col(c.VALUE)).alias(c.VALUE),
    )
