"""Accounts with extreme rates of events: bots, scrapers, test accounts. They are flagged, not removed."""

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.data.config import CleaningConfig
from kuajie.data.duplicates import ACCOUNT

PER_MINUTE, PER_DAY = "events_per_minute", "events_per_day"
MINUTE = 60 * 1_000_000
DAY = 86_400 * 1_000_000


def flag_rates(events: pl.DataFrame, fine: pl.Expr, config: CleaningConfig) -> pl.DataFrame:
    """Accounts to flag: `account`, `flag` (the rules that they break, separated by a space).

    Args:
        events: whole accounts; `account`, `domain`, `occurred_at`.
        fine: over `events`: whether the source's times are finer than a day, else no minute is known.
        config: the limits.
    """
    timed = events.select(ACCOUNT, pl.col(c.OCCURRED_AT).dt.timestamp("us").alias("t"), fine.alias("fine"))
    timed = timed.filter(pl.col("t").is_not_null())
    busy = (
        timed.group_by(ACCOUNT)
        .len()
        .filter(pl.col("len") > min(config.flag_events_per_minute, config.flag_events_per_day))
    )
    timed = timed.join(busy.select(ACCOUNT), on=ACCOUNT, how="semi").sort(ACCOUNT, "t")
    account, time = timed[ACCOUNT].to_numpy(), timed["t"].to_numpy()
    minute = _crowded(account, time, config.flag_events_per_minute, timed["fine"].to_numpy())
    daily = timed.group_by(ACCOUNT, (pl.col("t") // DAY).alias("day")).len()
    day = daily.filter(pl.col("len") > config.flag_events_per_day)[ACCOUNT].unique()
    rules = [
        pl.DataFrame(
            {ACCOUNT: accounts, "flag": [rule] * len(accounts)}, {ACCOUNT: timed[ACCOUNT].dtype, "flag": pl.String}
        )
        for rule, accounts in ((PER_MINUTE, minute), (PER_DAY, day.to_numpy()))
    ]
    return pl.concat(rules).group_by(ACCOUNT, maintain_order=True).agg(pl.col("flag").str.join(" "))


def _crowded(
    account: npt.NDArray[np.integer], time: npt.NDArray[np.int64], limit: int, fine: npt.NDArray[np.bool_]
) -> npt.NDArray[np.integer]:
    """Accounts with more than `limit` events in some 60 seconds; sorted by account and time."""
    if len(account) <= limit:
        return account[:0]
    close = (account[limit:] == account[:-limit]) & (time[limit:] - time[:-limit] < MINUTE) & fine[limit:]
    return np.unique(account[limit:][close])
