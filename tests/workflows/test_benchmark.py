import json
from pathlib import Path

import numpy as np
import pytest

from kuajie import __version__
from kuajie.core.errors import JobError, ResourceError, UsageError
from kuajie.models.blend import BlendConfig, Member, Mix
from kuajie.models.popularity import PopularityConfig
from kuajie.models.registry import MODELS
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.splits import rows, write_split_folder
from kuajie.workflows.arena import ArenaOptions, parse_entrant
from kuajie.workflows.benchmark import benchmark, plain

FAST = ArenaOptions(threads=1, resamples=200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The planted world, the last row of everybody in each domain held out; every tenth person is cold in b."""
    interactions, _, _ = two_domain_interactions(n_people=200)
    tables: dict[str, list] = {"甲_train": [], "甲_test": [], "乙_train": [], "乙_test": []}
    for person in range(200):
        items = interactions.histories.take([person]).items
        for name, own in (("甲", items[items < 20]), ("乙", items[items >= 20])):
            *train, last = [(person, int(item), place, 0) for place, item in enumerate(own)]
            tables[f"{name}_test"].append(last)
            if name == "甲" or person % 10:
                tables[f"{name}_train"] += train
    path = tmp_path_factory.mktemp("planted") / "种子"
    return write_split_folder(path, {name: rows(*table) for name, table in tables.items()}, meta={"order": "domain"})


class Choice:
    """Joint neighbours, whatever the validation rows say."""

    config = BlendConfig(
        members=(Member(name="popular", model=PopularityConfig()),),
        mixes=tuple(Mix(target=target, weights={"popular": 1.0}) for target in ("乙", "甲")),
    )

    def summary(self, target: str) -> dict:
        return {"target": target, "weight": np.float32(1)}


def test_the_json_is_the_documented_one(folder) -> None:
    seen = {}

    def chooser(train, tasks, options, progress, linked) -> Choice:
        seen.update(people=train.n_people, rows={d: t.n_rows for d, t in tasks.items()}, seed=options.seed)
        return Choice()

    result = benchmark(folder, ["auto", "popularity"], "full", 3, FAST, chooser=chooser)
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert list(document) == ["folder", "candidates", "seed", "kuajie", "domains", "leaks", "seconds", "peak_memory_mb"]
    assert (document["folder"], document["candidates"], document["seed"]) == ("种子", "full", 3)
    assert document["kuajie"] == __version__
    assert document["domains"]["乙"]["test_rows"] == 200
    auto = document["domains"]["乙"]["models"]["auto"]
    assert set(auto) == {
        "hr@10", "ndcg@10", "mrr", "recall@20", "precision@10", "map@10", "auc", "ci95", "fit_seconds", "score_seconds",
        "chosen", "lists", "reasons", "slices",
    }  # fmt: skip
    low, high = auto["ci95"]["ndcg@10"]
    assert low < auto["ndcg@10"] < high
    assert auto["chosen"] == {"target": "乙", "weight": 1.0}
    assert auto["slices"]["cold"]["test_rows"] == 20
    assert auto["slices"]["history_10+"] == {"test_rows": 0, "ndcg@10": None}
    assert {"cold", "without_twins", "trained_items"} <= set(auto["slices"])
    assert document["leaks"]["test_rows_in_train"] == 0
    assert "twin_items" in document["leaks"]
    assert document["seconds"] > 0
    assert document["peak_memory_mb"] > 0
    assert seen["seed"] == 3
    assert seen["people"] == 200
    assert 0 < seen["rows"]["乙"] <= 180
    assert "domain, as meta.json says" in result.order


def test_scopes_are_what_they_say(folder) -> None:
    result = benchmark(folder, ["itemknn", "itemknn:target", "itemknn:source", "popularity"], "full", 0, FAST)
    cold = {name: model.slices["cold"].value for name, model in result.summaries["乙"].models.items()}
    assert cold["itemknn"] > 2 * cold["popularity"]  # what fits exists only through the other domain
    assert cold["itemknn:source"] == pytest.approx(cold["itemknn"])  # cold people have nothing else
    assert cold["itemknn:target"] == pytest.approx(cold["popularity"])  # who is unknown is shown what everybody likes
    assert result.summaries["乙"].baseline in ("itemknn:target", "popularity")
    compared = result.to_json()["domains"]["乙"]["comparison"]
    assert compared["metric"] == "ndcg@10"
    assert set(compared["models"]) == {*cold} - {compared["baseline"]}
    joint = compared["models"]["itemknn"]
    assert joint["low"] < joint["difference"] < joint["high"]
    assert joint["difference"] > 0
    assert 0 < joint["p_value"] <= joint["p_holm"]


def test_the_same_seed_gives_the_same_numbers_however_batched(folder) -> None:
    first, again = (
        benchmark(folder, ["itemknn"], "sampled-99", 5, ArenaOptions(threads, batch_bytes=size, resamples=50))
        for threads, size in ((1, 2**20), (2, 500))
    )
    assert plain(first.summaries) == plain(again.summaries)


def test_what_does_not_fit_is_skipped_and_named(folder, monkeypatch) -> None:
    def refuse(model, interactions, options=None) -> None:
        raise ResourceError("itemknn needs 9 GB, there are 8")

    monkeypatch.setattr(MODELS["itemknn"], "fit", refuse)
    result = benchmark(folder, ["itemknn", "popularity"], options=FAST)
    assert result.to_json()["skipped"] == {"itemknn": "itemknn needs 9 GB, there are 8"}
    assert list(result.summaries["甲"].models) == ["popularity"]
    with pytest.raises(JobError, match="no model could be measured: itemknn needs 9 GB"):
        benchmark(folder, ["itemknn"], options=FAST)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("itemkn", "there is no model 'itemkn'"),
        ("itemknn:everything", "scope of 'itemknn:everything' must be one of target, joint, source"),
        ("popularity:source", "sees the target alone"),
        ("blend", "'blend' has no default config"),
    ],
)
def test_wrong_names_are_refused_before_anything_is_read(name, message) -> None:
    with pytest.raises(UsageError, match=message):
        benchmark("nowhere", [name])
    with pytest.raises(UsageError, match="candidates must be one of"):
        benchmark("nowhere", ["popularity"], "some")


def test_scopes_are_parsed() -> None:
    assert parse_entrant("itemknn").scope == "joint"
    assert parse_entrant("itemknn:target").target_only
    assert parse_entrant("popularity").target_only
    assert not parse_entrant("auto").target_only


def test_plain_values_have_no_nan() -> None:
    assert plain({"a": [float("nan"), np.float32(2), (1, "二")]}) == {"a": [None, 2.0, [1, "二"]]}
