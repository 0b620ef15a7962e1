"""The base of deep models of order: every entry of a history is told from those before it.

    s_t = encode(x_1 .. x_t),    P(x_{t+1} = j | domain d) = softmax over the items of d of  H_d s_t . v_j + b_j

One table of item vectors v serves all domains, so that what was read in one is told in another; H_d, near the identity
at first, turns a state towards a domain. Two losses may be added: one brings together what two domains say of one
person, one keeps the items of a list apart. With a trend, the score is the log of P times the trend's factor.

With a prior, a sequence-aware neighbourhood, the two are multiplied (Hinton 2002, "Training products of experts by
minimizing contrastive divergence", eq. 1): what either thinks impossible is, and where both are unsure they add up.

    score = prior_weight * log P + log(prior's score + a floor)
"""

from abc import abstractmethod
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from torch import nn

from kuajie.core.config import Config
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, FitOptions, Plan, stored
from kuajie.core.space import ItemSpace
from kuajie.models.deep.base import DeepModel, Floats, Size
from kuajie.models.deep.finetune import own_parameters, sharing_tables, tuning
from kuajie.models.deep.holdout import Validation
from kuajie.models.deep.lines import I64, Windows, line_of_target, newest, only_domain
from kuajie.models.deep.losses import (
    bpr_max_loss,
    info_nce_loss,
    sampled_softmax_loss,
    similarity_of_lists,
    softmax_loss,
)
from kuajie.models.deep.order_configs import ContrastConfig, OrderConfig
from kuajie.models.deep.training import Batch, Batches, Job, Player, device_of, train
from kuajie.models.sequence import Sequence
from kuajie.models.trend import Trend

C = TypeVar("C", bound=OrderConfig)
PRIOR_FLOOR = 1e-6
"""Of the row's largest: what the prior gives to items that it knows no way to."""


