"""Shape: what becomes of a ranked list before it is shown, by `[rerank]` of kuajie.toml.

    ranked list of factor x k items  ->  rules, limits, diversity, ...  ->  the k that are shown

Each step that was done is named in the list's tags; reasons stay with their items.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from kuajie.core.errors import ConfigError
from kuajie.core.histories import Histories
from kuajie.core.names import suggest
from kuajie.core.records import RankedList
from kuajie.data.catalog import Catalog
from kuajie.numerics.jit import F64, I32
from kuajie.rerank.base import Candidates, Context, Items, People, StepConfig, kind_of
from kuajie.rerank.calibration import CalibrationConfig
from kuajie.rerank.fairness import Fairness, FairnessConfig
from kuajie.rerank.limits import LimitsConfig
from kuajie.rerank.linucb import Ridge
from kuajie.rerank.pipeline import RerankConfig, Reranked, rerank
from kuajie.rerank.popularity import XQuADConfig
from kuajie.rerank.rules import RulesConfig
from kuajie.rerank.thompson import Answers
from kuajie.workflows.declared import AGE, REGION, number
from kuajie.workflows.fresh_facts import FreshFacts, numeric_of
from kuajie.workflows.item_facts import facts_of_catalog, mix_of, there
from kuajie.workflows.learned import TAG, Learned, learning_step, relevance_tag, states_of
from kuajie.workflows.provider_places import ProviderPlaces

Allowed = Callable[[str, npt.NDArray[np.int64], Mapping[int, str]], npt.NDArray[np.bool_]]
"""Domain, joint numbers, and the ids of those that the catalogue does not hold -> which of them may be shown."""
NONE_NAMED: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class Asker:
    """What is known of who asks, beside the history.

    Attributes:
        attributes: declared, such as age and region.
        shown: item id -> how often it was shown lately; None: nobody counted.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, int] | None = None


