from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kuajie.core.histories import Histories
from kuajie.core.space import ItemSpace
from kuajie.numerics.follow import Follow, follow_graph
from kuajie.numerics.series import power_series

DAY = 86_400.0
SPACE = ItemSpace(("a", "b", "c"), (6, 5, 4))


def random_histories(seed: int, order: str, n_rows: int = 30) -> Histories:
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, SPACE.n_items, rng.integers(0, 9)).tolist() for _ in range(n_rows)]
    days = [np.sort(rng.integers(0, 6, len(row))).astype(float) for row in rows]
    for row in days:
        row[rng.random(len(row)) < 0.1] = np.nan
    return Histories.from_lists(
        rows,
        SPACE.n_items,
        weights=[rng.uniform(0.0, 2.0, len(row)).tolist() for row in rows],
        times=[(row * DAY).tolist() for row in days],
        at=[10 * DAY] * n_rows,
        order=order,  # type: ignore[arg-type]
    )


def obvious_graph(histories: Histories, space: ItemSpace, follow: Follow) -> np.ndarray:
    """The formulas of `numerics.follow`, pair by pair."""
    C = np.zeros((space.n_items, space.n_items))
    both = (1 + follow.backward) / 2
    for row in range(histories.n_rows):
        entries = range(histories.indptr[row], histories.indptr[row + 1])
        lines = [list(entries)]
        if histories.order == "domain":
            domain = space.domain_of(histories.items)
            lines = [[e for e in entries if domain[e] == d] for d in range(len(space.domains))]
        for line in lines:
            for p, e in enumerate(line):
                for q in range(p + 1, len(line)):
                    f = line[q]
                    i, j = histories.items[e], histories.items[f]
                    value = float(histories.weights[e]) * float(histories.weights[f])
                    value *= follow.across if space.domain_of(i) != space.domain_of(j) else 1
                    if histories.order == "none":
                        C[i, j] += value
                        C[j, i] += value
                        continue
                    if q - p > follow.window:
                        continue
                    value *= follow.decay ** (q - p - 1)
                    days = abs(histories.times[f] - histories.times[e]) / DAY
                    if follow.half_life_days and not np.isnan(days):
                        value *= 0.5 ** (days / follow.half_life_days)
                    C[i, j] += value * (both if days == 0 else 1)
                    C[j, i] += value * (both if days == 0 else follow.backward)
        if histories.order == "domain":
            for line in lines:
                for other in lines:
                    if other is not line:
                        for e in line[-follow.window :]:
                            for f in other[-follow.window :]:
                                value = float(histories.weights[e]) * float(histories.weights[f])
                                C[histories.items[e], histories.items[f]] += value * follow.across * both
    np.fill_diagonal(C, 0)
    out, into = C.sum(axis=1), C.sum(axis=0)
    left = np.where(out > 0, np.where(out > 0, out, 1) ** -follow.out_power, 0)
    right = np.where(into > 0, np.where(into > 0, into, 1) ** -follow.in_power, 0)
    return keep_largest(left[:, None] * C * right[None, :], space, follow.neighbours)


def keep_largest(full: np.ndarray, space: ItemSpace, k: int) -> np.ndarray:
    kept = np.zeros_like(full)
    for name in space.domains:
        part = np.arange(space.n_items)[space.slice(name)]
        for i in range(space.n_items):
            best = part[np.lexsort((part, -full[i, part]))[:k]]
            kept[i, best] = full[i, best]
    return kept