class OrderNetwork(nn.Module):
    """Item vectors, an encoder of lines, and a turn towards each domain."""

    def __init__(self, space: ItemSpace, config: OrderConfig, encoder: nn.Module) -> None:
        super().__init__()
        self.items = nn.Embedding(space.n_items + 1, config.dim, padding_idx=space.n_items)
        nn.init.normal_(self.items.weight, std=config.dim**-0.5)
        with torch.no_grad():
            self.items.weight[-1] = 0
        self.bias = nn.Parameter(torch.zeros(space.n_items))
        self.turns = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in space.domains)
        for turn in self.turns:
            nn.init.eye_(turn.weight)
            nn.init.zeros_(turn.bias)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = encoder

    def states(self, items: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """What is known after each place: (n_rows, n_places, dim)."""
        return self.encoder(self.dropout(self.items(items)), lengths)

    def last_state(self, items: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """What is known after the last entry of each row: (n_rows, dim)."""
        return self.states(items, lengths)[torch.arange(len(lengths)), lengths - 1]

    def own_logits(self, states: torch.Tensor, domain: int, items: torch.Tensor) -> torch.Tensor:
        """The score of one item for each state: (n_states,)."""
        return (self.turns[domain](states) * self.items(items)).sum(dim=1) + self.bias[items]

    def logits(self, states: torch.Tensor, domain: int, items: torch.Tensor | slice) -> torch.Tensor:
        """Scores of some joint items of one domain: (n_states, n_items)."""
        return self.turns[domain](states) @ self.items.weight[items].T + self.bias[items]


@dataclass(frozen=True, eq=False)
class Drawn:
    """What an entry of one domain might have been.

    Attributes:
        items: joint numbers, as a slice or int64 (n_items,).
        all: whether these are all items of the domain.
        size: items of the domain.
    """

    items: Any
    all: bool
    size: int


class OrderModel(DeepModel[C]):
    """Batches, loss and scores of models that read lines; a model says what its encoder is.

    Attributes:
        trend_: uses of each item on each day.
        prior_: fitted, where there is one.
        tuned_: target -> its own network, which shares the tables; none where fine-tuning did not help.
    """

    scoring_fields: ClassVar[frozenset[str]] = frozenset({"trend", "prior_weight"})
    trend_: Trend
    prior_: Sequence
    tuned_: dict[str, nn.Module]

    def __init__(self, config: C | None = None) -> None:
        super().__init__(config)
        self.tuned_ = {}

    @abstractmethod
    def encoder(self) -> nn.Module:
        """Item vectors (n_rows, n_places, dim) and lengths -> states of the same shape; no place sees a later one."""

    @abstractmethod
    def encoder_flops(self) -> float:
        """Operations for each place, forward."""

    def network(self, space: ItemSpace) -> nn.Module:
        """Item vectors and the encoder."""
        return OrderNetwork(space, self.config, self.encoder())

    def prepare(self, network: nn.Module, interactions: Interactions, options: FitOptions) -> None:
        """Count the trend, and fit the prior."""
        self.trend_ = Trend.of(interactions.histories)
        if self.config.prior is not None:
            self.prior_ = Sequence(self.config.prior).fit(interactions, options)

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Of the network, and of the prior where there is one.

        Raises:
            ResourceError: it does not fit.
        """
        plan = super().plan(shape, options)
        if self.config.prior is None:
            return plan
        prior = Sequence(self.config.prior).plan(shape, options)
        return Plan(plan.method, plan.memory_bytes + prior.memory_bytes, plan.seconds + prior.seconds)

    def batches(self, interactions: Interactions) -> Batches:
        """Windows of the lines of all people, in a new order each epoch.

        Raises:
            DataError: the histories have no order.
        """
        return self._batches(self._windows(interactions))

    def _windows(self, interactions: Interactions) -> Windows:
        return Windows.of(self.known(interactions.histories), interactions.space, self.config.length)

    def _batches(self, windows: Windows) -> Batches:
        size = self.config.training.batch_size
        return lambda rng: ((*batch, rng) for batch in windows.batches(size, rng))

    def refine(self, network: nn.Module, training: Interactions, judge: Validation, options: FitOptions) -> None:
        """Fine-tune a copy for each target that has rows to judge it on; what is no better is not kept."""
        self.tuned_ = {}
        if self.config.fine_tune is None:
            return
        windows = self._windows(training)
        judges = {target: own for target in self.space_.domains if (own := judge.only(target)).n_rows}
        if options.seconds is not None:
            options = replace(options, seconds=options.seconds / max(len(judges), 1))
        for target, own in judges.items():
            tuned = self._fine_tune(network, windows.only(self.space_.slice(target)), target, own, options)
            if tuned is not None:
                self.tuned_[target] = tuned.eval()
        for tuned in self.tuned_.values():  # this moves the tables that all share, so not before the last
            tuned.to("cpu")

    def _fine_tune(
        self, network: nn.Module, windows: Windows, target: str, judge: Validation, options: FitOptions
    ) -> nn.Module | None:
        config, found = self.config.fine_tune, sharing_tables(network)
        assert config is not None  # noqa: S101 # the caller asked
        values = {"epochs": config.epochs, "learning_rate": config.learning_rate}
        training, name = self.config.training.model_copy(update=values), f"{self.kind} for {target}"

        def validate() -> float:
            return judge(lambda histories, domain: self._score(found, histories, domain))

        with tuning(found, config) as moved:
            players = [Player("tune", moved, lambda batch: self.loss(found, batch))]
            start = validate()
            job = Job(name, found, players, self._batches(windows), validate, start=start)
            with closing(options.tracker.begin(name, self.config.model_dump(mode="json"))) as run:
                run.metrics({"validation_ndcg@10": start}, 0)
                epochs = train(job, training, options, run)
        return found if max((epoch.metric or 0.0 for epoch in epochs), default=0.0) > start else None

    def network_for(self, target: str) -> nn.Module:
        """The fitted network, fine-tuned where that helped."""
        return self.tuned_.get(target, self.network_)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """The mean over all entries that are told, and what else is to be lowered."""
        items, told, lengths, rng = batch
        device = device_of(network)
        states = network.states(torch.from_numpy(items).to(device), torch.from_numpy(lengths))
        total, domains = states.new_zeros(()), self.space_.domain_of(told)
        for number in range(len(self.space_.domains)):
            rows, places = ((told >= 0) & (domains == number)).nonzero()
            if len(rows):
                wanted = torch.from_numpy(told[rows, places]).to(device)
                inside = states[torch.from_numpy(rows).to(device), torch.from_numpy(places).to(device)]
                total = total + len(rows) * self._domain_loss(network, inside, wanted, self._drawn(number, rng), number)
        total = total / max(int((told >= 0).sum()), 1)
        contrast = self.config.contrast
        return total if contrast is None else total + self._contrast(network, items, contrast)

    def _drawn(self, number: int, rng: np.random.Generator) -> Drawn:
        part, negatives = self.space_.slice(self.space_.domains[number]), self.config.negatives
        size = part.stop - part.start
        if negatives is None or (negatives >= size and self.config.loss == "softmax"):
            return Drawn(part, True, size)
        return Drawn(torch.from_numpy(rng.integers(part.start, part.stop, negatives)), False, size)

    def _domain_loss(
        self, network: nn.Module, states: torch.Tensor, wanted: torch.Tensor, drawn: Drawn, number: int
    ) -> torch.Tensor:
        """Of entries of one domain: all its items, or some drawn ones, are what they might have been."""
        items = drawn.items if drawn.all else drawn.items.to(states.device)
        logits = network.logits(states, number, items)
        if drawn.all:
            loss = softmax_loss(logits, wanted - drawn.items.start)
        else:
            own, hits = network.own_logits(states, number, wanted), items == wanted[:, None]
            if self.config.loss == "softmax":
                loss = sampled_softmax_loss(own, logits, hits, drawn.size)
            else:
                loss = bpr_max_loss(own, logits, hits)
        if self.config.diversity:
            vectors = network.items.weight[items].detach()  # lists are to differ, not the items
            loss = loss + self.config.diversity * similarity_of_lists(logits, vectors)
        return loss

    def _contrast(self, network: nn.Module, items: I64, contrast: ContrastConfig) -> torch.Tensor:
        """What the parts of two domains say of a person, for every two domains and the rows that have both."""
        total, device = network.bias.new_zeros(()), device_of(network)
        parts = [only_domain(items, self.space_, name) for name in self.space_.domains]
        for (left, left_lengths), (right, right_lengths) in combinations(parts, 2):
            both = np.flatnonzero((left_lengths > 0) & (right_lengths > 0))
            if len(both) > 1:
                views = [
                    network.last_state(torch.from_numpy(line[both]).to(device), torch.from_numpy(lengths[both]))
                    for line, lengths in ((left, left_lengths), (right, right_lengths))
                ]
                total = total + info_nce_loss(views[0], views[1], contrast.temperature)
        return contrast.weight * total

    def rate(self, network: nn.Module, histories: Histories, target: str) -> torch.Tensor:
        """Scores after the newest entry."""
        device, part = device_of(network), self.space_.slice(target)
        items, lengths = newest(line_of_target(histories, self.space_, target), self.config.length)
        last = network.last_state(torch.from_numpy(items).to(device), torch.from_numpy(lengths))
        return network.logits(last, self.space_.index(target), part)

    def score(self, histories: Histories, target: str) -> Floats:
        """Scores (n_rows, items of the target domain), with the trend of each row's `at`; NaN without support."""
        scores = super().score(histories, target)
        if self.config.prior is not None:
            prior = np.nan_to_num(self.prior_.score(histories, target))
            floors = PRIOR_FLOOR * prior.max(axis=1, initial=0.0, keepdims=True) + np.finfo(np.float32).tiny
            scores = self.config.prior_weight * scores + np.log(np.maximum(prior, floors))
        if self.config.trend is not None:
            factors = np.ones_like(scores)
            self.trend_.scale(factors, histories, self.space_.slice(target), self.config.trend)
            scores += np.log(factors)
        return scores

    def size(self, shape: DataShape) -> Size:
        """The softmax is most of it."""
        config = self.config
        widest = max(shape.space.sizes, default=0)
        asked = widest if config.negatives is None else min(config.negatives, widest)
        places = config.training.batch_size * min(config.length, 1 + shape.n_entries / max(shape.n_people, 1))
        return Size(
            parameters=shape.space.n_items * (config.dim + 1) + 30 * config.dim**2,
            batch_bytes=4 * places * (3 * asked + 40 * config.dim),
            entry_flops=2 * config.dim * asked + 12 * asked + self.encoder_flops(),
        )

    def arrays(self) -> Arrays:
        """What every deep model has and, where they are used, the trend and the targets' own parameters."""
        arrays = super().arrays() | (self.trend_.arrays() if self.config.trend is not None else {})
        if self.config.prior is not None:
            arrays |= {f"prior.{name}": array for name, array in self.prior_.arrays().items()}
        for target, network in self.tuned_.items():
            for name, tensor in own_parameters(network).items():
                arrays[f"tuned.{self.space_.index(target)}.{name}"] = tensor.detach().numpy()
        return arrays

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again.

        Raises:
            ArtifactError: an array is missing or of another shape.
        """
        model = super().from_arrays(config, space, arrays)
        if model.config.trend is not None:
            model.trend_ = Trend.from_arrays(arrays, space.n_items)
        if model.config.prior is not None:
            own = {name.removeprefix("prior."): array for name, array in arrays.items() if name.startswith("prior.")}
            model.prior_ = Sequence.from_arrays(model.config.prior, space, own)
        model.tuned_ = {}
        for number, target in enumerate(space.domains):
            if any(name.startswith(f"tuned.{number}.") for name in arrays):
                model.tuned_[target] = network = sharing_tables(model.network_)
                for name, parameter in own_parameters(network).items():
                    array = stored(arrays, f"tuned.{number}.{name}", tuple(parameter.shape))
                    parameter.data = torch.from_numpy(np.array(array))
        return model
