"""Which accounts are one person, and who lends history to whom.

A person is the accounts joined by one-to-one links of enough confidence. One-to-one: of all such links, neither side
has a second one into the other's domain. A component with two accounts of one domain is not merged. A link that is
valid but joins nobody lends: each side's history counts for the other, times the confidence.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from kuajie.core import columns as c

BORROWER, LENDER = "borrower", "lender"
LENT = {BORROWER: pl.Int32(), LENDER: pl.Int32(), c.CONFIDENCE: pl.Float64()}
CROWDED_KEY = 20  # accounts; a key shared by more says nothing about a person (a switchboard, a test number)

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Identity:
    """Who is who.

    Attributes:
        person: int32 (n_accounts,), numbered by their first account.
        lent: borrower, lender (account numbers), confidence; both ways of every link that joins nobody.
        counts: what became of the links.
    """

    person: npt.NDArray[np.int32]
    lent: pl.DataFrame
    counts: dict[str, int]

    @property
    def n_people(self) -> int:
        """How many people there are."""
        return int(self.person.max(initial=-1)) + 1


def by_shared_ids(accounts: pl.DataFrame) -> Identity:
    """Equal ids in different domains are one person. `accounts`: domain, user; every pair once."""
    return Identity(_numbered(_codes(accounts[c.USER])), pl.DataFrame(schema=LENT), {})


def by_keys(accounts: pl.DataFrame, keys: pl.DataFrame) -> Identity:
    """Equal keys are links; a key with n accounts in a domain lends 1 / n of each.

    Args:
        accounts: domain, user, in the order of the account numbers.
        keys: account, key.
    """
    domain = _codes(accounts[c.DOMAIN])
    keyed = keys.with_columns(pl.len().over("key").alias("n"))
    shared = keyed.filter((pl.col("n") > 1) & (pl.col("n") <= CROWDED_KEY)).select("account", "key")
    shared = shared.with_columns(pl.Series("d", domain[shared["account"].to_numpy()]))
    shared = shared.with_columns(pl.len().over("key", "d").alias("share"))
    pairs = shared.join(shared, on="key").filter(
        (pl.col("account") < pl.col("account_right")) & (pl.col("d") != pl.col("d_right"))
    )
    links = pairs.select(
        a="account", b="account_right", confidence=1.0 / pl.max_horizontal("share", "share_right").cast(pl.Float64)
    )
    crowded = keyed.filter(pl.col("n") > CROWDED_KEY)["key"].n_unique()
    found = by_links(accounts, links, 1.0, 0.0)
    return Identity(found.person, found.lent, {**found.counts, "crowded_keys": crowded})


def valid_links(links: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Links that have not expired; a link is valid until the moment it names, that moment left out."""
    return links.filter(pl.col(c.EXPIRES_AT).is_null() | (pl.col(c.EXPIRES_AT) > as_of))


def by_links(accounts: pl.DataFrame, links: pl.DataFrame, min_confidence: float, lend_confidence: float) -> Identity:
    """Merge by one-to-one links, lend by the others.

    Args:
        accounts: domain, user, in the order of the account numbers.
        links: a, b (account numbers), confidence; valid ones; the surest of repeats counts.
        min_confidence: of links that merge.
        lend_confidence: of links that lend.
    """
    domain = _codes(accounts[c.DOMAIN])
    low, high = pl.min_horizontal("a", "b"), pl.max_horizontal("a", "b")
    pairs = links.group_by(low.alias("a"), high.alias("b")).agg(pl.col(c.CONFIDENCE).max()).sort("a", "b")
    a, b = pairs["a"].to_numpy().astype(np.int64), pairs["b"].to_numpy().astype(np.int64)
    confidence = pairs[c.CONFIDENCE].to_numpy()
    strong = (confidence >= min_confidence) & (domain[a] != domain[b])
    single = strong.copy()
    single[strong] = _one_to_one(a[strong], b[strong], domain)
    root, refused = _components(a[single], b[single], domain)
    merged = single & ~refused[a]
    person = _numbered(root)
    lends = ~merged & (confidence >= lend_confidence) & (person[a] != person[b])
    lent = pl.DataFrame(
        {
            BORROWER: np.concatenate([a[lends], b[lends]]),
            LENDER: np.concatenate([b[lends], a[lends]]),
            c.CONFIDENCE: np.concatenate([confidence[lends]] * 2),
        },
        schema=LENT,
    ).sort(BORROWER, LENDER)
    counts = {
        "links": len(pairs),
        "merged": int(merged.sum()),
        "lent": int(lends.sum()),
        "one_to_many": int((strong & ~single).sum()),
        "two_of_one_domain": int((single & refused[a]).sum()),
        "too_weak": int((confidence < lend_confidence).sum()),
    }
    return Identity(person, lent, counts)


def _one_to_one(a: Numbers, b: Numbers, domain: Numbers) -> npt.NDArray[np.bool_]:
    """Whether each link is the only one of either side into the other's domain."""
    n_domains = int(domain.max(initial=0)) + 1
    ends = np.concatenate([a * n_domains + domain[b], b * n_domains + domain[a]])
    _, place, counts = np.unique(ends, return_inverse=True, return_counts=True)
    alone = counts[place] == 1
    return np.asarray(alone[: len(a)] & alone[len(a) :])


def _components(a: Numbers, b: Numbers, domain: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """For each account the first account of its person, and whether its component was not merged."""
    n = len(domain)
    graph = sparse.coo_array((np.ones(len(a), bool), (a, b)), shape=(n, n))
    from scipy.sparse.csgraph import connected_components  # slow to load, and only imports ask

    _, label = connected_components(graph, directed=False)
    n_domains = int(domain.max(initial=0)) + 1
    seats, counts = np.unique(label.astype(np.int64) * n_domains + domain, return_counts=True)
    doubled = np.zeros(int(label.max(initial=-1)) + 1, bool)
    doubled[seats[counts > 1] // n_domains] = True
    refused = doubled[label]
    first = np.full(len(doubled), n, np.int64)
    np.minimum.at(first, label, np.arange(n))
    return np.where(refused, np.arange(n), first[label]), refused


def _codes(values: pl.Series) -> Numbers:
    return values.rank("dense").cast(pl.Int64).to_numpy() - 1 if len(values) else np.empty(0, np.int64)


def _numbered(group: Numbers) -> npt.NDArray[np.int32]:
    """Numbers 0, 1, ... of groups, in the order of their first members."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse]
