from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.errors import UsageError
from kuajie.evaluation.compare import bootstrap_interval, compare_models, holm, sign_flip_p_values


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_holm_reference_values() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005, 0.55, 0.6]), [0.05, 0.12, 0.12, 0.03, 1, 1])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_the_step_down_by_hand(p_values) -> None:
    adjusted = holm(p_values)
    ordered = sorted(range(len(p_values)), key=lambda place: p_values[place])
    largest = 0.0
    for step, place in enumerate(ordered):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - step)))
        assert adjusted[place] == pytest.approx(largest)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), min_size=1, max_size=12))
def test_few_people_give_the_exact_p_value(entries) -> None:
    people, values = (np.array(column) for column in zip(*entries, strict=True))
    sums = [values[people == person].sum() for person in np.unique(people)]
    flipped = [
        abs(sum(s * v for s, v in zip(signs, sums, strict=True))) for signs in product([1, -1], repeat=len(sums))
    ]
    expected = np.mean([value >= abs(sum(sums)) for value in flipped])
    assert sign_flip_p_values(values.astype(float), people, rng()) == pytest.approx(expected)


def test_random_flips_agree_with_all_flips() -> None:
    values, people = rng(1).normal(0.3, 1, 12), np.arange(12)
    exact = sign_flip_p_values(values, people, rng(), flips=4_096)
    assert sign_flip_p_values(values, people, rng(), flips=4_000) == pytest.approx(exact, abs=0.02)


def test_true_nulls_are_rejected_as_often_as_stated() -> None:
    generator, people = rng(2), np.repeat(np.arange(80), 3)
    differences = generator.normal(size=(240, 400)) + np.repeat(generator.normal(size=(80, 400)), 3, axis=0)
    share = (sign_flip_p_values(differences, people, rng(3), flips=2_000) < 0.05).mean()
    assert 0.02 < share < 0.09  # rows taken as independent would reject 14 %


def test_intervals_cover_as_often_as_stated() -> None:
    generator, people = rng(4), np.repeat(np.arange(80), 3)
    values = generator.normal(size=(240, 400)) + np.repeat(generator.normal(size=(80, 400)), 3, axis=0)
    ends = bootstrap_interval(values, people, rng(5), resamples=1_000)
    covered = ((ends[:, 0] < 0) & (ends[:, 1] > 0)).mean()
    assert 0.90 < covered < 0.985


def test_the_interval_is_that_of_a_slow_bootstrap() -> None:
    people = np.array([0, 0, 1, 2, 2, 2, 3])
    values = np.array([1.0, 2, 0, 3, 1, 0, 5])
    generator = rng(6)
    means = []
    for _ in range(4_000):
        drawn = np.concatenate([values[people == person] for person in generator.integers(4, size=4)])
        means.append(drawn.mean())
    expected = np.quantile(means, [0.025, 0.975])
    np.testing.assert_allclose(bootstrap_interval(values, people, rng(7), resamples=4_000), expected, atol=0.15)


def test_models_are_compared_with_the_baseline_on_the_same_people() -> None:
    noise = rng(8).normal(size=300)
    values = {"base": noise, "better": noise + 0.1 + 0.01 * rng(9).normal(size=300), "same": noise.copy()}
    found = compare_models(values, "base", np.arange(300), rng())
    assert list(found) == ["better", "same"]
    assert found["better"].low > 0.09
    assert found["better"].p_holm == pytest.approx(2 * found["better"].p_value)
    assert (found["same"].difference, found["same"].p_value) == (0, 1)


def test_the_same_seed_gives_the_same_answer() -> None:
    values, people = rng(1).normal(size=500), np.arange(500) // 2
    assert sign_flip_p_values(values, people, rng(3)) == sign_flip_p_values(values, people, rng(3))
    np.testing.assert_array_equal(
        bootstrap_interval(values, people, rng(3)), bootstrap_interval(values, people, rng(3))
    )


def test_no_rows_and_wrong_rows() -> None:
    assert np.isnan(bootstrap_interval(np.empty(0), np.empty(0, int), rng())).all()
    assert sign_flip_p_values(np.empty(0), np.empty(0, int), rng()) == 1
    assert compare_models({"a": np.empty(0), "b": np.empty(0)}, "a", np.empty(0, int), rng()) == {}
    with pytest.raises(UsageError, match="one person for each row"):
        bootstrap_interval(np.ones(3), np.arange(2), rng())
    with pytest.raises(UsageError, match="finite"):
        bootstrap_interval(np.array([np.nan]), np.arange(1), rng())
