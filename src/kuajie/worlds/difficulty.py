"""How hard a world is: popularity, target-only and joint yardsticks against the oracle.

The newest distinct item of every account is held out; every item of the domain that the person has not seen is
ranked. The yardsticks are three closed-form models written out plainly, so that they judge the world and not the
other way round: item neighbourhood, EASE (Steck 2019, eq. 8) and graph diffusion (DESIGN section 8).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.worlds.seasons import START, WEEK_SECONDS, WEEKS
from kuajie.worlds.world import World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Score = Callable[[Ints], npt.NDArray[np.floating]]

GROUPS = ("0", "1-4", "5-9", "10+")
_EDGES = np.array([1, 5, 10])
_BATCH = 4_000


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Test rows of one domain: person, held-out item, week, number of distinct target items left in training."""

    person: Ints
    item: Ints
    week: Ints
    known: Ints
    has_source: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Difficulty:
    """NDCG@10 of one target domain: overall, and of people with source history by target rows known.

    Attributes:
        domain: the target.
        rows: test rows, and those of each group.
        ndcg: yardstick -> NDCG@10 over all test rows.
        by_group: yardstick -> NDCG@10 in each group of `GROUPS`, people with source history only.
    """

    domain: str
    rows: dict[str, int]
    ndcg: dict[str, float]
    by_group: dict[str, dict[str, float]]

    @property
    def popularity_share(self) -> float:
        """Popularity's share of the oracle."""
        return self.ndcg["popularity"] / self.ndcg["oracle"]

    def target_share(self, group: str) -> float:
        """The best target-only yardstick's share of the best joint one, in one group."""
        return self.best("target", group) / self.best("joint", group)

    def best(self, scope: str, group: str) -> float:
        """The best yardstick of a scope ("target" or "joint") in one group; popularity is target-only."""
        values = [by[group] for name, by in self.by_group.items() if name.endswith(scope)]
        return max([*values, self.by_group["popularity"][group]] if scope == "target" else values)


def measure(world: World, seed: int = 0, max_rows: int = 20_000) -> list[Difficulty]:
    """Measure every domain of a world as the target, at most `max_rows` test rows each."""
    matrix, tests = _hold_out(world)
    rng = np.random.default_rng(seed)
    out = []
    for name in world.domains:
        test = tests[name]
        if len(test.person) > max_rows:
            test = _take(test, np.sort(rng.choice(len(test.person), max_rows, replace=False)))
        part = world.space.slice(name)
        alone = matrix[:, part]
        popularity = np.asarray((alone > 0).sum(axis=0), dtype=np.float64).ravel()
        ndcg = {
            "oracle": _ndcg(test, alone, _oracle(world, name, test)),
            "popularity": _ndcg(test, alone, partial(_same_for_all, popularity)),
        }
        for scope, seen, columns in (("target", alone, slice(0, alone.shape[1])), ("joint", matrix, part)):
            for model, fit in _YARDSTICKS.items():
                weights = fit(seen)[:, columns]
                score = _with_fallback(seen, weights, popularity, test.person)
                ndcg[f"{model} {scope}"] = _ndcg(test, alone, score)
        out.append(_summary(name, test, ndcg))
    return out


def _summary(name: str, test: HeldOut, ndcg: dict[str, Floats]) -> Difficulty:
    group = np.digitize(test.known, _EDGES)
    masks = {label: (group == number) & test.has_source for number, label in enumerate(GROUPS)}
    return Difficulty(
        domain=name,
        rows={"all": len(test.person), **{label: int(mask.sum()) for label, mask in masks.items()}},
        ndcg={key: float(values.mean()) for key, values in ndcg.items()},
        by_group={
            key: {label: float(values[mask].mean()) if mask.any() else float("nan") for label, mask in masks.items()}
            for key, values in ndcg.items()
        },
    )


