"""What is trained on and what is asked: validation and test of a split folder, and splits of a workspace's own data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import DataError, UsageError
from kuajie.core.histories import Interactions, Order
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.data.rows import Rows
from kuajie.data.split_folder import SplitDomain, SplitFolder
from kuajie.evaluation.candidates import Candidates, with_candidates
from kuajie.evaluation.labelled import Labelled
from kuajie.evaluation.tasks import RankingTask, build_task, interactions_of

COLD_SHARE = 0.1
"""Of the linked people, who are made cold where that is only to be measured."""
COLD_ROWS, MOST_COLD_SHARE = 600, 0.25
"""Rows of cold people that weights and gate want, and the share of linked people that may be spent on them."""
LEAST_ROWS = 3
"""People give a validation row of a domain where they have so many training rows of it."""


@dataclass(frozen=True, eq=False)
class Split:
    """Training data and the rows asked of each domain.

    Attributes:
        train: what models are fitted on.
        tasks: by domain; a domain without rows has a task of none.
        notes: sentences that say where the rows come from.
        labelled: by domain, test rows that say whether the item was used, where the folder has both kinds.
    """

    train: Interactions
    tasks: Mapping[str, RankingTask]
    notes: tuple[Text, ...] = ()
    labelled: Mapping[str, Labelled] = field(default_factory=dict)


def validation_split(
    folder: SplitFolder, rng: np.random.Generator, candidates: Candidates = "full", seed: int = 0
) -> Split:
    """What choices may look at: never a test row.

    A domain's own validation rows where the folder has them, else one carved row for each person with at least three
    training rows of it: the last where ordered, else a random one. Carved rows are not in `train`. Where nobody asked
    is without target history, some become so: see `hide_for_cold`.

    Args:
        folder: as read.
        rng: draws the carved rows where there is no order.
        candidates: how to rank; "file" means "full", for the file names candidates of test rows.
        seed: of sampled candidates.
    """
    asked, kept, notes = {}, [], []
    for domain in folder.domains:
        if len(domain.valid):
            asked[domain.name] = domain.valid
            kept.append(domain.train)
            notes.append(
                Text("{domain}: {count} validation rows of the folder.", domain=domain.name, count=len(domain.valid))
            )
        else:
            carved = carve(domain.train, folder.order, rng)
            asked[domain.name] = domain.train.take(carved)
            kept.append(domain.train.take(~carved))
            count = int(carved.sum())
            notes.append(Text("{domain}: {count} validation rows carved from train.", domain=domain.name, count=count))
    everything = Rows.joined(kept)
    train = hide_for_cold(everything, asked, folder.space, rng)
    return make_split(
        folder.space,
        folder.order,
        folder.n_people,
        train,
        known=Rows.joined([train, folder.rows("valid_history")]),
        asked=asked,
        forbidden=Rows.joined([everything, folder.rows("shown")]),  # what was hidden is no negative
        candidates="full" if candidates == "file" else candidates,
        seed=seed,
        notes=tuple(notes),
        side=folder.side,
    )


def final_split(folder: SplitFolder, candidates: Candidates = "full", seed: int = 0) -> Split:
    """The final fit and the test rows.

    The folder's validation rows join training and histories where `validation_joins` says so; they are no candidates
    of their person in any case.
    """
    joining = [domain for domain in folder.domains if validation_joins(domain, folder.order)]
    train = Rows.joined([folder.rows("train"), *(domain.valid for domain in joining)])
    notes = tuple(
        Text("{domain}: validation rows join the final fit.", domain=domain.name)
        if domain in joining
        else Text("{domain}: validation rows stay out of the final fit.", domain=domain.name)
        for domain in folder.domains
        if len(domain.valid)
    )
    known = Rows.joined([train, folder.rows("test_history")])
    split = make_split(
        folder.space,
        folder.order,
        folder.n_people,
        train,
        known=known,
        asked={domain.name: domain.test for domain in folder.domains},
        forbidden=folder.rows("valid", "valid_history", "shown"),
        fixed={domain.name: domain for domain in folder.domains},
        candidates=candidates,
        seed=seed,
        notes=notes,
        side=folder.side,
    )
    return replace(split, labelled=labelled_rows(folder, known))


def labelled_rows(folder: SplitFolder, known: Rows) -> dict[str, Labelled]:
    """Used and refused test rows of domains that have both; none where rows have an order, which refused ones lack."""
    found: dict[str, Labelled] = {}
    if folder.order != "none":
        return found
    for domain in folder.domains:
        if len(domain.test) and len(domain.refused):
            rows = Rows.joined([domain.test, domain.refused])
            task = build_task(folder.space, domain.name, rows, known, "none", folder.n_people)
            found[domain.name] = Labelled(task, np.arange(len(rows)) < len(domain.test))
    return found


def validation_joins(domain: SplitDomain, order: Order) -> bool:
    """Whether validation rows may be trained on: only then nobody who must stay cold becomes known."""
    if not len(domain.valid) or order == "none":
        return False
    return bool(np.isin(domain.valid.people, domain.train.people).all())


def carve(rows: Rows, order: Order, rng: np.random.Generator, least: int = LEAST_ROWS) -> npt.NDArray[np.bool_]:
    """One row of each person with at least `least` rows of one domain: the last where ordered, else random.

    Returns:
        bool (n_rows,), true where a row is carved.
    """
    carved = np.zeros(len(rows), dtype=bool)
    if not len(rows):
        return carved
    ordered = order != "none" and rows.positions is not None
    rank = rows.positions if ordered else rng.random(len(rows))
    by_person = np.lexsort([np.asarray(rank), rows.people])
    people = rows.people[by_person]
    last = np.append(people[1:] != people[:-1], True)
    counts = np.bincount(people)[people]
    carved[by_person[last & (counts >= least)]] = True
    return carved


def make_split(
    space: ItemSpace,
    order: Order,
    n_people: int,
    train: Rows,
    *,
    known: Rows,
    asked: Mapping[str, Rows],
    forbidden: Rows | None = None,
    fixed: Mapping[str, SplitDomain] | None = None,
    candidates: Candidates = "full",
    seed: int = 0,
    notes: tuple[Text, ...] = (),
    side: SideInformation | None = None,
) -> Split:
    """Training data and one task for each domain of `asked`; see `build_task`."""
    tasks = {}
    for domain, rows in asked.items():
        task = build_task(
            space,
            domain,
            rows,
            known,
            order,
            n_people,
            () if forbidden is None else (forbidden,),
            None if fixed is None else fixed[domain].candidates,
        )
        tasks[domain] = with_candidates(task, candidates, seed) if len(rows) else task
    return Split(interactions_of(train, space, order, n_people, side), tasks, notes)


def rows_of(interactions: Interactions) -> Rows:
    """The entries of training data as rows; positions count inside each person, where there is an order."""
    histories = interactions.histories
    people = histories.rows()
    positions = None
    if histories.order != "none":
        positions = (np.arange(len(people)) - histories.indptr[people]).astype(np.float64)
    return Rows(people, histories.items, positions, histories.times, histories.weights)


def leave_one_out(
    interactions: Interactions,
    rng: np.random.Generator,
    candidates: Candidates = "full",
    seed: int = 0,
    least: int = LEAST_ROWS,
    people: npt.NDArray[np.bool_] | None = None,
    cold_share: float | None = 0.0,
) -> Split:
    """One row of each person and domain is asked: the last item used once where ordered, else a random such one.

    Args:
        interactions: all data of a workspace.
        rng: draws where there is no order.
        candidates: how to rank.
        seed: of sampled candidates.
        least: people give a row of a domain where they have so many rows of it.
        people: bool (n_people,), who gives rows; None: everybody.
        cold_share: of the linked people of each domain who lose what they have there (see `hide_for_cold`); None:
            enough for choices to be made on.
    """
    rows, space, order = rows_of(interactions), interactions.space, interactions.histories.order
    counts = interactions.domain_counts()[rows.people, space.domain_of(rows.items)]
    asking = np.ones(len(rows), dtype=bool) if people is None else people[rows.people]
    usable = np.flatnonzero(used_once(rows, space) & (counts >= least) & asking & (rows.strengths > 0))
    asked, held = {}, np.zeros(len(rows), dtype=bool)
    for domain in space.domains:
        part = space.slice(domain)
        own = usable[(rows.items[usable] >= part.start) & (rows.items[usable] < part.stop)]
        chosen = own[carve(rows.take(own), order, rng, least=1)]
        held[chosen] = True
        asked[domain] = rows.take(chosen)
    everything = rows.take(~held)
    train = everything if cold_share == 0 else hide_for_cold(everything, asked, space, rng, cold_share)
    return make_split(
        space,
        order,
        interactions.n_people,
        train,
        known=train,
        asked=asked,
        forbidden=everything,
        candidates=candidates,
        seed=seed,
        side=interactions.side,
    )


def person_folds(
    interactions: Interactions,
    folds: int,
    rng: np.random.Generator,
    candidates: Candidates = "full",
    seed: int = 0,
    cold_share: float = 0.0,
) -> Iterator[Split]:
    """Cross-validation for small data: in each fold a part of the people gives rows, the others stay whole in train.

    Everybody gives rows once. `cold_share` as in `leave_one_out`, of the people of each fold.

    Raises:
        UsageError: fewer than two folds, or more folds than people.
    """
    if not 2 <= folds <= interactions.n_people:
        raise UsageError(
            "folds must lie in 2..{n_people}, the number of people, got {folds}",
            n_people=interactions.n_people,
            folds=folds,
        )
    fold = rng.permutation(np.arange(interactions.n_people) % folds)
    for number in range(folds):
        yield leave_one_out(interactions, rng, candidates, seed, people=fold == number, cold_share=cold_share)


def time_split(interactions: Interactions, at: float, candidates: Candidates = "full", seed: int = 0) -> Split:
    """Train before `at` (unix seconds), ask what people use from then on; the history of a row is what was before `at`.

    Items that a person used before `at` are not asked for, and each item once. Rows without a time are training rows.

    Raises:
        DataError: there are no times, or nothing on one side of `at`.
    """
    rows, space, order = rows_of(interactions), interactions.space, interactions.histories.order
    if rows.times is None:
        raise DataError("a split by time needs times, and no event has one. Use leave-one-out.")
    after = rows.times >= at
    if not after.any() or after.all():
        side = Text("after") if after.all() else Text("before")
        raise DataError(
            "a split by time at {at:.0f} leaves nothing to train or to ask: all events are {side} it.", at=at, side=side
        )
    train, later = rows.take(~after), rows.take(after)
    keys = later.people * space.n_items + later.items
    first = np.zeros(len(later), dtype=bool)
    first[np.unique(keys, return_index=True)[1]] = True
    new = first & ~np.isin(keys, train.people * space.n_items + train.items)
    asked = {domain: later.take(new).within(space.slice(domain)) for domain in space.domains}
    return make_split(
        space,
        order,
        interactions.n_people,
        train,
        known=train,
        asked=asked,
        candidates=candidates,
        seed=seed,
        side=interactions.side,
    )


def hide_for_cold(
    train: Rows, asked: Mapping[str, Rows], space: ItemSpace, rng: np.random.Generator, share: float | None = None
) -> Rows:
    """Make people without target history, for domains where nobody asked is one.

    All training rows of the domain are taken from a share of the linked people who give a row of it; their asked row
    stays. Nobody loses more than one domain.

    Args:
        train: rows without the asked ones.
        asked: rows of each domain.
        space: the joint item space.
        rng: draws the people.
        share: of the linked people who give a row; None: enough of them for choices to be made on (see `COLD_ROWS`).

    Returns:
        the training rows that stay.
    """
    kept = np.ones(len(train), dtype=bool)
    touched = np.empty(0, np.int64)
    for domain, rows in asked.items():
        part = space.slice(domain)
        inside = (train.items >= part.start) & (train.items < part.stop)
        known = np.isin(rows.people, train.people[inside])
        linked = np.setdiff1d(np.intersect1d(rows.people, train.people[~inside]), touched)
        if not known.all() or not len(linked):
            continue
        wanted = min(max(COLD_ROWS / len(linked), COLD_SHARE), MOST_COLD_SHARE) if share is None else share
        people = rng.choice(linked, round(wanted * len(linked)), replace=False)
        kept &= ~(inside & np.isin(train.people, people))
        touched = np.union1d(touched, people)
    return train.take(kept)


def used_once(rows: Rows, space: ItemSpace) -> npt.NDArray[np.bool_]:
    """Rows whose item their person uses in no other row."""
    _, places, counts = np.unique(rows.people * space.n_items + rows.items, return_inverse=True, return_counts=True)
    return np.asarray(counts[places] == 1)