@dataclass(eq=False)
class Shaping:
    """The pipeline over one catalogue.

    Attributes:
        config: the steps.
        catalog: numbers items.
        items: what is known of them.
        places: what providers were given.
        fresh: what was said of items since.
        learned: what the last step knows of answers (`teach`).
    """

    config: RerankConfig
    catalog: Catalog
    items: Items
    places: ProviderPlaces = field(init=False)
    fresh: FreshFacts = field(init=False)
    learned: Learned = field(default_factory=Learned)
    _known_answers: Mapping[str, Answers | Ridge] = field(default_factory=dict)
    _there: dict[tuple[str, str], F64] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fresh = FreshFacts(self.config, self.catalog, self.items)
        self.places = ProviderPlaces(self.items, self.catalog.space)

    @classmethod
    def of(cls, config: RerankConfig, catalog: Catalog, popularity: npt.NDArray[np.float64]) -> Self | None:
        """The pipeline, tried out on one item of each domain; None where there is no step.

        Raises:
            ConfigError: a step names a domain that there is not.
            UsageError: a step reads what the items do not have.
        """
        if not config.steps:
            return None
        domains = catalog.space.domains
        for name in (name for step in config.steps for name in step.targets):
            if name not in domains:
                raise ConfigError(
                    "[rerank]: there is no domain '{domain}'{hint}", domain=name, hint=suggest(name, domains)
                )
        made = cls(config, catalog, facts_of_catalog(catalog, numeric_of(config)).items(popularity))
        nobody = made._nobody()
        for domain in domains:
            first = np.array([[catalog.space.slice(domain).start]], np.int32)
            made.run(config.of(domain), Candidates(first, np.ones((1, 1))), 1, domain, nobody, Asker(), 0, {})
        return made

    def reads(self, target: str) -> tuple[bool, int]:
        """Whether steps for a target ask what people have declared, and over how many days showings count; 0: not."""
        steps = self.config.of(target)
        declared = any(isinstance(step, RulesConfig) and (step.least_age or step.regions) for step in steps)
        days = [step.days for step in steps if isinstance(step, LimitsConfig) and step.shown is not None]
        return declared, max(days, default=0)

    def shaped(
        self,
        ranked: RankedList,
        k: int,
        history: Histories,
        asker: Asker = Asker(),
        *,
        rules_only: bool = False,
        pool: int = 0,
    ) -> RankedList:
        """The k items of a list that are shown; who shows them says so (`count`).

        Args:
            ranked: `config.candidates(target, k)` items, or as many as there are.
            k: how many are shown.
            history: one row: whose mix the list is to have.
            asker: what else is known.
            rules_only: whether nothing but business rules counts: for lists that somebody else put in order.
            pool: so many are given, if that is more than k, for exploration draws the k from them.
        """
        keep = max(k, pool)
        steps = self.rules(ranked.target) if rules_only else self.config.of(ranked.target)
        if not steps or not ranked.items:
            return ranked if len(ranked.items) <= keep else msgspec.structs.replace(ranked, items=ranked.items[:keep])
        seed = int.from_bytes(blake2b(ranked.list_id.encode(), digest_size=8).digest(), "big")
        candidates, recent = self._candidates(ranked, asker)
        state = self._state(ranked.target)
        result = self.run(steps, candidates, k, ranked.target, history, asker, seed, state, recent, keep)
        order = result.order[0]
        items = tuple(ranked.items[place] for place in order[order >= 0].tolist())
        if result.propensity is not None:
            chances = result.propensity[0].tolist()
            items = tuple(
                msgspec.structs.replace(each, propensity=chance) for each, chance in zip(items, chances, strict=False)
            )
        tags = (*ranked.tags, *(TAG + kind for kind in result.steps))
        if result.relevance is not None:
            tags += (relevance_tag(result.relevance[0, : len(items)].tolist()),)
        return msgspec.structs.replace(ranked, items=items, tags=tags)

    def _state(self, target: str) -> dict[str, Any]:
        """What the steps for a target know so far, by kind: each step its own."""
        fair, learning = self._fair(target), learning_step(self.config)
        state: dict[str, Any] = {} if fair is None else {"fairness": self.places.known(target, fair.by)}
        if learning is not None and target in self._known_answers:
            state[kind_of(learning)] = self._known_answers[target]
        return state

    def run(
        self,
        steps: Sequence[StepConfig],
        candidates: Candidates,
        k: int,
        target: str,
        history: Histories,
        asker: Asker,
        seed: int,
        state: Mapping[str, Any],
        recent: Items | None = None,
        keep: int | None = None,
    ) -> Reranked:
        """The pipeline on one list."""
        names = [step.by for step in steps if isinstance(step, (CalibrationConfig, XQuADConfig))]
        used = history.matrix().astype(np.float64)
        mixes = {name: mix_of(used, self.items.group(name), self._wanted(name, target)) for name in names}
        declared = number(asker.attributes.get(AGE, ""))
        age = np.array([np.nan if declared is None else declared])
        region = np.array([asker.attributes.get(REGION, "")])
        people = People(mixes, {AGE: age}, {REGION: region})
        known = target in self.catalog.space.domains
        part = self.catalog.space.slice(target) if known else slice(0, 0)
        context = Context(self.items, people, np.array([seed], np.uint64), state, part, recent)
        return rerank(steps, candidates, k, context, keep=keep)

    def count(self, ranked: RankedList) -> None:
        """Somebody is shown a list: what it gives to providers counts from now on, where fairness made it."""
        fair = self._fair(ranked.target)
        if fair is not None and TAG + "fairness" in ranked.tags:
            items = self.numbers(ranked.target, [each.item for each in ranked.items])
            self.places.count(ranked.target, fair.by, items)

    def inherit(self, before: "Shaping") -> None:
        """Go on from what another version has counted and learned."""
        self.places.inherit(before.places, self._floors)
        self.teach(before.learned)

    def teach(self, learned: Learned) -> None:
        """What the last step knows of answers from now on."""
        step = learning_step(self.config)
        self.learned = learned
        if step is not None:
            self._known_answers = states_of(learned, step, self.catalog)

    def _fair(self, target: str) -> FairnessConfig | None:
        return next((step for step in self.config.of(target) if isinstance(step, FairnessConfig)), None)

    def _floors(self, target: str, by: str) -> F64:
        labels, part, fair = self.items.label(by), self.catalog.space.slice(target), self._fair(target)
        if fair is None or fair.by != by:
            return np.zeros(len(labels.names))
        return Fairness(fair).floors(labels, part)

    def _wanted(self, name: str, target: str) -> F64:
        """The groups that the target's items have, found out once."""
        if (name, target) not in self._there:
            self._there[name, target] = there(self.items.group(name), self.catalog.space, target)
        return self._there[name, target]

    def rules(self, target: str) -> tuple[StepConfig, ...]:
        """The business rules for a target."""
        return tuple(step for step in self.config.of(target) if isinstance(step, RulesConfig))

    def allowed(
        self, target: str, items: npt.NDArray[np.integer], asker: Asker, named: Mapping[int, str] = NONE_NAMED
    ) -> npt.NDArray[np.bool_]:
        """Which items of a target business rules allow: (m,).

        Args:
            target: the domain.
            items: joint numbers; those that the catalogue does not hold are new or changed items.
            asker: who would see them.
            named: the ids of those; what is not named is not known.
        """
        steps, kept = self.rules(target), np.ones(len(items), bool)
        if steps and len(items):
            numbers, new = items.astype(np.int32), (items < 0) | (items >= self.catalog.space.n_items)
            ids = {place: named.get(int(items[place]), "") for place in np.flatnonzero(new).tolist()}
            numbers[new] = self.numbers(target, list(ids.values()))
            candidates, recent = self._known(target, numbers, np.ones(len(items)), None, ids.__getitem__)
            order = self.run(steps, candidates, len(items), target, self._nobody(), asker, 0, {}, recent).order[0]
            kept[:] = False
            kept[order[order >= 0]] = True
        return kept

    def permitting(self, asker: Asker) -> Allowed:
        """What `allowed` says where one person asks, for searches."""

        def allowed(target: str, items: npt.NDArray[np.int64], named: Mapping[int, str]) -> npt.NDArray[np.bool_]:
            return self.allowed(target, items, asker, named)

        return allowed

    def _nobody(self) -> Histories:
        return Histories.from_lists([[]], self.catalog.space.n_items)

    def numbers(self, target: str, ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Joint numbers of ids, -1 for those that the catalogue does not hold: (m,)."""
        if target not in self.catalog.space.domains:
            return np.full(len(ids), -1, np.int32)
        numbers = self.catalog.ids[target].numbers(ids)
        return np.where(numbers >= 0, numbers + self.catalog.space.slice(target).start, -1).astype(np.int32)

    def _candidates(self, ranked: RankedList, asker: Asker) -> tuple[Candidates, Items | None]:
        """Items that the snapshot does not know are unknown ones, or of the facts; scores fall as the list goes."""
        ids = [each.item for each in ranked.items]
        items = self.numbers(ranked.target, ids)
        scores = np.minimum.accumulate(np.array([each.score for each in ranked.items], np.float64))
        counts = None if asker.shown is None else np.array([[asker.shown.get(item, 0) for item in ids]], np.int64)
        return self._known(ranked.target, items, scores, counts, ids.__getitem__)

    def _known(
        self,
        target: str,
        items: I32,
        scores: F64,
        counts: npt.NDArray[np.int64] | None,
        id_of: Callable[[int], str],
    ) -> tuple[Candidates, Items | None]:
        """One list of candidates, with what was said of them since the snapshot."""
        rows, recent = self.fresh.of(target, items, id_of) or (None, None)
        return Candidates(items[None], scores[None], counts, None if rows is None else rows[None]), recent


def steps_of(ranked: RankedList) -> list[str]:
    """The names of the steps that a list went through."""
    return [tag.removeprefix(TAG) for tag in ranked.tags if tag.startswith(TAG)]
