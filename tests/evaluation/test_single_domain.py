"""Split folders of one domain, with labelled rows and triples."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.errors import DataError
from kuajie.data.split_folder import open_split_folder
from kuajie.evaluation.labelled import auc, mean_auc
from kuajie.evaluation.protocols import final_split, validation_split
from kuajie.testing.splits import rows, write_split_folder
from kuajie.workflows.benchmark import benchmark


def labelled(*triples: tuple[int, int, int]) -> dict[str, list[int]]:
    users, items, labels = zip(*triples, strict=True)
    return {"user": list(users), "item": list(items), "label": list(labels)}


TABLES = {
    "train": labelled((1, 10, 1), (1, 11, 1), (1, 12, 0), (2, 10, 1), (2, 14, 1), (2, 11, 0), (3, 14, 1)),
    "test": labelled((1, 14, 1), (1, 15, 0), (2, 12, 1), (2, 15, 0), (3, 10, 0)),
    "kg": {"head": [10, 14, 99, 10], "relation": [0, 0, 1, 0], "tail": [77, 77, 77, 10]},
    "relations": {"relation": [0, 1], "name": ["演唱", "属于"]},
}


def test_one_domain_is_called_items_and_knows_what_was_refused(tmp_path: Path) -> None:
    folder = open_split_folder(write_split_folder(tmp_path, TABLES))
    (domain,) = folder.domains
    assert folder.space.domains == ("items",)
    np.testing.assert_array_equal(domain.item_ids, [10, 11, 12, 14, 15])
    np.testing.assert_array_equal(domain.train.items, [0, 1, 0, 3, 3])
    np.testing.assert_array_equal(domain.shown.items, [2, 1])
    np.testing.assert_array_equal(domain.test.items, [3, 2])
    np.testing.assert_array_equal(domain.refused.items, [4, 4, 0])


def test_refused_rows_are_never_trained_on_and_training_ones_are_no_candidates(tmp_path: Path) -> None:
    folder = open_split_folder(write_split_folder(tmp_path, TABLES))
    split = final_split(folder)
    assert split.train.support().tolist() == [2, 1, 0, 2, 0]
    task = split.tasks["items"]
    assert [task.excluded.row(row).tolist() for row in range(2)] == [[0, 1, 2], [0, 1, 3]]
    rows_of = split.labelled["items"]
    assert rows_of.task.positives.tolist() == [3, 2, 4, 4, 0]
    assert rows_of.used.tolist() == [True, True, False, False, False]
    assert not validation_split(folder, np.random.default_rng(0)).labelled


def test_triples_join_items_and_entities(tmp_path: Path) -> None:
    graph = open_split_folder(write_split_folder(tmp_path, TABLES)).side.graph
    assert graph.entities == ("items:99", "items:77") or graph.entities == ("items:77", "items:99")
    names = [*("10", "11", "12", "14", "15"), *(entity.removeprefix("items:") for entity in graph.entities)]
    found = [
        (names[h], graph.relations[r], names[t]) for h, r, t in zip(graph.heads, graph.kinds, graph.tails, strict=True)
    ]
    assert found == [("10", "演唱", "77"), ("14", "演唱", "77"), ("99", "属于", "77"), ("10", "演唱", "10")]


def test_triples_of_two_domains_meet_in_entities_they_name_alike(tmp_path: Path) -> None:
    tables = {
        "a_train": rows((1, 1)), "a_test": rows((1, 2)), "b_train": rows((1, 1)), "b_test": rows((1, 2)),
        "a_kg": {"head": ["1", "涡轮"], "relation": ["about", "part of"], "tail": ["涡轮", "发动机"]},
        "b_kg": {"head": ["2"], "relation": ["about"], "tail": ["涡轮"]},
    }  # fmt: skip
    graph = open_split_folder(write_split_folder(tmp_path, tables)).side.graph
    assert graph.n_entities == 6
    assert (graph.heads.tolist(), graph.tails[[0, 2]].tolist()) == ([0, 4, 3], [4, 4])


@pytest.mark.parametrize(
    ("kg", "message"),
    [
        ({"head": [1], "tail": [2]}, "kg.parquet: the column 'relation' is missing"),
        ({"head": [1, None], "relation": [0, 0], "tail": [2, 3]}, "kg.parquet, row 2: 'head' must not be null"),
    ],
)
def test_bad_triples_are_named(tmp_path: Path, kg: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_split_folder(write_split_folder(tmp_path, TABLES | {"kg": kg}))


def test_a_benchmark_says_the_area_over_labelled_rows(tmp_path: Path) -> None:
    result = benchmark(write_split_folder(tmp_path, TABLES), ["popularity", "walk"]).to_json()
    models = result["domains"]["items"]["models"]
    # popularity scores: 10, 14 -> 2; 11 -> 1; the others are unknown. Used: 14, 12; refused: 15, 15, 10
    assert models["popularity"]["labelled"]["auc"] == pytest.approx((2.5 + 1.0) / 6)
    assert models["popularity"]["labelled"]["auc_by_person"] == pytest.approx((1.0 + 0.5) / 2)
    assert set(models["walk"]["labelled"]) == {"auc", "auc_by_person"}


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 2)), min_size=1, max_size=20))
def test_the_area_is_the_share_of_pairs_in_order(listed: list[tuple[int, bool, int]]) -> None:
    scores, used, people = (np.array(column) for column in zip(*listed, strict=True))

    def slow(rows: np.ndarray) -> float:
        pairs = [
            1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0
            for i in rows for j in rows if used[i] and not used[j]
        ]  # fmt: skip
        return float(np.mean(pairs)) if pairs else float("nan")

    np.testing.assert_allclose(auc(scores.astype(float), used), slow(np.arange(len(listed))))
    areas = [slow(np.flatnonzero(people == person)) for person in np.unique(people)]
    known = [area for area in areas if not np.isnan(area)]
    expected = np.mean(known) if known else float("nan")
    np.testing.assert_allclose(mean_auc(scores.astype(float), used, people), expected)