@pytest.mark.parametrize("order", ["joint", "domain", "none"])
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    window=st.integers(1, 6),
    decay=st.sampled_from([0.0, 0.5, 1.0]),
    backward=st.sampled_from([0.0, 0.4, 1.0]),
    across=st.sampled_from([0.0, 0.5, 1.0]),
    half_life=st.sampled_from([None, 2.0]),
)
def test_the_graph_is_the_formula_pair_by_pair(
    order: str, seed: int, window: int, decay: float, backward: float, across: float, half_life: float | None
) -> None:
    histories = random_histories(seed, order)
    follow = Follow(window, decay, backward, across, half_life, out_power=0.6, in_power=0.3, neighbours=99)
    graph = follow_graph(histories, SPACE, follow).toarray()
    np.testing.assert_allclose(graph, obvious_graph(histories, SPACE, follow), rtol=1e-5, atol=1e-7)


def test_the_strongest_neighbours_of_each_domain_are_kept() -> None:
    histories = random_histories(3, "joint", 200)
    follow = Follow(neighbours=2)
    graph = follow_graph(histories, SPACE, follow)
    np.testing.assert_allclose(graph.toarray(), obvious_graph(histories, SPACE, follow), rtol=1e-5)
    assert np.diff(graph.indptr).max() <= 2 * len(SPACE.domains)


def test_direction_matters_unless_times_are_equal() -> None:
    space = ItemSpace(("a",), (3,))
    ordered = Histories.from_lists([[0, 1]] * 3, 3, times=[[0.0, DAY]] * 3, at=[DAY] * 3, order="joint")
    tied = replace(ordered, times=np.zeros(6))
    follow = Follow(backward=0.2, out_power=0, in_power=0)
    np.testing.assert_allclose(follow_graph(ordered, space, follow).toarray()[:2, :2], [[0, 3], [0.6, 0]])
    np.testing.assert_allclose(follow_graph(tied, space, follow).toarray()[:2, :2], [[0, 1.8], [1.8, 0]])


def test_results_do_not_depend_on_threads() -> None:
    rng = np.random.default_rng(5)
    space = ItemSpace(("a", "b"), (1_500, 1_500))
    histories = Histories.from_lists(
        [rng.integers(0, 3_000, 12).tolist() for _ in range(2_000)], space.n_items, order="joint"
    )
    one, two = (follow_graph(histories, space, Follow(neighbours=7), threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.toarray(), two.toarray())
    one, two = (power_series(two, space, 0.5, 3, 11, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.toarray(), two.toarray())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 4), k=st.integers(1, 15), damping=st.sampled_from([0.0, 0.7]))
def test_the_series_is_horner_with_pruning_after_each_product(seed: int, steps: int, k: int, damping: float) -> None:
    graph = follow_graph(random_histories(seed, "joint"), SPACE, Follow())
    A = graph.toarray().astype(float)
    expected = A
    for _ in range(steps - 1):
        reached = A @ (np.eye(len(A)) + damping * expected)
        np.fill_diagonal(reached, 0)
        expected = keep_largest(reached, SPACE, k)
    series = power_series(graph, SPACE, damping, steps, k).toarray()
    # equal entries may be told apart differently in float32: compare what was kept by size
    np.testing.assert_allclose(np.sort(series, axis=1), np.sort(expected, axis=1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("k", [1, 40, 900, 3_000])
def test_long_rows_keep_their_largest_entries(k: int) -> None:
    rng = np.random.default_rng(k)
    space = ItemSpace(("a", "b"), (5_000, 3_000))
    full = np.zeros((space.n_items, space.n_items), dtype=np.float32)
    full[:3] = rng.pareto(1.0, (3, space.n_items))
    full[0, :2_500] = 1.0  # many ties
    full[2] = np.sort(full[2])  # ascending: the worst case for a running bound
    graph = sparse.csr_array(full)
    series = power_series(graph, space, 0.0, 2, k).toarray()
    np.fill_diagonal(full, 0)
    for row in range(3):
        for part in (slice(0, 5_000), slice(5_000, 8_000)):
            kept = series[row, part]
            np.testing.assert_allclose(np.sort(kept)[::-1][:k], np.sort(full[row, part])[::-1][:k])
            assert np.count_nonzero(kept) == min(k, np.count_nonzero(full[row, part]))
