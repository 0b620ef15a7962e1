"""Checks of a split that run by themselves: what in the data makes results look better or worse than they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.histories import Interactions
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.data.rows import Rows
from kuajie.data.split_folder import SplitFolder
from kuajie.evaluation.protocols import Split
from kuajie.evaluation.tasks import RankingTask

Ints = npt.NDArray[np.int64]
TWIN_JACCARD = 0.8
TWIN_SHARED = 3
ARTEFACT_SHARE = 0.9  # of the equal times in ascending item id, above which the order is taken for an artefact
ARTEFACT_LEAST = 20


@dataclass(frozen=True)
class Leak:
    """What one check found.

    Attributes:
        name: of the check, as it stands in the JSON.
        count: how many; 0 is good.
        sentence: what it means, with its numbers.
    """

    name: str
    count: int
    sentence: Text


def find_leaks(folder: SplitFolder, final: Split, twins: "Twins | None" = None) -> tuple[Leak, ...]:
    """Every check of a folder and its final split; twins are searched where not given."""
    twins = find_twins(folder.rows(*ALL_PARTS), folder.space) if twins is None else twins
    return (
        rows_in_train(folder),
        positives_among_negatives(folder, final.tasks),
        people_in_validation_and_test(folder),
        items_never_trained(folder, final.train),
        equal_times_by_item(folder),
        twin_items(folder, twins),
    )


ALL_PARTS = ("train", "valid", "test", "valid_history", "test_history")


def pairs(rows: Rows, space: ItemSpace) -> Ints:
    """One number for each (person, item)."""
    return rows.people * space.n_items + rows.items


def rows_in_train(folder: SplitFolder) -> Leak:
    """Test rows whose person has the same item in a file that models see."""
    test = pairs(folder.rows("test"), folder.space)
    known = pairs(folder.rows("train", "valid", "test_history"), folder.space)
    count = int(np.isin(test, known).sum())
    return Leak(
        "test_rows_in_train",
        count,
        Text(
            "{count} of {total} test rows stand in train, validation or test history too: they are given away.",
            count=count,
            total=len(test),
        ),
    )


def positives_among_negatives(folder: SplitFolder, tasks: Mapping[str, RankingTask]) -> Leak:
    """Negatives that are items of the person: those the folder fixed, and those that were drawn."""
    own = np.unique(pairs(folder.rows(*ALL_PARTS), folder.space))
    count = total = 0
    for domain in folder.domains:
        if domain.candidates is not None:
            people = np.repeat(domain.test.people, np.diff(domain.candidates.indptr))
            count += int(np.isin(people * folder.space.n_items + domain.candidates.items, own).sum())
            total += len(domain.candidates.items)
        task = tasks.get(domain.name)
        if task is not None and task.candidates is not None:
            items = task.candidates.items + np.int64(folder.space.slice(domain.name).start)
            drawn = task.people[task.candidates.rows()] * folder.space.n_items + items
            count += int(np.isin(drawn, own).sum())
            total += len(items)
    return Leak(
        "positives_among_negatives",
        count,
        Text(
            "{count} of {total} sampled or given negatives are items that the person used; given ones are left out.",
            count=count,
            total=total,
        ),
    )


def people_in_validation_and_test(folder: SplitFolder) -> Leak:
    """People with validation rows and test rows in one domain."""
    shared = [np.intersect1d(domain.valid.people, domain.test.people) for domain in folder.domains]
    count = len(np.unique(np.concatenate(shared)))
    return Leak(
        "people_in_validation_and_test",
        count,
        Text(
            "{count} people have validation and test rows in one domain: what is chosen on the one knows the other.",
            count=count,
        ),
    )


def items_never_trained(folder: SplitFolder, train: Interactions) -> Leak:
    """Test rows whose item is not in the final training data."""
    test = folder.rows("test").items
    count = int((train.support()[test] == 0).sum())
    return Leak(
        "test_items_never_trained",
        count,
        Text(
            "{count} of {total} test rows ask for items that nobody used in training; they share the last ranks.",
            count=count,
            total=len(test),
        ),
    )


def equal_times_by_item(folder: SplitFolder) -> Leak:
    """Test rows that follow a row of the same time stamp, where such rows stand in ascending item number."""
    name = "equal_times_by_item"
    rows = folder.rows(*ALL_PARTS)
    if rows.times is None or rows.positions is None:
        nothing = Text("No rows have both an order and times, so none of equal time can be in order of item.")
        return Leak(name, 0, nothing)
    test = np.isin(pairs(rows, folder.space), pairs(folder.rows("test"), folder.space))
    groups = rows.people
    if folder.order == "domain":
        groups = groups * len(folder.space.domains) + folder.space.domain_of(rows.items)
    by_place = np.lexsort([rows.positions, groups])
    groups, times, items, test = groups[by_place], rows.times[by_place], rows.items[by_place], test[by_place]
    equal = (groups[1:] == groups[:-1]) & (times[1:] == times[:-1])
    together, ascending = int(equal.sum()), int((equal & (items[1:] > items[:-1])).sum())
    artefact = together >= ARTEFACT_LEAST and ascending >= ARTEFACT_SHARE * together
    count = int((equal & test[1:]).sum()) if artefact else 0
    return Leak(
        name,
        count,
        Text(
            "{together} neighbouring rows have equal times, {ascending} of them in ascending item number; "
            "the order before {count} test rows is an artefact of that.",
            together=together,
            ascending=ascending,
            count=count,
        ),
    )


@dataclass(frozen=True, eq=False)
class Twins:
    """Pairs of items of different domains that nearly the same people use.

    Attributes:
        a, b: int64 (n_pairs,), joint item numbers.
        jaccard: float64 (n_pairs,).
        share_of_rows: of all rows, the part on items that are in a pair.
    """

    a: Ints
    b: Ints
    jaccard: npt.NDArray[np.float64]
    share_of_rows: float

    @property
    def items(self) -> Ints:
        """All items in a pair, ascending."""
        return np.unique(np.concatenate([self.a, self.b]))


def find_twins(
    rows: Rows, space: ItemSpace, least_jaccard: float = TWIN_JACCARD, least_shared: int = TWIN_SHARED
) -> Twins:
    """Items of two domains whose sets of people nearly agree: probably the same product listed twice.

    Only people with rows in both domains count, and at least `least_shared` of them must share the pair. Where there
    is one domain alone, there are none.
    """
    if len(space.domains) < 2:
        return Twins(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), 0.0)
    used = sparse.csr_array(
        (np.ones(len(rows), np.int32), (rows.people, rows.items)),
        shape=(int(rows.people.max(initial=-1)) + 1, space.n_items),
    )
    used.sum_duplicates()
    used.data[:] = 1
    found = [twins_between(used, space.slice(a), space.slice(b), least_jaccard, least_shared) for a, b in
             combinations(space.domains, 2)]  # fmt: skip
    a, b, jaccard = (np.concatenate(columns) for columns in zip(*found, strict=True))
    on_twins = np.isin(rows.items, np.concatenate([a, b]))
    return Twins(a, b, jaccard, float(on_twins.mean()) if len(rows) else 0.0)


def twins_between(
    used: sparse.csr_array, first: slice, second: slice, least_jaccard: float, least_shared: int
) -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
    """Pairs of two domains: joint numbers and Jaccard similarity."""
    left, right = used[:, first], used[:, second]
    linked = (np.diff(left.indptr) > 0) & (np.diff(right.indptr) > 0)
    left, right = left[linked], right[linked]
    n_left, n_right = (np.asarray(part.sum(axis=0)).ravel() for part in (left, right))
    # items of fewer people cannot reach the shared number: most of the long tail goes before the product
    keep_left, keep_right = np.flatnonzero(n_left >= least_shared), np.flatnonzero(n_right >= least_shared)
    shared = (left[:, keep_left].T @ right[:, keep_right]).tocoo()
    rows, columns = keep_left[shared.coords[0]], keep_right[shared.coords[1]]
    jaccard = shared.data / (n_left[rows] + n_right[columns] - shared.data)
    twin = (shared.data >= least_shared) & (jaccard >= least_jaccard)
    return (rows[twin] + first.start).astype(np.int64), (columns[twin] + second.start).astype(np.int64), jaccard[twin]


def twin_items(folder: SplitFolder, twins: Twins) -> Leak:
    """How much of the data is on twins."""
    count = len(twins.items)
    test = int(np.isin(folder.rows("test").items, twins.items).sum())
    return Leak(
        "twin_items",
        count,
        Text(
            "{count} items have a twin in another domain (Jaccard of their people >= {jaccard}, at least "
            "{shared} shared): {share:.1%} of all rows and {test} test rows are on them.",
            count=count,
            jaccard=TWIN_JACCARD,
            shared=TWIN_SHARED,
            share=twins.share_of_rows,
            test=test,
        ),
    )
