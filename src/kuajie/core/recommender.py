"""The contract of every recommender.

    fit(joint interactions) -> model
    score(histories, target domain) -> one score per target item     (unknown = NaN, order kept)
    explain(history, target, items) -> what in the history the scores came from

A recommender is a frozen config and a small class. Hyperparameters live in the config and nowhere else; run options
are passed to `fit`. Learned state ends in `_`. NaN means "no training support": an item that was never trained, or
a history without any known item (its row is all NaN and the caller falls back). Callers mask what was seen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.errors import ArtifactError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.core.tracking import UNTRACKED, Tracker

Scope = Literal["target", "joint", "source"]
"""What a model may see for one target domain: that domain alone, everything, or everything but that domain."""


Device = Literal["cpu", "cuda", "auto"]
"""Where deep models are trained; auto: on a CUDA device where there is one."""


@dataclass(frozen=True)
class FitOptions:
    """How to run a fit; nothing here changes what is learned except the seed, and a limit of time that is reached.

    Attributes:
        seed: of everything random.
        threads: how many threads.
        memory_bytes: what a fit may use.
        device: of deep models.
        seconds: deep models stop training after so long and keep their best epoch; None: no limit.
        checkpoints: folder in which deep models keep their best and latest epoch, and go on where a fit of the same
            model on the same data was interrupted; None: nothing is written.
        progress: told each epoch of deep models.
        tracker: told the settings and metrics of deep models.
    """

    seed: int = 0
    threads: int = 2
    memory_bytes: int = 8 * 2**30
    device: Device = "cpu"
    seconds: float | None = None
    checkpoints: Path | None = None
    progress: Progress = silent
    tracker: Tracker = UNTRACKED


@dataclass(frozen=True)
class DataShape:
    """The size of training data: what a planner needs to know."""

    n_people: int
    n_entries: int
    space: ItemSpace
    n_triples: int = 0

    @classmethod
    def of(cls, interactions: Interactions) -> "DataShape":
        """Measure training data."""
        graph = None if interactions.side is None else interactions.side.graph
        triples = 0 if graph is None else graph.n_triples
        return cls(interactions.n_people, len(interactions.histories.items), interactions.space, triples)


@dataclass(frozen=True)
class Plan:
    """What a fit is predicted to need.

    Attributes:
        method: how it will be computed, such as "primal", "dual", "low-rank", "direct".
        memory_bytes: predicted peak above the training data.
        seconds: predicted on two cores of a current laptop; an order of magnitude.
    """

    method: str
    memory_bytes: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where scores came from, for one history and some target items.

    Attributes:
        history_items: int32 (h,), the distinct items of the history, numbers of the joint item space.
        contributions: float64 (n, h): the part of each score that each history item carried.
        base: float64 (n,): the part that popularity carried whoever asks.
        exact: contributions + base sum to the score and removing a history item takes exactly its part away.
    """

    history_items: npt.NDArray[np.int32]
    contributions: npt.NDArray[np.float64]
    base: npt.NDArray[np.float64]
    exact: bool


Arrays = dict[str, npt.NDArray[np.generic]]


def per_item(arrays: Arrays, name: str, space: ItemSpace) -> npt.NDArray[np.generic]:
    """A stored array of one number for each item: what `from_arrays` reads.

    Raises:
        ArtifactError: it is missing or of another shape.
    """
    return stored(arrays, name, (space.n_items,))


def stored(arrays: Arrays, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
    """A stored array of a known shape; -1 stands for any length.

    Raises:
        ArtifactError: it is missing or of another shape.
    """
    got = arrays[name].shape if name in arrays else None
    if (
        got is None
        or len(got) != len(shape)
        or any(want not in {-1, is_} for want, is_ in zip(shape, got, strict=True))
    ):
        wanted = str(shape).replace("-1", "any")
        raise ArtifactError(
            "the stored array '{name}' must have the shape {wanted}, got {got}",
            name=name,
            wanted=wanted,
            got=got or Text("nothing"),
        )
    return arrays[name]


@runtime_checkable
class Recommender(Protocol):
    """What every model can do."""

    @property
    def config(self) -> Config:
        """The frozen hyperparameters; `config.kind` names the model."""

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Predict memory and time of a fit, and the method it will use.

        Raises:
            ResourceError: no method fits into `options.memory_bytes`.
        """

    def fit(self, interactions: Interactions, options: FitOptions = ...) -> Self:
        """Learn from training data; returns self."""

    def score(self, histories: Histories, target: str) -> npt.NDArray[np.float32]:
        """Scores (n_rows, items of the target domain); NaN where there is no training support."""

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """Say where the scores of some target items (numbers inside the domain) came from, for a single history."""

    def arrays(self) -> Arrays:
        """Everything learned, as arrays; no person's row unless `contains_histories`."""

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again."""

    @property
    def contains_histories(self) -> bool:
        """True where the fitted state holds people's rows: batch-only, and an erasure retires it."""
