"""MMR and DPP: against slow references, and on a list whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kuajie.core.errors import UsageError
from kuajie.core.rows import unit_rows
from kuajie.rerank.base import Candidates, Context, Items, relevance
from kuajie.rerank.dpp import DPP, DPPConfig
from kuajie.rerank.mmr import MMR, MMRConfig
from kuajie.testing.rerankers import RerankerContract, planted_candidates, planted_context


class TestMMR(RerankerContract):
    configs = (MMRConfig(), MMRConfig(strength=0.8), MMRConfig(strength=1))
    neutral = MMRConfig(strength=0)


class TestDPP(RerankerContract):
    configs = (DPPConfig(), DPPConfig(strength=0.9), DPPConfig(strength=1, noise=0.01))
    neutral = DPPConfig(strength=0)


def cosines(context: Context, items: np.ndarray) -> np.ndarray:
    rows = context.items.vectors["content"].toarray()[items]
    return rows @ rows.T


def slow_mmr(worth: np.ndarray, like: np.ndarray, k: int, strength: float) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < k:
        values = {}
        for place in range(len(worth)):
            if place not in chosen:
                nearest = max((like[place, other] for other in chosen), default=0.0)
                values[place] = (1 - strength) * worth[place] - strength * max(nearest, 0.0)
        chosen.append(max(values, key=lambda place: (values[place], -place)))
    return chosen


def slow_dpp(worth: np.ndarray, like: np.ndarray, k: int, strength: float, noise: float) -> list[int]:
    like = (1 - noise) * like
    np.fill_diagonal(like, 1.0)
    chosen: list[int] = []
    while len(chosen) < k:
        values = {}
        for place in range(len(worth)):
            if place not in chosen:
                trial = [*chosen, place]
                volume = np.linalg.slogdet(like[np.ix_(trial, trial)])[1]
                values[place] = (1 - strength) * worth[trial].sum() + strength * volume
        chosen.append(max(values, key=lambda place: (values[place], -place)))
    return chosen


@pytest.mark.parametrize("strength", [0.1, 0.5, 0.9])
def test_fast_and_slow_choose_alike(strength: float) -> None:
    candidates, context = planted_candidates(12, 25, 3), planted_context(12, 3)
    worth = relevance(candidates.scores)
    mmr = MMR(MMRConfig(strength=strength)).rerank(candidates, 8, context).order[:, :8]
    dpp = DPP(DPPConfig(strength=strength)).rerank(candidates, 8, context).order[:, :8]
    for row in range(12):
        like = cosines(context, candidates.items[row])
        assert mmr[row].tolist() == slow_mmr(worth[row], like, 8, strength)
        assert dpp[row].tolist() == slow_dpp(worth[row], like.copy(), 8, strength, 0.1)


@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0, 1), st.integers(1, 15))
@settings(max_examples=25, deadline=None)
def test_any_list_is_chosen_as_the_slow_reference_does(seed: int, m: int, strength: float, k: int) -> None:
    rng = np.random.default_rng(seed)
    context = Context(Items({"content": unit_rows(sparse.csr_array(rng.random((m, 4))), np.float64)}))
    candidates = Candidates(np.arange(m, dtype=np.int32)[None], -np.sort(-rng.normal(size=(1, m))))
    order = MMR(MMRConfig(strength=strength)).rerank(candidates, k, context).order[0]
    worth, like = relevance(candidates.scores)[0], cosines(context, np.arange(m))
    wanted = slow_mmr(worth, like, min(k, m), strength)
    values = [objective(worth, like, strength, chosen) for chosen in (order[: len(wanted)].tolist(), wanted)]
    np.testing.assert_allclose(*values, atol=1e-9)  # equal up to rounding may be chosen either way


def objective(worth: np.ndarray, like: np.ndarray, strength: float, chosen: list[int]) -> list[float]:
    """What each place was worth when it was filled."""
    return [
        (1 - strength) * worth[place] - strength * max((like[place, other] for other in chosen[:at]), default=0.0)
        for at, place in enumerate(chosen)
    ]


@pytest.mark.parametrize("step", [MMR(MMRConfig(strength=0.6)), DPP(DPPConfig(strength=0.6))])
def test_twins_are_parted(step: MMR | DPP) -> None:
    """Three pairs of equal items: the first three places go to one of each pair, the better one."""
    vectors = unit_rows(sparse.csr_array(np.repeat(np.eye(3), 2, axis=0)), np.float64)
    candidates = Candidates(np.arange(6, dtype=np.int32)[None], np.array([[6.0, 5.9, 5.8, 5.7, 5.6, 5.5]]))
    order = step.rerank(candidates, 3, Context(Items({"content": vectors}))).order[0]
    assert order.tolist() == [0, 2, 4, 1, 3, 5]


def test_vectors_that_are_not_there_are_named() -> None:
    with pytest.raises(UsageError, match="'behaviour' of items, which is not known; known are content"):
        MMR(MMRConfig(vectors="behaviour")).rerank(planted_candidates(1, 5), 3, planted_context(1))
