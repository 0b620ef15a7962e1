"""Step: the members of a blend brought up to date instead of fitted anew.

    members that follow from sums    what changed is subtracted and added; the same as a fit, to float precision
    members that are learned         go on from the factors of the model before
    all others                       are fitted anew

The sums of a version are kept beside it. They hold no person's row; which rows have changed is seen by comparing its
snapshot with the new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.errors import CallError, ResourceError
from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.core.statistics import Changes, Statistics, Updatable, WarmStart, changed_rows, updated
from kuajie.data.catalog import Catalog
from kuajie.data.dataset import JointDataset
from kuajie.models.blend import FitKey, fit_scoped
from kuajie.models.merged import Merged
from kuajie.models.registry import build

Sums = dict[str, Statistics]
"""By `Updatable.statistics_name` and target."""
MOST_CHANGED = 0.5
"""Where more of the people have changed, summing everything anew is quicker."""


def numbers_in(old: Catalog, new: Catalog) -> npt.NDArray[np.int32]:
    """The joint number that each item of a newer catalogue has in an older one, -1: none; or the other way round."""
    numbers = np.full(new.space.n_items, -1, np.int32)
    for domain in new.space.domains:
        if domain in old.space.domains:
            found = old.ids[domain].numbers(new.ids[domain].all)
            numbers[new.space.slice(domain)] = np.where(found >= 0, found + old.space.slice(domain).start, -1)
    return numbers


@dataclass(frozen=True, eq=False)
class Earlier:
    """A version to go on from.

    Attributes:
        model: as it was stored.
        dataset: its snapshot.
        sums: kept beside it; none where they were lost.
    """

    model: Recommender
    dataset: JointDataset
    sums: Mapping[str, Statistics]

    def fit_of(self, key: FitKey) -> Recommender | None:
        """A member that is stored whole."""
        rest = self.model.rest_ if isinstance(self.model, Merged) else None
        return None if rest is None else rest.fits_.get(key)


@dataclass(eq=False)
class Step:
    """Fits members for `Blend.fit`, from an earlier version as far as that goes.

    Attributes:
        catalog: of the new snapshot.
        earlier: None: everything is fitted anew, and sums are kept for the next step.
        sums: of the members that were fitted.
        how: what was done for each member.
    """

    catalog: Catalog
    earlier: Earlier | None = None
    sums: Sums = field(default_factory=dict)
    how: list[str] = field(default_factory=list)
    _changes: dict[tuple[str | None, bool], Changes] = field(default_factory=dict)

    def fit(self, config: Config, target: str | None, interactions: Interactions, options: FitOptions) -> Recommender:
        """One member, on everything (`target` None) or on one domain alone."""
        model, data = build(config), interactions if target is None else interactions.only(target)
        if isinstance(model, Updatable):
            try:
                return model.fit_statistics(self._sums_of(model, target, data), options)
            except (ResourceError, CallError):  # too large, or a form that does not follow from sums
                return self._anew(config, target, interactions, options)
        before = None if self.earlier is None else self.earlier.fit_of(FitKey(config, target))
        if isinstance(model, WarmStart) and isinstance(before, WarmStart):
            self.how.append("warm")
            return model.fit_from(before, self._numbers, data, options)
        return self._anew(config, target, interactions, options)

    def _anew(self, config: Config, target: str | None, interactions: Interactions, options: FitOptions) -> Recommender:
        self.how.append("anew")
        return fit_scoped(config, target, interactions, options)

    def _sums_of(self, model: Updatable, target: str | None, data: Interactions) -> Statistics:
        name = f"{model.statistics_name} target={target}"
        if name not in self.sums:
            self.sums[name] = self._summed(model, name, target, data)
        return self.sums[name]

    def _summed(self, model: Updatable, name: str, target: str | None, data: Interactions) -> Statistics:
        before = None if self.earlier is None else self.earlier.sums.get(name)
        if before is not None:
            changes = self._changes_of(target, data, model.binary)
            if changes.added.n_people <= MOST_CHANGED * data.n_people:
                self.how.append("updated")
                return updated(model, before, changes, self._numbers)
        self.how.append("summed")
        return model.statistics(data)

    def _changes_of(self, target: str | None, data: Interactions, binary: bool) -> Changes:
        key = target, binary
        if key not in self._changes:
            old = self._old if target is None else self._old.only(target)
            self._changes[key] = changed_rows(old, data, self._numbers, binary=binary)
        return self._changes[key]

    @cached_property
    def _old(self) -> Interactions:
        assert self.earlier is not None  # noqa: S101 - asked where it is there
        return self.earlier.dataset.interactions()

    @cached_property
    def _numbers(self) -> npt.NDArray[np.int32]:
        assert self.earlier is not None  # noqa: S101 - asked where it is there
        return numbers_in(self.catalog, self.earlier.dataset.catalog)
