from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from kuajie.core.errors import ResourceError
from kuajie.evaluation.metrics import row_metrics
from kuajie.evaluation.protocols import COLD_SHARE, person_folds
from kuajie.evaluation.ranking import rank_task
from kuajie.models.popularity import Popularity
from kuajie.models.registry import MODELS
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.arena import ArenaOptions
from kuajie.workflows.evaluate import evaluate

FAST = ArenaOptions(threads=1, resamples=50)


@pytest.fixture(scope="module")
def dataset() -> SimpleNamespace:
    interactions = two_domain_interactions(n_people=60)[0]
    return SimpleNamespace(interactions=lambda: interactions)


def test_all_rows_of_all_folds_count_alike(dataset) -> None:
    result = evaluate(dataset, ["popularity"], folds=4, seed=5, options=FAST)
    splits = list(person_folds(dataset.interactions(), 4, np.random.default_rng([5, 11]), cold_share=COLD_SHARE))
    for domain in ("a", "b"):
        values = []
        for split in splits:
            model = Popularity().fit(split.train)
            ranks = rank_task(split.tasks[domain], partial(model.score, target=domain))
            values += row_metrics(ranks, ["ndcg@10"])["ndcg@10"].tolist()
        assert len(values) == result.summaries[domain].test_rows == 60
        assert result.summaries[domain].models["popularity"].metrics["ndcg@10"] == pytest.approx(np.mean(values))
        low, high = result.summaries[domain].models["popularity"].interval
        assert low < np.mean(values) < high


def test_what_is_chosen_is_told_fold_by_fold(dataset) -> None:
    chosen = iter(range(9))

    def chooser(train, tasks, options, progress, linked) -> SimpleNamespace:
        number = next(chosen)
        return SimpleNamespace(config=Popularity().config, summary=lambda target: {"choice": number})

    runs = evaluate(dataset, ["auto"], folds=3, options=FAST, chooser=chooser).runs
    assert runs["auto", "a"].chosen == {"folds": [{"choice": 0}, {"choice": 1}, {"choice": 2}]}
    assert runs["auto", "a"].lists["people"] == 60


def test_a_model_that_one_fold_skips_has_no_result(dataset, monkeypatch) -> None:
    fit, fits = MODELS["itemknn"].fit, iter(range(9))

    def once(model, interactions, options=None):
        if next(fits):
            raise ResourceError("too large")
        return fit(model, interactions, options)

    monkeypatch.setattr(MODELS["itemknn"], "fit", once)
    result = evaluate(dataset, ["itemknn", "popularity"], folds=2, options=FAST)
    assert list(result.summaries["a"].models) == ["popularity"]
    assert result.skipped == {"itemknn": "too large"}
