"""Neither easy nor hopeless: what popularity, target-only and joint yardsticks reach of the oracle."""

import numpy as np
import pytest
from scipy import sparse

from kuajie.worlds import SCENARIOS, WorldSize, make_world
from kuajie.worlds.difficulty import _diffusion, _ease, _hold_out, _itemknn, _ndcg, measure


def check(found):
    assert 0.15 <= found.popularity_share <= 0.35, found
    assert found.ndcg["oracle"] > 1.3 * max(value for name, value in found.ndcg.items() if name != "oracle")
    assert found.target_share("1-4") <= 0.8, found
    assert found.target_share("0") <= 0.8, found


def test_a_pair_is_as_hard_as_promised_in_both_directions():
    for found in measure(make_world("film", "small", 0)):
        check(found)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_every_scenario_is_as_hard_as_promised(scenario):
    for found in measure(make_world(scenario, "small", 0)):
        check(found)


@pytest.mark.slow
def test_seed_size_is_as_hard_as_promised():
    for found in measure(make_world("car-parts", "seed", 0)):
        check(found)


def test_the_newest_item_of_every_account_is_held_out(pair):
    matrix, tests = _hold_out(pair)
    histories = pair.interactions().histories
    for number, domain in enumerate(pair.domains):
        test, part = tests[domain], pair.space.slice(domain)
        assert matrix[test.person, test.item + part.start].max() == 0
        for row in (0, len(test.person) // 2, len(test.person) - 1):
            person = test.person[row]
            mine = slice(histories.indptr[person], histories.indptr[person + 1])
            items, times = histories.items[mine], histories.times[mine]
            inside = (items >= part.start) & (items < part.stop)
            first = {int(i): times[inside & (items == i)].min() for i in items[inside]}
            assert first[int(test.item[row]) + part.start] == max(first.values())
            assert test.known[row] == len(first) - 1
            others = set(items[~inside].tolist())
            assert bool(test.has_source[row]) == (len(others) > 1), number


def test_ndcg_counts_ranks_as_a_person_would():
    seen = sparse.csr_array(np.array([[1.0, 0, 0, 0], [0, 0, 0, 0]]))

    class Rows:
        person, item = np.array([0, 1]), np.array([2, 0])

    scores = np.array([[9.0, 5.0, 4.0, 1.0], [1.0, 1.0, 1.0, 0.0]])
    found = _ndcg(Rows, seen, lambda rows: scores[rows])
    assert found[0] == pytest.approx(1 / np.log2(1 + 2))  # the seen one does not count, one is before
    assert found[1] == pytest.approx(1 / np.log2(1 + 2))  # three tied: the middle of ranks 0, 1, 2


def test_yardsticks_find_a_planted_pair():
    rng = np.random.default_rng(0)
    dense = (rng.random((400, 8)) < 0.15).astype(float)
    dense[:, 5] = np.maximum(dense[:, 1], dense[:, 5] * (rng.random(400) < 0.2))
    for fit in (_itemknn, _ease, _diffusion):
        weights = fit(sparse.csr_array(dense))
        np.fill_diagonal(weights, -np.inf)
        assert weights[1].argmax() == 5, fit


def test_measuring_a_part_of_the_rows_measures_that_many():
    world = make_world("beauty", WorldSize(people=400, courses=90, products=80), 0)
    for found in measure(world, max_rows=100):
        assert found.rows["all"] == 100
