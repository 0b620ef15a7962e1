"""Learned: what the exploring steps of `[rerank]` know of answers, from the lists that people were shown.

list -> exposures -> answers -> (some time later, list by list, in their order) -> sums by target -> `Answers`, `Ridge`

A list counts once, when `answer_minutes` have passed since it was made: for each of its items that was seen, 1 where it
was answered, else 0. So the sums are a function of what the store holds, whichever process makes them, and there is no
person in them. They are kept by the ids of items, so they outlive a model version, and in a file, so they outlive
the service.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, get_args

import msgspec
import numpy as np

from kuajie.core.errors import KuajieError
from kuajie.core.records import Kind, RankedList
from kuajie.data.catalog import Catalog
from kuajie.rerank.base import Items, StepConfig, kind_of
from kuajie.rerank.linucb import LinUCB, LinUCBConfig, Ridge
from kuajie.rerank.pipeline import RerankConfig
from kuajie.rerank.thompson import Answers, ThompsonConfig
from kuajie.workflows.stores import ShownStore, Told

log = logging.getLogger("kuajie.rerank")
TAG = "rerank:"
RELEVANCE = "relevance:"
"""Begins the tag with what a step that learns saw of each item of a list."""
ANSWERS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind not in {"dismiss", "rate"})
"""What counts as an answer to an item that was seen."""
TOGETHER = 500
"""Lists of one look at the store."""
WINDOW = timedelta(hours=1)
"""Of one look, so that none takes long where no list is of interest."""


class RidgeSums(msgspec.Struct, forbid_unknown_fields=True):
    """What LinUCB learned of a target, with the features that it is of."""

    features: tuple[str, ...]
    products: list[list[float]]
    rewards: list[float]
    shown: int


class Learned(msgspec.Struct, forbid_unknown_fields=True):
    """The sums, by target.

    Attributes:
        until: lists that were made before have been counted.
        last: of those of that very moment, the ids up to this one; empty: none.
        answers: item -> how often it was shown, and answered.
        ridges: of LinUCB.
    """

    until: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    last: str = ""
    answers: dict[str, dict[str, tuple[float, float]]] = {}
    ridges: dict[str, RidgeSums] = {}

    def copy(self) -> "Learned":
        """The same, to be changed while others read this one."""
        answers = {target: dict(counts) for target, counts in self.answers.items()}
        return Learned(self.until, self.last, answers, dict(self.ridges))


class LearnedStore(Protocol):
    """Where the sums are while no service runs."""

    def load(self) -> Learned | None:
        """What was learned; None: nothing yet.

        Raises:
            ArtifactError: it is damaged.
            ResourceError: it may not be read.
        """

    def save(self, learned: Learned) -> None:
        """Replace it.

        Raises:
            ResourceError: the disk refuses.
        """


def learning_step(config: RerankConfig) -> ThompsonConfig | LinUCBConfig | None:
    """The step of a pipeline that learns from answers; it can only be the last."""
    last = config.steps[-1] if config.steps else None
    return last if isinstance(last, (ThompsonConfig, LinUCBConfig)) else None


def states_of(learned: Learned, step: StepConfig, catalog: Catalog) -> dict[str, Answers | Ridge]:
    """What a step knows of each of its targets, over a catalogue; items that it does not hold are left out."""
    found: dict[str, Answers | Ridge] = {}
    for target in (name for name in catalog.space.domains if not step.targets or name in step.targets):
        if isinstance(step, ThompsonConfig) and target in learned.answers:
            found[target] = _answers(learned.answers[target], catalog, target)
        ridge = learned.ridges.get(target)
        if isinstance(step, LinUCBConfig) and ridge is not None and ridge.features == step.features:
            found[target] = Ridge(np.array(ridge.products), np.array(ridge.rewards), ridge.shown)
    return found


def _answers(known: Mapping[str, tuple[float, float]], catalog: Catalog, target: str) -> Answers:
    numbers = catalog.ids[target].numbers(list(known))
    counts = np.array(list(known.values()), np.float64).reshape(-1, 2)[numbers >= 0]
    sums = np.zeros((catalog.space.n_items, 2))
    sums[numbers[numbers >= 0] + catalog.space.slice(target).start] = counts
    return Answers(sums[:, 0].copy(), sums[:, 1].copy())


def relevance_tag(values: Sequence[float]) -> str:
    """What a step that learns saw of the items of a list, kept with the list until it is learned."""
    return RELEVANCE + " ".join(f"{value:.4f}" for value in values)


def relevance_of(ranked: RankedList) -> list[float] | None:
    """What `relevance_tag` kept; None: nothing that fits the list. Tags of the asking page come after it."""
    for tag in ranked.tags:
        if tag.startswith(RELEVANCE):
            words = tag.removeprefix(RELEVANCE).split(" ")
            try:
                values = [float(word) for word in words]
            except ValueError:
                return None
            fits = len(values) == len(ranked.items) and all(0 <= value <= 1 for value in values)
            return values if fits else None
    return None


@dataclass
class Learner:
    """Counts lists that have settled.

    Attributes:
        step: that learns.
        minutes: after so many a list counts.
        days: lists that are older are not looked for.
        shown: where lists, exposures and answers are.
        kept: where the sums are kept.
        learned: the sums; never changed, but replaced.
    """

    step: ThompsonConfig | LinUCBConfig
    minutes: int
    days: int
    shown: ShownStore
    kept: LearnedStore
    learned: Learned = field(init=False)
    _unsaved: bool = False

    def __post_init__(self) -> None:
        try:
            self.learned = self.kept.load() or Learned()
        except KuajieError as error:  # damaged, or not to be read: the service starts without it
            log.warning("%s", error)
            self.learned = Learned()

    def round(self, catalog: Catalog, items: Items, now: datetime) -> bool:
        """Count the next lists; whether there are more. What was counted is saved when there are none.

        Args:
            catalog: says which items have features.
            items: has them.
            now: the time.

        Raises:
            StoreError: the store does not answer; the next round goes on.
            ResourceError: the sums cannot be saved.
        """
        settled, after = now - timedelta(minutes=self.minutes), (self.learned.until, self.learned.last)
        after = max(after, (settled - timedelta(days=self.days), ""))
        until = min(settled, after[0] + WINDOW)
        told = self.shown.told(TAG + kind_of(self.step), after, until, ANSWERS, TOGETHER)
        learned = self.learned.copy() if told else self.learned
        for each in told:
            self._take(learned, each, catalog, items)
        whole = len(told) < TOGETHER
        last = (until, "") if whole else (told[-1].ranked.created_at, told[-1].ranked.list_id)
        learned.until, learned.last = max(after, last)
        self.learned = learned
        self._unsaved = self._unsaved or bool(told)
        more = not whole or until < settled
        if not more and self._unsaved:
            self.kept.save(self.learned)
            self._unsaved = False
        return more

    def _take(self, learned: Learned, told: Told, catalog: Catalog, items: Items) -> None:
        target = told.ranked.target
        places = [
            place for place, each in enumerate(told.ranked.items) if each.domain == target and each.item in told.seen
        ]
        if not places or (self.step.targets and target not in self.step.targets):
            return
        answered = [float(told.ranked.items[place].item in told.answered) for place in places]
        if isinstance(self.step, ThompsonConfig):
            known = learned.answers.setdefault(target, {})
            for place, answer in zip(places, answered, strict=True):
                shown, before = known.get(told.ranked.items[place].item, (0.0, 0.0))
                known[told.ranked.items[place].item] = shown + 1, before + answer
        else:
            more = _products(told.ranked, places, answered, self.step, catalog, items)
            if more is not None:
                learned.ridges[target] = _sum(learned.ridges.get(target), more, self.step.features)


def _products(
    ranked: RankedList,
    places: Sequence[int],
    answered: Sequence[float],
    step: LinUCBConfig,
    catalog: Catalog,
    items: Items,
) -> Ridge | None:
    """What one list says; None where it does not say what the step saw, or the catalogue has no such target."""
    relevance = relevance_of(ranked)
    if relevance is None or ranked.target not in catalog.ids:
        return None
    numbers = catalog.ids[ranked.target].numbers([ranked.items[place].item for place in places])
    joint = np.where(numbers >= 0, numbers + catalog.space.slice(ranked.target).start, -1).astype(np.int32)
    worth = np.array([[relevance[place] for place in places]])
    return Ridge.of(LinUCB(step).x(worth, joint[None], items)[0], np.array(answered))


def _sum(known: RidgeSums | None, more: Ridge, features: tuple[str, ...]) -> RidgeSums:
    """Both together; what is known of other features is forgotten."""
    if known is not None and known.features == features:
        more += Ridge(np.array(known.products), np.array(known.rewards), known.shown)
    return RidgeSums(features, more.products.tolist(), more.rewards.tolist(), more.shown)
