"""The base of deep models: the contract of `core.recommender` over a network that encodes histories.

    rate(network, histories, target) -> scores        a person is their history: no network holds anything of a person

A model says what its network is, what its batches are, what its loss is, and how it scores; fitting, stopping,
masking, explaining and storing are here. Models of sets read `histories.matrix()`, models of order the entries
themselves. Models whose loss needs the whole graph keep it in a buffer that `prepare` sets, and refresh what they score
with in `settle`.
"""

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan, per_item, stored
from kuajie.core.space import ItemSpace
from kuajie.models.deep.checkpoints import Checkpoints, checkpoints_of
from kuajie.models.deep.configs import DeepConfig
from kuajie.models.deep.holdout import Holdout, Judge, Validation, hold_out
from kuajie.models.deep.training import Batch, Batches, Job, Player, chosen_device, reproducible, train
from kuajie.models.linear import mask_unknown

C = TypeVar("C", bound=DeepConfig)
Floats = npt.NDArray[np.float32]
SCORED_ROWS = 256
"""Histories that are encoded at a time."""
COPIES = 5
"""Of every parameter while training: itself, its gradient, two moments, and the best epoch's."""
FLOPS = 8e9
"""Operations a second of one core, in the small products of these networks, forward and back."""
STOPPING = 0.4
"""Part of the epochs after which training usually has stopped."""


@dataclass(frozen=True)
class Size:
    """What a planner needs to know of a network.

    Attributes:
        parameters: how many.
        batch_bytes: activations of one step.
        entry_flops: operations for each training entry in an epoch, forward.
    """

    parameters: float
    batch_bytes: float
    entry_flops: float


