import numpy as np
import pytest

from kuajie.core.errors import DataError, UsageError
from kuajie.data.split_folder import SplitFolder, open_split_folder
from kuajie.evaluation.protocols import final_split
from kuajie.evaluation.settings import in_setting, parse_setting
from kuajie.testing.splits import rows, write_split_folder


@pytest.fixture
def folder(tmp_path) -> SplitFolder:
    """Person 0 is known in both domains, 1 and 2 in one; the test row of 1 has no history elsewhere."""
    tables = {
        "书_train": rows((0, 1), (0, 2), (1, 3), (1, 1)),
        "书_test": rows((0, 3), (1, 2)),
        "film_train": rows((0, 7), (0, 8), (2, 9), (2, 7)),
        "film_valid": rows((2, 8)),
        "film_test": rows((0, 9)),
        "film_test_history": rows((0, 6)),
    }
    return open_split_folder(write_split_folder(tmp_path / "split", tables))


def test_cut_links_leave_nobody_shared(folder: SplitFolder) -> None:
    cut = in_setting(folder, "cut-links")
    split = final_split(cut)
    assert (split.train.domain_counts() > 0).sum(axis=1).max() == 1
    assert len(split.train.histories.items) == 8
    people = {domain.name: set(domain.train.people.tolist()) for domain in cut.domains}
    assert not people["书"] & people["film"]


def test_who_is_asked_has_the_other_domains_alone(folder: SplitFolder) -> None:
    split = final_split(in_setting(folder, "cut-links"))
    books, films = split.tasks["书"], split.tasks["film"]
    assert (books.n_rows, films.n_rows) == (1, 1)  # person 1 has nothing elsewhere
    part = split.train.space.slice("film")
    assert sorted((books.histories.items - part.start).tolist()) == [0, 1, 2]  # 6, 7 and 8, test history too
    assert books.target_lengths.tolist() == [0]
    assert not np.isin(books.people, np.flatnonzero(split.train.histories.lengths)).any()


def test_new_items_lose_their_behaviour_and_known_ones_keep_it(folder: SplitFolder) -> None:
    new, known = (in_setting(folder, setting, seed=3) for setting in ("new-items", "known-items"))
    for before, hidden, kept in zip(folder.domains, new.domains, known.domains, strict=True):
        np.testing.assert_array_equal(hidden.test.items, kept.test.items)
        assert len(hidden.test) <= len(before.test)
        assert len(kept.train) == len(before.train)
        assert len(hidden.train) < len(before.train)
        assert not np.isin(hidden.test.items, np.concatenate([hidden.train.items, hidden.valid.items])).any()


def test_a_setting_without_rows_says_so(tmp_path) -> None:
    tables = {"a_train": rows((0, 1)), "a_test": rows((0, 2)), "b_train": rows((1, 1)), "b_test": rows((1, 2))}
    alone = open_split_folder(write_split_folder(tmp_path / "split", tables))
    with pytest.raises(DataError, match="'cut-links' no test row is left"):
        in_setting(alone, "cut-links")


def test_an_unknown_setting_names_the_known() -> None:
    with pytest.raises(UsageError, match="plain, cut-links, new-items, known-items, got 'hard'"):
        parse_setting("hard")
