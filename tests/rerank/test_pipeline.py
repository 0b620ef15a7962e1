"""Pipelines: steps follow one another, and every move can be told."""

import numpy as np
import pytest

from kuajie.core.errors import ConfigError, UsageError
from kuajie.rerank.base import Candidates
from kuajie.rerank.epsilon import EpsilonConfig
from kuajie.rerank.limits import LimitsConfig
from kuajie.rerank.mmr import MMR, MMRConfig
from kuajie.rerank.pipeline import MOST_CANDIDATES, RerankConfig, rerank
from kuajie.rerank.rules import Band, RulesConfig
from kuajie.testing.rerankers import planted_candidates, planted_context


def test_no_step_is_the_list_itself() -> None:
    result = rerank([], planted_candidates(3, 8), 5, planted_context(3))
    assert result.order.tolist() == [[0, 1, 2, 3, 4]] * 3
    assert result.steps == ()
    assert result.notes(0) == []


def test_a_gap_in_the_list_is_closed() -> None:
    candidates = planted_candidates(1, 4)
    scores = candidates.scores.copy()
    scores[0, 1] = np.nan
    assert rerank([], Candidates(candidates.items, scores), 4, planted_context(1)).order.tolist() == [[0, 2, 3, -1]]


def test_one_step_is_that_step() -> None:
    candidates, context = planted_candidates(5, 20), planted_context(5)
    alone = MMR(MMRConfig()).rerank(candidates, 10, context).order[:, :10]
    np.testing.assert_array_equal(rerank([MMRConfig()], candidates, 10, context).order, alone)


def test_a_step_reads_the_order_of_the_one_before() -> None:
    candidates, context = planted_candidates(8, 20), planted_context(8)
    first = MMR(MMRConfig(strength=0.7)).rerank(candidates, 10, context).order
    after = candidates.reordered(first)
    assert (np.diff(after.scores, axis=1) <= 0).all()
    second = MMR(MMRConfig(strength=0.2)).rerank(after, 10, context).order[:, :10]
    wanted = np.take_along_axis(first, second, axis=1)
    got = rerank([MMRConfig(strength=0.7), MMRConfig(strength=0.2)], candidates, 10, context).order
    np.testing.assert_array_equal(got, wanted)


def test_what_is_dropped_stays_away_and_shuffles_are_logged() -> None:
    candidates, context = planted_candidates(200, 20), planted_context(200)
    steps = [
        RulesConfig(numbers={"price": Band(at_most=50)}),
        LimitsConfig(most={"brand": 3}),
        EpsilonConfig(epsilon=1),
    ]
    result = rerank(steps, candidates, 6, context)
    assert result.steps == ("rules", "limits", "epsilon")
    prices = context.items.numbers["price"]
    for row, order in enumerate(result.order):
        shown = candidates.items[row, order[order >= 0]]
        assert (prices[shown] <= 50).all()
        assert np.bincount(context.items.labels["brand"].codes[shown]).max() <= 9
        notes = {note.place: note for note in result.notes(row) if note.kind == "rules" and "outside" in note.text}
        assert set(notes) == set(np.flatnonzero(prices[candidates.items[row]] > 50).tolist())
    assert result.propensity is not None
    assert result.propensity.shape == (200, 6)
    np.testing.assert_array_equal(np.isnan(result.propensity), result.order < 0)


def test_moves_are_told() -> None:
    candidates, context = planted_candidates(1, 12), planted_context(1)
    result = rerank([MMRConfig(strength=0.9)], candidates, 4, context)
    moved = {note.place: str(note.text) for note in result.notes(0)}
    for at, place in enumerate(result.order[0].tolist()):
        if at != place:
            assert moved[place] == f"moved from place {place + 1} to {at + 1}"


def test_a_pipeline_is_written_in_toml() -> None:
    steps = [{"kind": "limits", "most": {"品牌": 2}}, {"kind": "mmr", "strength": 0.4, "targets": ["car_parts"]}]
    config = RerankConfig.parse({"factor": 3, "steps": steps})
    assert [step.kind for step in config.of("car_parts")] == ["limits", "mmr"]  # type: ignore[attr-defined]
    assert [step.kind for step in config.of("courses")] == ["limits"]  # type: ignore[attr-defined]
    assert config.candidates("courses", 10) == 30
    assert RerankConfig().candidates("courses", 10) == 10
    bold = config.model_copy(update={"factor": 100})
    assert [bold.candidates("courses", k) for k in (10, 100, 5_000)] == [1_000, MOST_CANDIDATES, 5_000]


def test_each_target_may_have_a_fairness_of_its_own() -> None:
    steps = [{"kind": "fairness", "targets": [name], "by": name} for name in ("car", "courses")]
    assert [step.by for step in RerankConfig.parse({"steps": steps}).of("courses")] == ["courses"]  # type: ignore[attr-defined]


def test_more_can_be_kept_than_steps_count() -> None:
    candidates, context = planted_candidates(3, 8), planted_context(3)
    steps = [LimitsConfig(most={"brand": 1}), EpsilonConfig(epsilon=0.5, pool=4)]
    few, more = rerank(steps, candidates, 2, context), rerank(steps, candidates, 2, context, keep=5)
    assert more.propensity is not None
    assert more.order.shape == more.propensity.shape == (3, 5)
    np.testing.assert_array_equal(more.order[:, :2], few.order)
    assert rerank([], candidates, 2, context, keep=1).order.shape == (3, 2)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"steps": [{"kind": "mmr", "lambda": 0.3}]}, "'steps.0.mmr.lambda' is not a known key"),
        ({"steps": [{"kind": "magic"}]}, "steps.0"),
        ({"steps": [{"kind": "mmr", "strength": 2}]}, "less than or equal to 1"),
        ({"steps": [{"kind": "thompson"}, {"kind": "mmr"}]}, "'thompson' must be the last step"),
        ({"factr": 2}, "'factr' is not a known key"),
        ({"steps": [{"kind": "fairness"}, {"kind": "fairness", "targets": ["car"]}]}, "only one 'fairness' step"),
    ],
)
def test_bad_pipelines_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        RerankConfig.parse(values)


def test_bad_calls_are_refused() -> None:
    with pytest.raises(UsageError, match="k must be at least 1"):
        rerank([], planted_candidates(1, 3), 0, planted_context(1))
    with pytest.raises(UsageError, match="of one shape"):
        Candidates(np.zeros((2, 3), np.int32), np.zeros((2, 2)))
    with pytest.raises(UsageError, match="finite scores"):
        Candidates(np.zeros((1, 1), np.int32), np.full((1, 1), np.inf))
