import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.language import translator
from kuajie.core.space import ItemSpace
from kuajie.data.rows import Rows
from kuajie.data.split_folder import open_split_folder
from kuajie.evaluation.leaks import find_leaks, find_twins
from kuajie.evaluation.protocols import final_split
from kuajie.testing.splits import rows, write_split_folder

SPACE = ItemSpace(("a", "b", "c"), (4, 4, 3))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 10)), min_size=1, max_size=60), st.sampled_from([0.5, 0.8]))
def test_twins_are_found_as_by_hand(entries, least) -> None:
    people, items = (np.array(column) for column in zip(*entries, strict=True))
    found = find_twins(Rows(people.astype(np.int64), items.astype(np.int32)), SPACE, least, 2)
    pairs = {(int(a), int(b)): float(j) for a, b, j in zip(found.a, found.b, found.jaccard, strict=True)}
    domains = SPACE.domain_of(np.arange(11))
    sets = [{p for p, i in entries if i == item} for item in range(11)]
    in_domain = [set().union(*(sets[i] for i in range(11) if domains[i] == d)) for d in range(3)]
    expected = {}
    for a in range(11):
        for b in range(a + 1, 11):
            if domains[a] != domains[b]:
                linked = in_domain[domains[a]] & in_domain[domains[b]]
                both, either = sets[a] & sets[b], (sets[a] | sets[b]) & linked
                if len(both) >= 2 and len(both) / len(either) >= least:
                    expected[a, b] = len(both) / len(either)
    assert pairs == expected


def test_each_check_counts_what_it_is_for(tmp_path) -> None:
    tables = {
        "a_train": rows(*((p, 10, 0, 0) for p in range(4)), (0, 11, 1, 5)),
        "a_valid": rows((1, 12, 2, 6)),
        "a_test": rows((0, 10, 8, 9), (1, 99, 8, 9)),  # 10 is trained; 99 is not; person 1 is in validation too
        "a_candidates": {"row": [0, 1, 1], "item": [11, 11, 10]},  # 11 is person 0's, 10 person 1's
        "b_train": rows(*((p, 20, 3, 7) for p in range(4)), (4, 21, 0, 0), (5, 20, 0, 0)),  # 4 and 5 are not linked
        "b_test": rows((2, 21, 9, 9)),
    }
    folder = open_split_folder(write_split_folder(tmp_path, tables))
    leaks = {leak.name: leak for leak in find_leaks(folder, final_split(folder))}
    assert {name: leak.count for name, leak in leaks.items()} == {
        "test_rows_in_train": 1,
        "positives_among_negatives": 2,
        "people_in_validation_and_test": 1,
        "test_items_never_trained": 1,
        "equal_times_by_item": 0,
        "twin_items": 2,
    }
    assert all(leak.sentence.endswith(".") for leak in leaks.values())
    said = {name: leak.sentence.say(translator("zh")) for name, leak in leaks.items()}
    assert all(sentence.endswith("。") for sentence in said.values())
    assert said["test_rows_in_train"] == "3 条测试中有 1 条也出现在训练、验证或测试历史中：答案已泄露。"


def test_equal_times_in_order_of_item_are_an_artefact(tmp_path) -> None:
    def folder_with(items: list[int], name: str):
        train = [(p, item, place, 0) for p in range(15) for place, item in enumerate(items)]
        tables = {
            "a_train": rows(*train),
            "a_test": rows(*((p, 50, 3, 0) for p in range(15))),
            "b_train": rows(*((p, 1, 4, 1) for p in range(15))),
            "b_test": rows((0, 2, 9, 9)),
        }
        return open_split_folder(write_split_folder(tmp_path / name, tables))

    def count(folder) -> int:
        return {leak.name: leak.count for leak in find_leaks(folder, final_split(folder))}["equal_times_by_item"]

    assert count(folder_with([1, 2, 3], "ascending")) == 15
    assert count(folder_with([3, 1, 2], "mixed")) == 0
