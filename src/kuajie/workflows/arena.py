"""The arena: models by name, fitted on one split and ranked on its rows; what benchmark and evaluate share."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, get_args

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.progress import Progress
from kuajie.core.recommender import Device, Explanation, FitOptions, Recommender, Scope
from kuajie.core.texts import Text
from kuajie.evaluation.compare import RESAMPLES
from kuajie.evaluation.fidelity import fidelity
from kuajie.evaluation.lists import ListSample
from kuajie.evaluation.protocols import Split
from kuajie.evaluation.ranking import BATCH_BYTES, Ranks, rank_task
from kuajie.evaluation.tasks import RankingTask
from kuajie.models.blend import fit_scoped, scoped
from kuajie.models.registry import model_class
from kuajie.workflows.unlinked import linked_people

AUTO = "auto"
CHOOSING_SECONDS = 90.0
"""What a benchmark grants `auto`; training in a workspace grants what `[training]` says."""
TARGET_ONLY_KINDS = ("popularity", "seasonal", "repeat")


class Chosen(Protocol):
    """What a chooser found: `workflows.choose.Choice`."""

    @property
    def config(self) -> Config:
        """The model to fit on everything that may be trained on."""

    def summary(self, target: str) -> dict[str, Any]:
        """What was chosen for one target, as plain values."""


Linked = Mapping[str, int]
"""People of each domain who are known in another one, too."""
Chooser = Callable[[Interactions, Mapping[str, RankingTask], FitOptions, Progress, Linked], Chosen]
"""(training data without validation rows, validation tasks that have rows, options, progress, who is linked) -> what
was chosen."""


@dataclass(frozen=True)
class ArenaOptions:
    """How to run; nothing here changes a result.

    Attributes:
        threads: of fits and counting.
        memory_bytes: what a fit may use.
        batch_bytes: the scores held at a time.
        resamples: of the intervals.
        device: of deep models.
    """

    threads: int = 2
    memory_bytes: int = 8 * 2**30
    batch_bytes: int = BATCH_BYTES
    resamples: int = RESAMPLES
    device: Device = "cpu"

    def fit_options(self, seed: int) -> FitOptions:
        """The same for one fit."""
        return FitOptions(seed, self.threads, self.memory_bytes, self.device)


@dataclass(frozen=True)
class Entrant:
    """A model's name, taken apart.

    Attributes:
        name: as it was called, such as "itemknn:target".
        config: its default config; None for `auto`.
        scope: what it sees for a target.
    """

    name: str
    config: Config | None
    scope: Scope = "joint"

    @property
    def target_only(self) -> bool:
        """Whether it can see nothing but the target."""
        return self.scope == "target" or (self.config is not None and kind_of(self.config) in TARGET_ONLY_KINDS)


@dataclass(frozen=True)
class Run:
    """How one model went on one domain.

    Attributes:
        fit_seconds: of choosing and fitting.
        score_seconds: of scoring and ranking the test rows.
        chosen: settings, or what `auto` decided.
        lists: what lists of ten are like besides being right; see `evaluation.lists`.
        reasons: whether reasons name what carried an item; see `evaluation.fidelity`.
        labelled: areas over labelled test rows, where there are any; see `evaluation.labelled`.
    """

    fit_seconds: float
    score_seconds: float
    chosen: Mapping[str, Any]
    lists: Mapping[str, float]
    reasons: Mapping[str, float]
    labelled: Mapping[str, float] = field(default_factory=dict)


def parse_entrant(name: str) -> Entrant:
    """A model's name and scope.

    Raises:
        UsageError: no such model or scope, or a model that has no default config.
    """
    if name == AUTO:
        return Entrant(name, None)
    kind, colon, scope = name.partition(":")
    if kind == AUTO:
        raise UsageError(
            "'{auto}' chooses by itself what each of its models sees, so there is no '{name}'. Use {auto}.",
            auto=AUTO,
            name=name,
        )
    scope = scope if colon else "joint"
    if scope not in get_args(Scope):
        raise UsageError(
            "the scope of '{name}' must be one of {known}, got '{scope}'",
            name=name,
            known=", ".join(get_args(Scope)),
            scope=scope,
        )
    if scope == "source" and kind in TARGET_ONLY_KINDS:
        raise UsageError("'{kind}' sees the target alone, so there is no '{name}'. Use {kind}.", kind=kind, name=name)
    config_type: type[Config] = model_class(kind).config_type  # type: ignore[attr-defined]
    try:
        return Entrant(name, config_type(), scope)  # type: ignore[arg-type]
    except pydantic.ValidationError:
        raise UsageError("'{kind}' has no default config, so it cannot be named alone. Use auto.", kind=kind) from None


def chooser_within(seconds: float) -> Chooser:
    """What a user gets who chooses nothing but how long choosing may take."""

    def choose_within(
        interactions: Interactions,
        tasks: Mapping[str, RankingTask],
        options: FitOptions,
        progress: Progress,
        linked: Linked,
    ) -> Chosen:
        from kuajie.workflows.choose import ChooseConfig, choose

        config = ChooseConfig(seconds=seconds)
        return choose(interactions, tasks, options, config=config, progress=progress, linked=linked)

    return choose_within


default_chooser = chooser_within(CHOOSING_SECONDS)


@dataclass(eq=False)
class Arena:
    """One split, and what the models scored on it.

    Attributes:
        final: what named models are fitted on, and the rows that are asked.
        blind: makes the split that `auto` chooses on; called only where it is wanted.
    """

    final: Split
    blind: Callable[[], Split]
    seed: int
    options: ArenaOptions
    chooser: Chooser
    progress: Progress
    ranks: dict[str, dict[str, Ranks]] = field(default_factory=dict)
    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    skipped: dict[str, Text] = field(default_factory=dict)
    notes: list[Text] = field(default_factory=list)
    samples: dict[str, ListSample] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.space = self.final.train.space
        self.notes += self.final.notes
        self.fit_options = self.options.fit_options(self.seed)

    def enter(self, entrant: Entrant) -> None:
        """Fit and score one model in every domain; a model that does not fit into memory is skipped and named."""
        try:
            if entrant.config is None:
                self._enter_auto(entrant)
            else:
                self._enter_named(entrant, entrant.config)
        except ResourceError as error:
            self.skipped[entrant.name] = error.text

    def enter_all(self, entrants: Sequence[Entrant], fold: int = 0, folds: int = 1) -> None:
        """Fit and score every model on one fold of several."""
        for place, entrant in enumerate(entrants):
            stage = Text("fit and score {model}", model=entrant.name)
            self.progress(stage, fold * len(entrants) + place, folds * len(entrants))
            self.enter(entrant)

    def _enter_named(self, entrant: Entrant, config: Config) -> None:
        chosen = {"scope": entrant.scope, "config": config.model_dump(mode="json")}
        model: Recommender | None = None
        for domain in self.final.tasks:
            if model is None or entrant.scope == "target":
                begun = time.monotonic()
                alone = domain if entrant.scope == "target" else None
                model = fit_scoped(config, alone, self.final.train, self.fit_options)
                seconds = time.monotonic() - begun
            self._score(entrant, model, domain, seconds, chosen)

    def _enter_auto(self, entrant: Entrant) -> None:
        begun = time.monotonic()
        blind = self.blind()
        self.notes += blind.notes
        tasks = {domain: task for domain, task in blind.tasks.items() if task.n_rows}
        linked = linked_people(self.final.train)
        choice = self.chooser(blind.train, tasks, self.fit_options, self.progress, linked)
        model = fit_scoped(choice.config, None, self.final.train, self.fit_options)
        seconds = time.monotonic() - begun
        for domain in self.final.tasks:
            if domain in tasks:
                self._score(entrant, model, domain, seconds, choice.summary(domain))
            else:
                self.skipped[entrant.name] = Text("{domain} has no validation rows to choose on.", domain=domain)

    def _score(
        self, entrant: Entrant, model: Recommender, domain: str, fit_seconds: float, chosen: Mapping[str, Any]
    ) -> None:
        popular = self._popular(domain)

        def score(histories: Histories) -> npt.NDArray[np.float32]:
            scores = model.score(scoped(histories, self.space, entrant.scope, domain), domain)
            return with_fallback(scores, popular)

        def explain(history: Histories, items: npt.NDArray[np.int64]) -> Explanation:
            return model.explain(scoped(history, self.space, entrant.scope, domain), domain, items)

        begun, how = time.monotonic(), {"batch_bytes": self.options.batch_bytes, "threads": self.options.threads}
        ranks = rank_task(self.final.tasks[domain], score, progress=self.progress, **how)
        self.ranks.setdefault(domain, {})[entrant.name] = ranks
        seconds = time.monotonic() - begun
        sample = self._sample(domain)
        lists = sample.judge(score, **how)
        rng = np.random.default_rng([self.seed, 4, self.space.index(domain)])  # the same people for every model
        reasons = asdict(fidelity(sample.task, score, explain, rng))
        rows = self.final.labelled.get(domain)
        labelled = {} if rows is None else rows.judge(score)
        self.runs[entrant.name, domain] = Run(fit_seconds, seconds, chosen, lists, reasons, labelled)

    def _popular(self, domain: str) -> npt.NDArray[np.float32]:
        """What everybody likes: training entries of each item of a domain, NaN where nobody used it."""
        support = self.final.train.support()[self.space.slice(domain)].astype(np.float32)
        return np.where(support > 0, support, np.float32(np.nan))

    def _sample(self, domain: str) -> ListSample:
        """The people whose lists are looked at, the same for every model."""
        if domain not in self.samples:
            rng = np.random.default_rng([self.seed, 3, self.space.index(domain)])
            self.samples[domain] = ListSample.of(self.final.tasks[domain], self.final.train, rng)
        return self.samples[domain]


def with_fallback(scores: npt.NDArray[np.float32], popular: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The scores, and what everybody likes for people of whom a model knows nothing, as they are served."""
    unknown: npt.NDArray[np.bool_] = np.all(np.isnan(scores), axis=1)
    return np.where(unknown[:, None], popular, scores) if unknown.any() else scores


def kind_of(config: Config) -> str:
    """The model's name in a config."""
    return str(config.kind)  # type: ignore[attr-defined]