class DeepModel(ABC, Generic[C]):
    """A recommender whose scores are a network's.

    Attributes:
        space_: the joint item space it was fitted on.
        support_: float64 (n_items,), entries of each item that were trained on; 0 = unknown.
        covered_: bool (n_items,), the items that can be read and scored.
        network_: fitted, on the CPU.
    """

    config_type: ClassVar[type[Any]]
    scoring_fields: ClassVar[frozenset[str]] = frozenset()
    """Config fields that training does not read: what they change needs no new fit."""
    contains_histories: bool = False
    space_: ItemSpace
    support_: npt.NDArray[np.float64]
    covered_: npt.NDArray[np.bool_]
    network_: nn.Module

    def __init__(self, config: C | None = None) -> None:
        self._config: C = config if config is not None else self.config_type()

    @property
    def config(self) -> C:
        """The frozen hyperparameters."""
        return self._config

    @property
    def kind(self) -> str:
        """The model's name."""
        return str(self._config.kind)  # type: ignore[attr-defined]

    def with_config(self, config: C) -> Self:
        """The same network under a config that differs in `scoring_fields` alone."""
        model = copy.copy(self)
        model._config = config
        return model

    @abstractmethod
    def network(self, space: ItemSpace) -> nn.Module:
        """A new network; initial weights come from PyTorch's random state."""

    @abstractmethod
    def batches(self, interactions: Interactions) -> Batches:
        """How training data become an epoch of batches."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """The loss of a batch, a scalar."""

    @abstractmethod
    def rate(self, network: nn.Module, histories: Histories, target: str) -> torch.Tensor:
        """Scores (n_rows, items of the target) of histories of which every row holds a known item, and no others."""

    @abstractmethod
    def size(self, shape: DataShape) -> Size:
        """What a fit consists of."""

    def prepare(self, network: nn.Module, interactions: Interactions, options: FitOptions) -> None:
        """Set what the network needs of the training data, such as a graph, before anything is trained."""

    def settle(self, network: nn.Module) -> None:
        """Refresh what `rate` reads but training does not, before the network is asked."""

    def release(self, network: nn.Module) -> None:
        """Drop what only training needs, such as a graph or anything of people: it is not kept."""

    def cover(self, network: nn.Module) -> npt.NDArray[np.bool_]:
        """The items that can be read and scored: those with training support, unless more is known of others."""
        return self.support_ > 0

    def judge(self, holdout: Holdout, training: Interactions, rng: np.random.Generator) -> Validation:
        """What the best epoch is chosen by."""
        return Judge(holdout, training, self.config.training.candidates, rng)

    def players(self, network: nn.Module) -> Sequence[Player]:
        """The losses and what they move: one that moves everything, unless a model plays against itself."""
        moved = [parameter for parameter in network.parameters() if parameter.requires_grad]
        return [Player("train", moved, lambda batch: self.loss(network, batch))]

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Memory of the parameters and one batch; time of the epochs that training usually takes.

        Raises:
            ResourceError: it does not fit.
        """
        size, training = self.size(shape), self.config.training
        memory = int(4 * COPIES * size.parameters + size.batch_bytes + 64 * shape.n_entries)
        if memory > options.memory_bytes:
            raise ResourceError(
                "{model} with {parameters:,.0f} parameters needs about {needed:.1f} GiB, available are {granted:.1f} "
                "GiB. Choose a smaller 'dim' or 'training.batch_size', or allow more memory.",
                model=self.kind,
                parameters=size.parameters,
                needed=memory / 2**30,
                granted=options.memory_bytes / 2**30,
            )
        epochs = max(1.0, STOPPING * training.epochs)
        seconds = 0.5 + epochs * 3 * size.entry_flops * shape.n_entries / (FLOPS * max(1, options.threads))
        limit = float("inf") if options.seconds is None else options.seconds
        return Plan("gradient descent", memory, min(seconds, limit))

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Train on all people but for the entries that are held out to stop on.

        Raises:
            ResourceError: the plan does not fit into the memory given.
            JobError: the loss is not finite.
            UsageError: the device of the options is not there.
        """
        options = options or FitOptions()
        self.plan(DataShape.of(interactions), options)
        self.space_ = interactions.space
        rng = np.random.default_rng([options.seed, 4])
        training, holdout = hold_out(interactions, self.config.training.validation_people, rng)
        self.support_ = training.support()
        device = chosen_device(options.device)
        with reproducible(options.seed, options.threads, device):
            network = self.network(self.space_).to(device)
            self.prepare(network, training, options)
            self.covered_ = self.cover(network)
            if self.support_.any():
                judge = self.judge(holdout, training, rng)
                self._train(network, training, judge, checkpoints_of(self.config, interactions, options), options)
            self.release(network)
        self.network_ = network.to("cpu").eval()
        return self

    def _train(
        self,
        network: nn.Module,
        training: Interactions,
        judge: Validation,
        checkpoints: Checkpoints | None,
        options: FitOptions,
    ) -> None:
        def validate() -> float:
            self.settle(network)
            return judge(lambda histories, target: self._score(network, histories, target))

        begun = time.monotonic()
        players, batches = self.players(network), self.batches(training)
        job = Job(self.kind, network, players, batches, validate if judge.n_rows else None, metric=judge.metric)
        with closing(options.tracker.begin(self.kind, self.config.model_dump(mode="json"))) as run:
            train(job, self.config.training, options, run, checkpoints)
            if checkpoints is not None and checkpoints.last.exists():
                run.artefact(checkpoints.last)
        self.settle(network)
        left = None if options.seconds is None else max(options.seconds - (time.monotonic() - begun), 0.0)
        self.refine(network, training, judge, replace(options, seconds=left))

    def refine(self, network: nn.Module, training: Interactions, judge: Validation, options: FitOptions) -> None:
        """What comes after training, such as fine-tuning for each target."""

    def network_for(self, target: str) -> nn.Module:
        """The fitted network that scores a target."""
        return self.network_

    def score(self, histories: Histories, target: str) -> Floats:
        """Scores (n_rows, items of the target domain); NaN without training support."""
        return self._score(self.network_for(target), histories, target)

    def _score(self, network: nn.Module, histories: Histories, target: str) -> Floats:
        part = self.space_.slice(target)
        scores = np.full((histories.n_rows, part.stop - part.start), np.nan, dtype=np.float32)
        known = self.known(histories)
        with torch.inference_mode():
            for rows in some_rows(np.flatnonzero(known.lengths), SCORED_ROWS):
                scores[rows] = self.rate(network, known.take(rows), target).float().cpu().numpy()
        return mask_unknown(scores, histories, self.covered_.astype(np.float64), part)

    def known(self, histories: Histories) -> Histories:
        """The same rows with the entries that count, of items that are covered."""
        return histories.keep(self.covered_[histories.items] & (histories.weights > 0))

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """How far each score falls when one history item is removed; the falls need not sum to the score.

        Where nothing known is left after the removal, the share is the score over the mean of the target's items.
        """
        distinct = np.unique(histories.items)
        copies = histories.take(np.zeros(len(distinct) + 1, dtype=np.int64))
        removed = np.concatenate([[-1], distinct])[copies.rows()]
        scores = self.score(copies.keep(copies.items != removed), target)
        chosen = scores[:, items].astype(np.float64)
        typical = float(np.nanmean(scores[0])) if np.isfinite(scores[0]).any() else 0.0
        chosen[np.isnan(scores).all(axis=1)] = typical
        falls = np.nan_to_num(chosen[0] - chosen[1:]).T
        return Explanation(distinct.astype(np.int32), falls, np.zeros(len(items)), exact=False)

    def arrays(self) -> Arrays:
        """The network's parameters and buffers, and the support."""
        state = self.network_.state_dict().items()
        return {"support": self.support_, **{f"network.{name}": tensor.numpy() for name, tensor in state}}

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again.

        Raises:
            ArtifactError: an array is missing or of another shape.
        """
        model = cls(config)  # type: ignore[arg-type]
        model.space_ = space
        model.support_ = np.asarray(per_item(arrays, "support", space), dtype=np.float64)
        with reproducible(0, torch.get_num_threads(), torch.device("cpu")):
            network = model.network(space)
        for name, parameter in network.named_parameters():
            parameter.data = torch.from_numpy(np.array(stored(arrays, f"network.{name}", tuple(parameter.shape))))
        for name, buffer in list(network.named_buffers()):
            owner, _, key = name.rpartition(".")
            # what depends on the data, such as a graph, may be of any length
            found = stored(arrays, f"network.{name}", (-1,) * buffer.ndim)
            setattr(network.get_submodule(owner), key, torch.from_numpy(np.array(found)))
        model.covered_ = model.cover(network)
        model.network_ = network.eval()
        return model


def some_rows(rows: npt.NDArray[np.int64], size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows, so many at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
