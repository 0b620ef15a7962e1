"""The contract of every re-ranker.

    candidates (items and scores, best first)  +  what is known of items and people  ->  an order of the places

A re-ranker is a frozen config and a small class; it works on many lists at once and each list comes out as it would
alone (fairness, which counts from list to list, is the one exception). What it keeps stays in the order it had among
equals; what it drops, it says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.errors import UsageError
from kuajie.core.texts import Text
from kuajie.numerics.jit import F64, I32

Share = Annotated[float, Field(ge=0, le=1)]
U64 = npt.NDArray[np.uint64]
I8 = npt.NDArray[np.int8]


class StepConfig(Config):
    """What every step of a pipeline can say.

    Attributes:
        targets: domains whose lists it works on; none named: all.
    """

    targets: tuple[str, ...] = ()

    def at(self, strength: float, k: int) -> Self:
        """The same step with another strength, for lists of k: 0 leaves lists as they are, 1 is the most it can do.

        Raises:
            UsageError: it has no strength.
        """
        if "strength" not in type(self).model_fields:
            raise UsageError("'{kind}' has no strength that could be tried out", kind=kind_of(self))
        return self.model_copy(update={"strength": strength})


def kind_of(config: Config) -> str:
    """The step's name in a config."""
    return str(config.kind)  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Lists to choose from, best first.

    Attributes:
        items: int32 (n, m), numbers of the joint item space; -1: an item of which nothing is known.
        scores: float64 (n, m), not increasing; NaN where a list has no candidate.
        shown: int64 (n, m), how often the person was shown the item lately; None: not known.
        recent: int32 (n, m), the item's place in `Context.recent`; -1: nothing new is known of it; None: of none.
    """

    items: I32
    scores: F64
    shown: npt.NDArray[np.int64] | None = None
    recent: I32 | None = None

    def __post_init__(self) -> None:
        if self.items.ndim != 2 or self.items.shape != self.scores.shape or np.isposinf(self.scores).any():
            raise UsageError(
                "candidates need items and finite scores of one shape (lists, places), got {items} and {scores}",
                items=self.items.shape,
                scores=self.scores.shape,
            )

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Where there is a candidate: bool (n, m)."""
        return np.isfinite(self.scores)

    def reordered(self, order: I32) -> "Candidates":
        """The candidates in another order; places keep their scores and items move between them.

        So the next step reads the order of this one as relevance. Of what was dropped the scores go too.
        """
        kept, at = order >= 0, np.maximum(order, 0)
        own = np.where(kept, np.take_along_axis(self.scores, at, axis=1), np.nan)
        falling = -np.sort(-own, axis=1)  # NaN last
        items = np.where(kept, np.take_along_axis(self.items, at, axis=1), np.int32(-1)).astype(np.int32)
        shown = None if self.shown is None else np.where(kept, np.take_along_axis(self.shown, at, axis=1), 0)
        recent = self.recent
        if recent is not None:
            recent = np.where(kept, np.take_along_axis(recent, at, axis=1), np.int32(-1)).astype(np.int32)
        return Candidates(items, falling, shown, recent)


