import numpy as np
import pytest

from kuajie.core.errors import UsageError
from kuajie.evaluation.gate import decide_gate, hashed_folds, merge_groups


def world(seed: int = 0) -> tuple[np.ndarray, ...]:
    """1,000 people in four groups; joining helps the first, hurts the second, does nothing to the others."""
    generator = np.random.default_rng(seed)
    lengths = np.repeat([0, 2, 7, 20], 250)
    target_only = generator.random(1_000)
    effect = np.repeat([0.10, -0.10, 0.0, 0.0], 250)
    return target_only, target_only + effect + 0.2 * generator.normal(size=1_000), np.arange(1_000), lengths


def test_only_the_group_that_gains_is_joined() -> None:
    decision = decide_gate(*world(), np.random.default_rng(1))
    assert [group.joint for group in decision.groups] == [True, False, False, False]
    assert [(group.at_least, group.below) for group in decision.groups] == [(0, 1), (1, 5), (5, 10), (10, None)]
    assert decision.uses_joint(np.array([0, 1, 100])).tolist() == [True, False, False]
    assert decision.transfer_gain == pytest.approx(0.025, abs=0.01)
    assert decision.low < decision.transfer_gain < decision.high
    assert decision.low > 0


def test_without_an_effect_the_gate_rarely_opens_and_promises_nothing() -> None:
    opened, gains = 0, []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        target_only, people, lengths = generator.random(400), np.arange(400), np.zeros(400, dtype=np.int64)
        joint = target_only + generator.normal(size=400)
        decision = decide_gate(target_only, joint, people, lengths, generator)
        opened += decision.groups[0].joint
        gains.append(decision.transfer_gain)
    assert opened <= 3  # 2.5 % each
    assert np.mean(gains) < 0.01  # the best of chance is not taken for a gain


def test_small_groups_join_their_neighbours() -> None:
    people = np.arange(300)
    assert merge_groups(people, np.repeat([0, 2, 7], [50, 100, 150]), (0, 1, 5, 10), 100) == (0, 5)
    assert merge_groups(people, np.repeat([0, 2, 20], [100, 150, 50]), (0, 1, 5, 10), 100) == (0, 1)
    assert merge_groups(people[:20], np.repeat([0, 20], 10), (0, 1, 5, 10), 100) == (0,)
    assert merge_groups(people[:0], np.empty(0, int), (0, 1), 100) == (0,)


def test_a_person_counts_once_however_many_rows() -> None:
    rows = np.repeat(np.arange(10), 50)
    assert merge_groups(rows, np.repeat([0, 2], 250), (0, 1), 8) == (0,)


def test_folds_are_even_and_belong_to_the_person() -> None:
    folds = hashed_folds(np.arange(10_000), 5)
    assert np.bincount(folds).min() > 1_800
    assert hashed_folds(np.array([77]), 5)[0] == folds[77]


def test_no_rows_stay_target_only_and_lengths_must_agree() -> None:
    empty = np.empty(0)
    decision = decide_gate(empty, empty, empty.astype(int), empty.astype(int), np.random.default_rng(0))
    assert not decision.uses_joint(np.array([0, 5])).any()
    with pytest.raises(UsageError, match="one person and length"):
        decide_gate(np.ones(2), np.ones(2), np.arange(3), np.arange(2), np.random.default_rng(0))
