"""What recommended lists are like besides being right: how much of the catalogue they show, and how varied they are.

A list is a row of int32 item numbers inside one domain, best first, -1 where it is shorter than k.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.histories import Interactions
from kuajie.evaluation.ranking import BATCH_BYTES, Score, checked
from kuajie.evaluation.tasks import RankingTask
from kuajie.numerics.topk import top_k

Lists = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
K = 10
MOST_LISTS = 2_000
"""Lists are made for so many people of a task at most."""
MOST_NEIGHBOURS = 20_000
"""Likeness of two items is read from the rows of so many people at most: popular items have a hundred thousand."""
PAIRS_AT_ONCE = 200
"""Lists whose items' people are added up at a time."""


@dataclass(frozen=True, eq=False)
class ListSample:
    """Some people of a task, for whom every model makes a list, and what the lists are judged by.

    Attributes:
        task: one row of each person.
        support: float64 (n_items,), distinct people who used each item of the target in training.
        n_people: in the training data.
        vectors: float32 (n_items, at most MOST_NEIGHBOURS), who used each item.
    """

    task: RankingTask
    support: Floats
    n_people: int
    vectors: sparse.csr_array

    @classmethod
    def of(cls, task: RankingTask, train: Interactions, rng: np.random.Generator, most: int = MOST_LISTS) -> Self:
        """Draw people of a task.

        Args:
            task: whose lists are wanted.
            train: what the models were fitted on.
            rng: draws people.
            most: people.
        """
        rows = np.unique(task.people, return_index=True)[1]
        rows = np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows
        part = train.space.slice(task.domain)
        support = people_of_items(train, task.domain)
        active = np.unique(train.histories.only(part).rows())
        if len(active) > MOST_NEIGHBOURS:
            active = np.sort(rng.choice(active, MOST_NEIGHBOURS, replace=False))
        vectors = train.histories.take(active).matrix()[:, part].T.tocsr()
        return cls(task.take(rows), support, train.n_people, vectors)

    def judge(self, score: Score, *, batch_bytes: int = BATCH_BYTES, threads: int = 1) -> dict[str, float]:
        """How many people, the length of the lists, and `list_metrics` of the lists that the scores make."""
        lists = best_lists(self.task, score, K, batch_bytes=batch_bytes, threads=threads)
        values = list_metrics(lists, self.support, self.n_people, self.vectors)
        return {"people": len(lists), "k": K, **values}


def people_of_items(train: Interactions, domain: str) -> Floats:
    """How many distinct people used each item of a domain, with a weight above 0: (n_items,)."""
    used = train.matrix(domain)  # repeats of a person are one entry here
    return np.bincount(used.indices[used.data > 0], minlength=used.shape[1]).astype(np.float64)


def best_lists(
    task: RankingTask, score: Score, k: int = 10, *, batch_bytes: int = BATCH_BYTES, threads: int = 1
) -> Lists:
    """The k best items of each distinct history that the history does not hold: int32 (n_histories, k)."""
    n_rows, n_items = task.histories.n_rows, task.n_items
    lists = np.full((n_rows, k), -1, np.int32)
    part_start = task.first_item
    size = max(1, batch_bytes // (4 * max(1, n_items)))
    for low in range(0, n_rows, size):
        histories = task.histories.take(np.arange(low, min(low + size, n_rows)))
        scores = checked(score(histories), (histories.n_rows, n_items))
        lists[low : low + size] = top_k(scores, k, histories, part_start, threads).items
    return lists


def shown(lists: Lists, n_items: int) -> npt.NDArray[np.int64]:
    """How often each item is in a list: (n_items,)."""
    return np.bincount(lists[lists >= 0], minlength=n_items)


def coverage(lists: Lists, n_items: int) -> float:
    """Part of the catalogue that is in some list."""
    return float((shown(lists, n_items) > 0).mean()) if n_items else float("nan")


def gini(lists: Lists, n_items: int) -> float:
    """Gini coefficient of how often items are shown: 0, all alike, to 1 - 1/n, one item alone; NaN without any."""
    counts = np.sort(shown(lists, n_items))
    total = counts.sum()
    if total == 0:
        return float("nan")
    ranks = np.arange(1, n_items + 1)
    return float((2 * ranks - n_items - 1) @ counts / (n_items * total))


def novelty(lists: Lists, support: Floats, n_people: int) -> float:
    """Mean self-information of the shown items, in bits: -log2(people who used it / all people).

    Items that nobody used count as used by one person.

    Source: Zhou et al. (2010), "Solving the apparent diversity-accuracy dilemma of recommender systems".
    """
    items = lists[lists >= 0]
    if not len(items):
        return float("nan")
    used = np.clip(support[items], 1, n_people)
    return float(-np.log2(used / n_people).mean())


def intra_list_diversity(lists: Lists, vectors: Floats | sparse.csr_array) -> float:
    """Mean over lists of the mean cosine distance between two different items of the list.

    Args:
        lists: those with fewer than two items are left out.
        vectors: (n_items, n_dimensions): embeddings, or the people who used each item (co-occurrence); rows of zeros
            are at distance 1 to everything.

    Source: Smyth and McClave (2001), "Similarity vs. diversity".
    """
    unit = sparse.csr_array(vectors, dtype=np.float64)
    squares = np.asarray(unit.multiply(unit).sum(axis=1)).ravel()
    unit = sparse.diags_array(1 / np.sqrt(np.where(squares > 0, squares, 1.0))) @ unit
    rows, columns = np.nonzero(lists >= 0)
    items = lists[rows, columns]
    member = sparse.csr_array((np.ones(len(items)), (rows, items)), shape=(len(lists), unit.shape[0]))
    # sum over pairs of cosines = (|sum of unit vectors|^2 - number of non-zero vectors) / 2
    norms = np.zeros(len(lists))
    for low in range(0, len(lists), PAIRS_AT_ONCE):
        together = member[low : low + PAIRS_AT_ONCE] @ unit
        norms[low : low + PAIRS_AT_ONCE] = np.asarray(together.multiply(together).sum(axis=1)).ravel()
    sizes = np.bincount(rows, minlength=len(lists))
    own = np.bincount(rows, (squares > 0)[items].astype(np.float64), minlength=len(lists))
    several = sizes >= 2
    if not several.any():
        return float("nan")
    cosine = (norms - own)[several] / (sizes * (sizes - 1))[several]
    return float(1 - cosine.mean())


def list_metrics(
    lists: Lists, support: Floats, n_people: int, vectors: Floats | sparse.csr_array | None = None
) -> dict[str, float]:
    """Coverage, Gini, novelty, and with vectors the intra-list diversity."""
    n_items = len(support)
    values = {
        "coverage": coverage(lists, n_items),
        "gini": gini(lists, n_items),
        "novelty": novelty(lists, support, n_people),
    }
    return values if vectors is None else values | {"diversity": intra_list_diversity(lists, vectors)}