@dataclass(frozen=True, eq=False)
class Labels:
    """One word for each item, such as its brand.

    Attributes:
        codes: int32 (n_items,), -1 where there is none.
        names: of the codes.
    """

    codes: I32
    names: tuple[str, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """The code of each name."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def _sizes(self) -> dict[tuple[int | None, int | None], F64]:
        return {}

    def sizes(self, part: slice) -> F64:
        """Items of a part of the space with each code, counted once: float64 (n_names,)."""
        key = part.start, part.stop
        if key not in self._sizes:
            codes = self.codes[part]
            self._sizes[key] = np.bincount(codes[codes >= 0], minlength=len(self.names)).astype(np.float64)
        return self._sizes[key]

    def of(self, items: I32) -> I32:
        """The codes of candidates, -1 where nothing is known."""
        return np.where(items >= 0, self.codes[items], np.int32(-1)).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Groups:
    """Several words for each item, such as its topics.

    Attributes:
        matrix: float64 CSR (n_items, n_groups), rows sum to 1 or are empty: the item's share of each.
        names: of the groups.
    """

    matrix: sparse.csr_array
    names: tuple[str, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """The column of each name."""
        return {name: place for place, name in enumerate(self.names)}

    @classmethod
    def of(cls, matrix: sparse.sparray, names: tuple[str, ...]) -> "Groups":
        """From any weights >= 0."""
        return cls(shares(sparse.csr_array(matrix, dtype=np.float64)), names)

    @classmethod
    def of_labels(cls, labels: Labels) -> "Groups":
        """One group for each item."""
        known = np.flatnonzero(labels.codes >= 0)
        ones = (np.ones(len(known)), (known, labels.codes[known]))
        return cls(sparse.csr_array(ones, shape=(len(labels.codes), len(labels.names))), labels.names)


def shares(matrix: sparse.csr_array) -> sparse.csr_array:
    """Rows scaled to sum 1; empty rows stay empty."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    scaled = sparse.diags_array(1 / np.where(sums > 0, sums, 1.0)) @ matrix
    return sparse.csr_array(scaled)


@dataclass(frozen=True, eq=False)
class Items:
    """What is known of items, by the names that configs use; each over all n_items of the joint space.

    Attributes:
        vectors: float64 CSR (n_items, d) with rows of length 1 or 0: what similarity is the cosine of.
        labels: one word for each item.
        groups: several words for each item.
        numbers: float64 (n_items,), NaN where not known, such as price, stock and popularity.
    """

    vectors: Mapping[str, sparse.csr_array] = field(default_factory=dict)
    labels: Mapping[str, Labels] = field(default_factory=dict)
    groups: Mapping[str, Groups] = field(default_factory=dict)
    numbers: Mapping[str, F64] = field(default_factory=dict)

    def vector(self, name: str) -> sparse.csr_array:
        """Vectors by name.

        Raises:
            UsageError: there are none.
        """
        rows: sparse.csr_array = _known(self.vectors, name)
        return rows

    def label(self, name: str) -> Labels:
        """Labels by name.

        Raises:
            UsageError: there are none.
        """
        labels: Labels = _known(self.labels, name)
        return labels

    def group(self, name: str) -> Groups:
        """Groups by name; labels are groups too.

        Raises:
            UsageError: there are none.
        """
        if name not in self.groups and name in self.labels:
            return Groups.of_labels(self.labels[name])
        groups: Groups = _known(self.groups, name)
        return groups

    def number(self, name: str, items: I32) -> F64:
        """Numbers of candidates by name, NaN where nothing is known: shape of `items`.

        Raises:
            UsageError: there are none.
        """
        return np.where(items >= 0, _known(self.numbers, name)[items], np.nan)

    @cached_property
    def _scales(self) -> dict[str, tuple[float, float]]:
        return {}

    def scale(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation of what is known of a number, found out once for the catalogue.

        Several threads may ask: at worst each of the first ones finds the same out.

        Returns:
            (0, 1) where nothing is known; a deviation of 1 where all are alike.

        Raises:
            UsageError: there are none.
        """
        if name not in self._scales:
            values = _known(self.numbers, name)
            values = values[~np.isnan(values)]
            mean, spread = (float(values.mean()), float(values.std())) if len(values) else (0.0, 1.0)
            self._scales[name] = mean, spread if spread > 0 else 1.0
        return self._scales[name]


def _known(values: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 # one of four kinds
    if name not in values:
        raise UsageError(
            "re-ranking asks for '{name}' of items, which is not known; known are {known}",
            name=name,
            known=", ".join(sorted(values)) or Text("nothing"),
        )
    return values[name]


@dataclass(frozen=True, eq=False)
class People:
    """What is known of who asks, a row for each list.

    Attributes:
        mixes: by the name of groups, float64 CSR (n, n_groups): what share of the history each has; rows sum to 1, or
            are empty where nothing is known.
        numbers: float64 (n,), NaN where not known, such as age.
        words: (n,) text, empty where not known, such as region.
    """

    mixes: Mapping[str, sparse.csr_array] = field(default_factory=dict)
    numbers: Mapping[str, F64] = field(default_factory=dict)
    words: Mapping[str, npt.NDArray[np.str_]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Context:
    """Everything beside the candidates.

    Attributes:
        items, people: what is known.
        seeds: uint64 (n,), of what is random in each list; None: list r has the seed r.
        state: by kind, what a step with a memory knows so far (`Exposures`, `Answers`, `Ridge`).
        part: of the item space, the catalogue that lists are made of; left out: all of it.
        recent: facts that business rules read instead, of items that are no longer what `items` says, or not in it.
    """

    items: Items
    people: People = field(default_factory=People)
    seeds: U64 | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    part: slice = field(default_factory=lambda: slice(None))
    recent: Items | None = None

    def seeds_of(self, n: int) -> U64:
        """A seed for each of n lists."""
        return np.arange(n, dtype=np.uint64) if self.seeds is None else self.seeds


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a step made of its candidates.

    Attributes:
        order: int32 (n, m), places of the candidates as they stand now, best first: the step's own choice for the
            first k, then the rest as it was; -1 at the end, for every candidate that was dropped or never there.
        why: int8 (n, m), for each candidate 0, or 1 + the place in `words` of why it was dropped.
        words: reasons.
        propensity: float64 (n, m), for each place the probability of its item there; None: it could be no other.
        state: what a step with a memory knows now.
        relevance: float64 (n, m), for each place what the step saw of its item, where it learns from that.
    """

    order: I32
    why: I8 | None = None
    words: tuple[Text, ...] = ()
    propensity: F64 | None = None
    state: Any = None
    relevance: F64 | None = None


class Reranker(Protocol):
    """What every step can do."""

    @property
    def config(self) -> StepConfig:
        """The frozen hyperparameters."""

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """The candidates in the order that people should see, of which the first k count.

        Raises:
            UsageError: it needs something that is not known.
        """


def relevance(scores: F64) -> F64:
    """Scores on one scale for all lists and models: the best of a list is 1, the worst 0, all alike 1; NaN stays."""
    present = np.isfinite(scores)
    high = np.max(np.where(present, scores, -np.inf), axis=1, keepdims=True, initial=-np.inf)
    low = np.min(np.where(present, scores, np.inf), axis=1, keepdims=True, initial=np.inf)
    width = np.where(high > low, high - low, 1.0)
    with np.errstate(invalid="ignore"):
        scaled = np.where(high > low, (scores - low) / width, 1.0)
    return np.where(present, scaled, np.nan)


def as_they_are(candidates: Candidates, kept: npt.NDArray[np.bool_] | None = None) -> I32:
    """The order of what is present (and kept): int32 (n, m)."""
    kept = candidates.present if kept is None else candidates.present & kept
    order = np.argsort(~kept, axis=1, kind="stable").astype(np.int32)
    return np.where(np.take_along_axis(kept, order, axis=1), order, np.int32(-1))


def by_value(values: F64, candidates: Candidates) -> I32:
    """Present candidates by falling value, equal ones as they were: int32 (n, m)."""
    keys = np.where(candidates.present, -values, np.inf)
    order = np.argsort(keys, axis=1, kind="stable").astype(np.int32)
    return np.where(np.take_along_axis(candidates.present, order, axis=1), order, np.int32(-1))
