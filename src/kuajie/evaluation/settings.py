"""Harder settings of a split folder: nobody is linked, or a tenth of the items is new.

Each is a split folder made of another one, which every model then meets as usual.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from kuajie.core.errors import DataError, UsageError
from kuajie.core.texts import Text
from kuajie.data.rows import Rows
from kuajie.data.split_folder import SplitDomain, SplitFolder

Setting: TypeAlias = Literal["plain", "cut-links", "new-items", "known-items"]
NEW_SHARE = 0.1


def parse_setting(name: str) -> Setting:
    """A setting's name.

    Raises:
        UsageError: no such setting.
    """
    if name not in get_args(Setting):
        raise UsageError(
            "the setting must be one of {known}, got '{name}'", known=", ".join(get_args(Setting)), name=name
        )
    return name  # type: ignore[return-value]


def in_setting(folder: SplitFolder, setting: Setting, seed: int = 0) -> SplitFolder:
    """The folder in a setting; `new-items` and `known-items` of one seed ask for the same rows.

    Raises:
        DataError: nothing is left to ask for.
    """
    rng = np.random.default_rng([seed, 41])
    ways: dict[Setting, Callable[[], SplitFolder]] = {
        "plain": lambda: folder,
        "cut-links": lambda: without_links(folder),
        "new-items": lambda: with_new_items(folder, rng, hidden=True),
        "known-items": lambda: with_new_items(folder, rng, hidden=False),
    }
    changed = ways[setting]()
    if not any(len(domain.test) for domain in changed.domains):
        raise DataError("in the setting '{setting}' no test row is left to ask for.", setting=setting)
    return changed


def without_links(folder: SplitFolder) -> SplitFolder:
    """Zero shared people: everybody becomes one person in each domain, who is known there alone.

    Who is asked in a domain is somebody new, with what they did in the other domains as history and nothing else, so
    that only what is said of items leads to the answer. Rows of people without such a history are not asked.
    Validation rows are left out: with nobody linked there would be none to choose on.
    """
    width = len(folder.domains)
    known = {d.name: Rows.joined([d.train, d.test_history]) for d in folder.domains}

    def cut(domain: SplitDomain, number: int) -> SplitDomain:
        start = folder.n_people * width
        others = Rows.joined(rows for name, rows in known.items() if name != domain.name)
        test = domain.test.take(np.isin(domain.test.people, others.people))
        return replace(
            domain,
            train=_moved(domain.train, width, number),
            test=_moved(test, width, start + number),
            valid=Rows.joined([]),
            valid_history=Rows.joined([]),
            test_history=_moved(others.take(np.isin(others.people, test.people)), width, start + number),
            candidates=None,
        )

    people = np.arange(2 * folder.n_people * width, dtype=np.int64)
    note = Text("Links are cut: everybody is another person in each domain, and who is asked is new in the target.")
    domains = tuple(cut(domain, number) for number, domain in enumerate(folder.domains))
    return replace(folder, people=people, domains=domains, notes=(*folder.notes, note))


def _moved(rows: Rows, width: int, start: int) -> Rows:
    return replace(rows, people=rows.people * width + start)


def with_new_items(folder: SplitFolder, rng: np.random.Generator, *, hidden: bool) -> SplitFolder:
    """Only rows of a random tenth of each domain's items are asked.

    Args:
        folder: as read.
        rng: draws the items, of those with training rows.
        hidden: nobody has used these items before: all their rows but the test rows are taken away.
    """
    new = np.zeros(folder.space.n_items, dtype=bool)
    for domain in folder.domains:
        used = np.unique(domain.train.items)
        new[rng.choice(used, max(1, round(NEW_SHARE * len(used))), replace=False)] = True

    def left(rows: Rows) -> Rows:
        return rows.take(~new[rows.items]) if hidden else rows

    domains = tuple(
        replace(
            domain,
            train=left(domain.train),
            valid=left(domain.valid),
            valid_history=left(domain.valid_history),
            test_history=left(domain.test_history),
            test=domain.test.take(new[domain.test.items]),
            candidates=None,
        )
        for domain in folder.domains
    )
    note = Text(
        "A tenth of the items is asked for, {count} in all; their behaviour is {known}.",
        count=int(new.sum()),
        known=Text("hidden") if hidden else Text("known"),
    )
    return replace(folder, domains=domains, notes=(*folder.notes, note))
