import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.numerics.largest import BUCKETS, item_of, keep_largest, put, value_of


def keys_of(values: np.ndarray) -> np.ndarray:
    keys = np.empty(len(values), np.uint64)
    for item, value in enumerate(values):
        put(keys.view(np.uint32), keys.view(np.float32), item, item, value)
    return keys


@given(
    st.lists(st.floats(0, 8, width=32) | st.sampled_from([0.25, 0.5]), max_size=200),
    st.integers(1, 60),
)
@settings(deadline=None)
def test_the_kept_are_the_largest_and_the_lower_items_of_equal_ones(numbers: list[float], k: int) -> None:
    values = np.array(numbers, np.float32) + np.float32(0)  # no -0
    keys = keys_of(values)
    kept = keep_largest(keys, k, np.empty(BUCKETS, np.int64))
    found = [(value_of(keys.view(np.float32), n), item_of(keys.view(np.uint32), n)) for n in range(kept)]
    expected = sorted(zip(values.tolist(), range(len(values)), strict=True), key=lambda pair: (-pair[0], pair[1]))[:k]
    assert sorted(found, key=lambda pair: (-pair[0], pair[1])) == expected


def test_many_close_values_are_told_apart() -> None:
    values = np.random.default_rng(0).random(5_000).astype(np.float32) * np.float32(1e-3) + np.float32(0.5)
    keys = keys_of(values)
    kept = keep_largest(keys, 100, np.empty(BUCKETS, np.int64))
    found = {item_of(keys.view(np.uint32), n) for n in range(kept)}
    assert found == set(np.argsort(-values, kind="stable")[:100].tolist())
