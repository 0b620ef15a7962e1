"""Friends and places lend history: what is shown to somebody of whom nothing is known but whom they know and where.

A person with fewer than `below` events borrows, by the mechanism of links that join nobody (`data.identity`):

    from friends          confidence_f = friend_share * w_f / sum of the closest friends' w
    from their place      confidence_p = place_share / number of its most active people, who are `least_people` at least

so that what is borrowed is the weighted mean of what they did. Who did something of their own borrows nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from kuajie.core import columns as c
from kuajie.data.config import SocialConfig
from kuajie.data.identity import BORROWER, LENDER, LENT, Identity

ACCOUNT = "account"


def with_social(
    identity: Identity, accounts: pl.DataFrame, friends: pl.DataFrame, places: pl.DataFrame, config: SocialConfig
) -> Identity:
    """The identity with the loans of friends and places.

    Args:
        identity: who is who.
        accounts: domain, user, events, in the order of the account numbers.
        friends: `tables.LINKS`; both ends may borrow; of repeats the closest counts.
        places: domain, user, place; of repeats the last counts.
        config: shares and limits.
    """
    if friends.is_empty() and places.is_empty():
        return identity
    events = accounts["events"].to_numpy()
    of_person = np.bincount(identity.person, events, minlength=identity.n_people)
    numbers = accounts.select(c.DOMAIN, c.USER, "events").with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias(ACCOUNT),
        pl.Series(c.PERSON, identity.person),
        pl.Series("borrows", of_person[identity.person] < config.below),
    )
    loans = [_of_friends(numbers, friends, config), _of_places(numbers, places, config)]
    lent = pl.concat([identity.lent, *(loan.select(list(LENT)).cast(LENT) for loan in loans)])  # type: ignore[arg-type]
    lent = lent.group_by(BORROWER, LENDER).agg(pl.col(c.CONFIDENCE).max()).sort(BORROWER, LENDER)
    counts = {"friends": len(loans[0]), "places": len(loans[1])}
    return replace(identity, lent=lent, counts={**identity.counts, **counts})


def _of_friends(numbers: pl.DataFrame, friends: pl.DataFrame, config: SocialConfig) -> pl.DataFrame:
    """borrower, lender, confidence: of those of whom nothing is known to friends who did something."""
    ends = friends.join(numbers, left_on=(c.DOMAIN_A, c.USER_A), right_on=(c.DOMAIN, c.USER))
    ends = ends.join(numbers, left_on=(c.DOMAIN_B, c.USER_B), right_on=(c.DOMAIN, c.USER), suffix="_b")
    ways = [
        ends.filter(pl.col(f"borrows{mine}") & (pl.col(f"events{other}") > 0)).select(
            pl.col(f"{ACCOUNT}{mine}").alias(BORROWER),
            pl.col(f"{ACCOUNT}{other}").alias(LENDER),
            pl.col(f"{c.PERSON}{mine}").alias("mine"),
            pl.col(f"{c.PERSON}{other}").alias("other"),
            pl.col(c.CONFIDENCE).alias("weight"),
        )
        for mine, other in (("", "_b"), ("_b", ""))
    ]
    pairs = pl.concat(ways).filter((pl.col("mine") != pl.col("other")) & (pl.col("weight") > 0))
    pairs = pairs.group_by(BORROWER, LENDER).agg(pl.col("weight").max())
    return _closest(pairs, ["weight"], config.most).with_columns(
        (config.friend_share * pl.col("weight") / pl.col("weight").sum().over(BORROWER)).alias(c.CONFIDENCE)
    )


def _of_places(numbers: pl.DataFrame, places: pl.DataFrame, config: SocialConfig) -> pl.DataFrame:
    """borrower, lender, confidence: of those of whom nothing is known to the most active people of their place."""
    if not config.place_share:
        return pl.DataFrame(schema=LENT)
    there = places.unique((c.DOMAIN, c.USER), keep="last", maintain_order=True).join(numbers, on=(c.DOMAIN, c.USER))
    active = there.filter((pl.col("events") > 0) & ~pl.col("borrows"))  # only they hide what one of them did
    active = active.sort("events", ACCOUNT, descending=[True, False]).unique((c.PERSON, "place"), maintain_order=True)
    active = active.filter(pl.len().over("place") >= config.least_people)
    active = _closest(active.with_columns(pl.col("place").alias(BORROWER), pl.col(ACCOUNT).alias(LENDER)), ["events"],
                      max(config.most, config.least_people))  # fmt: skip
    borrowers = there.filter("borrows").select(pl.col(ACCOUNT).alias(BORROWER), "place")
    pairs = borrowers.join(active.select("place", LENDER), on="place")
    return pairs.with_columns((config.place_share / pl.len().over(BORROWER)).alias(c.CONFIDENCE))


def _closest(pairs: pl.DataFrame, by: Sequence[str], most: int) -> pl.DataFrame:
    """The first of each borrower, largest first; equal ones by number."""
    ordered = pairs.sort(BORROWER, *by, LENDER, descending=[False, *(True for _ in by), False])
    return ordered.filter(pl.int_range(pl.len()).over(BORROWER) < most)
