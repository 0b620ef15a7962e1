"""Accounts, links and keys of an import -> people, by the method that the workspace configures."""

from datetime import datetime

import polars as pl

from kuajie.core import columns as c
from kuajie.data.config import IdentityConfig
from kuajie.data.hashing import KeyHasher
from kuajie.data.identity import Identity, by_keys, by_links, by_shared_ids, valid_links
from kuajie.data.tables import Tables


def resolve(
    accounts: pl.DataFrame, tables: Tables, config: IdentityConfig, hasher: KeyHasher | None, as_of: datetime
) -> Identity:
    """Who is who.

    Args:
        accounts: domain, user, in the order of the account numbers; with every end of a link.
        tables: links and keys.
        config: the method.
        hasher: for the method `hashed`.
        as_of: links must be valid then.
    """
    numbers = accounts.select(c.DOMAIN, c.USER).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("account"))
    if hasher is not None:
        return by_keys(accounts, hashed_keys(numbers, tables.users, hasher, config.hashed_domains))
    if config.method == "shared":
        return by_shared_ids(accounts)
    valid = valid_links(tables.links, as_of)
    ends = valid.join(numbers, left_on=(c.DOMAIN_A, c.USER_A), right_on=(c.DOMAIN, c.USER))
    ends = ends.join(numbers, left_on=(c.DOMAIN_B, c.USER_B), right_on=(c.DOMAIN, c.USER), suffix="_b")
    pairs = ends.select(a="account", b="account_b", confidence=c.CONFIDENCE)
    found = by_links(accounts, pairs, config.min_confidence, config.lend_confidence)
    expired = len(tables.links) - len(valid)
    return Identity(found.person, found.lent, {"rows": len(tables.links), "expired": expired, **found.counts})


def hashed_keys(
    numbers: pl.DataFrame, users: pl.DataFrame, hasher: KeyHasher, hashed_domains: tuple[str, ...]
) -> pl.DataFrame:
    """The hashed key of each account that has one: account, key.

    A domain whose tables of users list no keys uses its ids as keys.

    Args:
        numbers: domain, user, account.
        users: domain, user, key.
        hasher: holds the secret.
        hashed_domains: their keys are hashes already.
    """
    listed = users.filter(pl.col("key").is_not_null())
    own = numbers.filter(~pl.col(c.DOMAIN).is_in(listed[c.DOMAIN].unique().to_list()))
    own = own.with_columns(pl.col(c.USER).alias("key"))
    names = ["account", c.DOMAIN, "key"]
    keyed = pl.concat([numbers.join(listed, on=(c.DOMAIN, c.USER)).select(names), own.select(names)])
    arrived = pl.col(c.DOMAIN).is_in(list(hashed_domains))
    ready = keyed.filter(arrived).with_columns(pl.col("key").str.strip_chars().str.to_lowercase())
    raw = keyed.filter(~arrived)
    hashed = raw.with_columns(pl.Series("key", hasher.hashes(raw["key"]), pl.String))
    return pl.concat([ready, hashed]).select("account", "key")