def _hold_out(world: World) -> tuple[sparse.csr_array, dict[str, HeldOut]]:
    interactions = world.interactions()
    histories, space = interactions.histories, interactions.space
    rows, items = histories.rows(), histories.items.astype(np.int64)
    assert histories.times is not None  # noqa: S101 - worlds have times
    times = histories.times
    # distinct (person, item) pairs with the time of the first event; rows are sorted by person and time
    key = rows * space.n_items + items
    _, first, counts = np.unique(key, return_index=True, return_counts=True)
    person, item, time = rows[first], items[first], times[first]
    domain = space.domain_of(item)
    order = np.lexsort((time, domain, person))
    last = np.ones(len(order), dtype=bool)
    cell = person[order] * len(space.domains) + domain[order]
    last[:-1] = cell[1:] != cell[:-1]
    held = np.zeros(len(order), dtype=bool)
    held[order[last]] = True
    shape = (interactions.n_people, space.n_items)
    left = ~held
    matrix = sparse.csr_array((np.log1p(counts[left]), (person[left], item[left])), shape=shape)
    known = np.zeros((interactions.n_people, len(space.domains)), np.int64)
    np.add.at(known, (person[left], domain[left]), 1)
    tests = {}
    for number, name in enumerate(space.domains):
        rows_of = np.flatnonzero(held & (domain == number))
        who = person[rows_of]
        week = ((time[rows_of] - START.timestamp()) // WEEK_SECONDS).astype(np.int64).clip(0, WEEKS - 1)
        others = known[who].sum(axis=1) - known[who, number]
        tests[name] = HeldOut(who, item[rows_of] - space.slice(name).start, week, known[who, number], others > 0)
    return matrix, tests


def _take(test: HeldOut, rows: Ints) -> HeldOut:
    return HeldOut(test.person[rows], test.item[rows], test.week[rows], test.known[rows], test.has_source[rows])


def _ndcg(test: HeldOut, seen: sparse.csr_array, score: Score) -> Floats:
    """NDCG@10 of every test row; tied items share the middle rank."""
    out = np.zeros(len(test.person))
    for start in range(0, len(out), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(out)))
        scores = np.array(score(rows), dtype=np.float64)
        scores[seen[test.person[rows]].toarray() > 0] = -np.inf
        positive = scores[np.arange(len(rows)), test.item[rows]][:, None]
        rank = (scores > positive).sum(axis=1) + ((scores == positive).sum(axis=1) - 1) / 2
        out[rows] = np.where(rank < 10, 1 / np.log2(rank + 2), 0.0)
    return out


def _oracle(world: World, domain: str, test: HeldOut) -> Score:
    return lambda rows: world.oracle_scores(test.person[rows], domain, test.week[rows])


def _same_for_all(scores: Floats, rows: Ints) -> Floats:
    return np.tile(scores, (len(rows), 1))


def _with_fallback(seen: sparse.csr_array, weights: Floats, popularity: Floats, person: Ints) -> Score:
    """History times item weights; what that cannot tell apart, popularity decides."""
    nudge = 1e-9 * popularity / max(popularity.max(), 1.0)
    return lambda rows: seen[person[rows]] @ weights + nudge


def _itemknn(matrix: sparse.csr_array, shrink: float = 20.0, neighbours: int = 200) -> Floats:
    gram = (matrix.T @ matrix).toarray()
    shared = ((matrix > 0).astype(np.float64).T @ (matrix > 0).astype(np.float64)).toarray()
    norm = np.sqrt(np.maximum(np.diag(gram), 1e-12))
    similarity = gram / np.outer(norm, norm) * shared / (shared + shrink)
    np.fill_diagonal(similarity, 0.0)
    k = min(neighbours, len(similarity) - 1)
    floor = -np.partition(-similarity, k - 1, axis=0)[k - 1]
    return np.where(similarity >= floor, similarity, 0.0)


def _ease(matrix: sparse.csr_array, regularisation: float = 200.0) -> Floats:
    gram = (matrix.T @ matrix).toarray()
    gram[np.diag_indices_from(gram)] += regularisation
    inverse = np.linalg.inv(gram)
    weights: Floats = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def _diffusion(matrix: sparse.csr_array, steps: int = 3, decay: float = 0.8, power: float = 0.2) -> Floats:
    binary = (matrix > 0).astype(np.float64)
    degree = np.maximum(np.asarray(binary.sum(axis=0)).ravel(), 1.0)
    people = np.maximum(np.asarray(binary.sum(axis=1)).ravel(), 1.0)
    scaled = sparse.diags_array(people**-0.5) @ binary @ sparse.diags_array(degree**-0.5)
    hop = (scaled.T @ scaled).toarray()
    series: Floats = np.zeros_like(hop)
    term = np.eye(len(hop))
    for step in range(1, steps + 1):
        term = term @ hop
        series += decay**step * term
    series *= degree**power
    return series


_YARDSTICKS: dict[str, Callable[[sparse.csr_array], Floats]] = {
    "itemknn": _itemknn,
    "ease": _ease,
    "diffusion": _diffusion,
}
