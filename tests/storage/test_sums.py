"""Sums beside a version: what is damaged is as if it had never been."""

from pathlib import Path

import numpy as np
import pytest

from kuajie.models.ease import EASE
from kuajie.models.ridge import Ridge
from kuajie.storage.sums import ARRAYS, INDEX, load_sums, save_sums
from kuajie.testing.planted import two_domain_interactions

WORLD = two_domain_interactions()[0]
SUMS = {"ease 甲": EASE().statistics(WORLD), "ridge": Ridge().statistics(WORLD)}


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    save_sums(tmp_path, SUMS)
    again = load_sums(tmp_path)
    assert again.keys() == SUMS.keys()
    for name, wanted in SUMS.items():
        got = again[name]
        assert (got.space, dict(got.totals)) == (wanted.space, dict(wanted.totals))
        for key, pairs in wanted.pairs.items():
            np.testing.assert_array_equal(got.pairs[key].toarray(), pairs.toarray())
        for key, values in wanted.items.items():
            np.testing.assert_array_equal(got.items[key], values)
    changed = again["ease 甲"] - SUMS["ease 甲"]
    assert changed.pairs["gram"].nnz == 0


def test_nothing_kept_is_nothing(tmp_path: Path) -> None:
    assert load_sums(tmp_path) == {}
    save_sums(tmp_path, {})
    assert load_sums(tmp_path) == {}


@pytest.mark.parametrize("file", [ARRAYS, INDEX])
def test_damaged_sums_are_not_used(tmp_path: Path, file: str) -> None:
    save_sums(tmp_path, SUMS)
    path = tmp_path / file
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in np.linspace(0, len(data) - 1, 25).astype(int):
        path.write_bytes(data[:cut])
        assert load_sums(tmp_path) == {}
    path.unlink()
    assert load_sums(tmp_path) == {}
    if file == ARRAYS:
        for place in rng.choice(len(data), 50):
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            assert load_sums(tmp_path) == {}


def test_numbers_that_are_not_finite_are_not_used(tmp_path: Path) -> None:
    broken = EASE().statistics(WORLD)
    broken.items["support"][3] = np.nan
    save_sums(tmp_path, {"a": broken})
    assert load_sums(tmp_path) == {}
