"""What lists are like beside right and varied: whose topics, whose brands, and how popular what they show is.

Lists are as in `evaluation.lists`: int32 rows of item numbers, best first, -1 where a list is shorter. Groups are
sparse rows of items that sum to 1 (topics) or one code for each item (brands).
"""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.evaluation.lists import Floats, Lists, shown

Codes = npt.NDArray[np.int32]
ALPHA = 0.01


def group_shares(lists: Lists, groups: sparse.csr_array) -> sparse.csr_array:
    """Mean share of each group over the items of each list: CSR (n_lists, n_groups); items without any count too."""
    rows, columns = np.nonzero(lists >= 0)
    sizes = np.bincount(rows, minlength=len(lists))
    weights = 1.0 / sizes[rows]
    member = sparse.csr_array((weights, (rows, lists[rows, columns])), shape=(len(lists), groups.shape[0]))
    return sparse.csr_array(member @ groups)


def topics(lists: Lists, groups: sparse.csr_array) -> float:
    """Mean number of different groups in a list; NaN without lists."""
    counts = np.diff(group_shares(lists, groups).indptr)
    return float(counts.mean()) if len(counts) else float("nan")


def miscalibration(lists: Lists, groups: sparse.csr_array, wanted: sparse.csr_array, alpha: float = ALPHA) -> float:
    """Mean KL(p, (1 - alpha) q + alpha p) in nats: p is what a history is made of, q what the list is.

    Args:
        lists: (n, k).
        groups: (n_items, n_groups).
        wanted: (n, n_groups), p; people whose row is empty are left out.
        alpha: as in the source.

    Source: Steck (2018), "Calibrated recommendations", equations 2 and 3.
    """
    q = group_shares(lists, groups)
    p = wanted.tocoo()
    row, column = p.coords
    known = p.data > 0
    row, column, share = row[known], column[known], p.data[known]
    if not len(row):
        return float("nan")
    reached = (1 - alpha) * np.asarray(q[row, column]).ravel() + alpha * share
    costs = np.bincount(row, share * np.log(share / reached), minlength=len(lists))
    asked = np.unique(row)
    return float(costs[asked].mean())


def mean_support(lists: Lists, support: Floats) -> float:
    """Mean number of people who used what is shown; NaN where nothing is."""
    items = lists[lists >= 0]
    return float(support[items].mean()) if len(items) else float("nan")


def share_of(lists: Lists, chosen: npt.NDArray[np.bool_]) -> float:
    """Part of the shown places that go to some items, such as the tail: `chosen` (n_items,)."""
    items = lists[lists >= 0]
    return float(chosen[items].mean()) if len(items) else float("nan")


def tail_of(support: Floats, head: float = 0.8) -> npt.NDArray[np.bool_]:
    """The items outside of the smallest set that holds `head` of all use: (n_items,).

    Source: Abdollahpouri et al. (2019), section 4: the long tail are items with the last 20 % of the ratings.
    """
    order = np.argsort(-support, kind="stable")
    before = np.cumsum(support[order]) - support[order]
    tail = np.empty(len(support), bool)
    tail[order] = before >= head * support.sum()
    return tail


def most_of_one(lists: Lists, codes: Codes) -> float:
    """Mean share of a list that its most frequent label holds; items without a label are one each."""
    filled = lists >= 0
    values = np.where(filled, codes[lists], -1)
    alone = filled & (values < 0)
    values = np.where(alone, -2 - np.arange(lists.shape[1]), values)
    same = (values[:, :, None] == values[:, None, :]) & filled[:, :, None] & filled[:, None, :]
    sizes = filled.sum(axis=1)
    if not sizes.any():
        return float("nan")
    most = same.sum(axis=2).max(axis=1, initial=0)
    return float((most[sizes > 0] / sizes[sizes > 0]).mean())


def provider_shares(lists: Lists, codes: Codes, n_providers: int) -> tuple[Floats, Floats]:
    """What share of the shown places, and of the catalogue, each provider has: (n_providers,) each."""
    counts = shown(lists, len(codes))
    known = codes >= 0
    places = np.bincount(codes[known], counts[known], minlength=n_providers)
    items = np.bincount(codes[known], minlength=n_providers).astype(np.float64)
    return places / max(1, counts.sum()), items / max(1.0, items.sum())


def floors_kept(lists: Lists, codes: Codes, n_providers: int, guarantee: float = 0.5) -> float:
    """How much of what providers are guaranteed they get: 1 where each has its floor.

    sum_b min(share_b, floor_b) / sum_b floor_b,   floor_b = guarantee * share of the catalogue
    """
    got, owned = provider_shares(lists, codes, n_providers)
    floors = guarantee * owned
    return float(np.minimum(got, floors).sum() / floors.sum()) if floors.sum() > 0 else float("nan")
