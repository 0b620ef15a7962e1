"""What is worse: by how much, and by more than chance."""

import numpy as np
import pytest

from kuajie.workflows.guard import METRIC, Limits, judged


def rows(share: float, n: int = 1_000) -> np.ndarray:
    return (np.arange(n) < share * n).astype(float)


@pytest.mark.parametrize(
    ("new", "old", "n", "bad"),
    [
        (0.30, 0.30, 1_000, False),
        (0.40, 0.30, 1_000, False),
        (0.29, 0.30, 1_000, False),  # less than 5 %
        (0.20, 0.30, 1_000, True),
        (0.20, 0.30, 10, False),  # one row of ten: chance
        (0.0, 0.0, 1_000, False),
    ],
)
def test_a_fall_counts_when_it_is_large_and_no_chance(new: float, old: float, n: int, bad: bool) -> None:
    verdict = judged({"车": (rows(new, n), rows(old, n)), "课": (rows(0.5), rows(0.5))}, Limits())
    assert (verdict.problem is not None) is bad
    assert verdict.metrics["车"] == {METRIC: pytest.approx(new), f"serving_{METRIC}": pytest.approx(old), "rows": n}
    if bad:
        assert "车" in str(verdict.problem)


def test_a_stricter_limit_refuses_less_of_a_fall() -> None:
    hits = {"a": (rows(0.285, 10_000), rows(0.30, 10_000))}
    assert judged(hits, Limits(fall=0.06)).problem is None
    assert judged(hits, Limits(fall=0.01)).problem is not None
