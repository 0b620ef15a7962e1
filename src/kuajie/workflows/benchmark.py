"""Benchmark: models against a prepared split, all choices on validation data, test rows read once at the end."""

import math
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
import pydantic

from kuajie import __version__
from kuajie.core.config import Config
from kuajie.core.errors import JobError, ResourceError, UsageError
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.recommender import FitOptions, Recommender, Scope
from kuajie.data.split_folder import SplitFolder, open_split_folder
from kuajie.evaluation.candidates import Candidates, parse_candidates
from kuajie.evaluation.compare import RESAMPLES
from kuajie.evaluation.leaks import ALL_PARTS, Leak, find_leaks, find_twins
from kuajie.evaluation.protocols import Split, final_split, validation_split
from kuajie.evaluation.ranking import BATCH_BYTES, Ranks, rank_task
from kuajie.evaluation.slices import slices_of
from kuajie.evaluation.summary import MAIN, ModelSummary, TaskSummary, summarise
from kuajie.evaluation.tasks import RankingTask
from kuajie.models.blend import fit_scoped, scoped
from kuajie.models.registry import model_class

AUTO = "auto"
DEFAULT_MODELS = (AUTO, "popularity", "itemknn", "itemknn:target")
TARGET_ONLY_KINDS = ("popularity",)


class Chosen(Protocol):
    """What a chooser found: `workflows.choose.Choice`."""

    @property
    def config(self) -> Config:
        """The model to fit on everything that may be trained on."""

    def summary(self, target: str) -> dict[str, Any]:
        """What was chosen for one target, as plain values."""


Chooser = Callable[[Interactions, Mapping[str, RankingTask], FitOptions, Progress], Chosen]
"""(training data without validation rows, validation tasks that have rows, options, progress) -> what was chosen."""


@dataclass(frozen=True)
class BenchmarkOptions:
    """How to run; nothing here changes a result.

    Attributes:
        threads: of fits and counting.
        memory_bytes: what a fit may use.
        batch_bytes: the scores held at a time.
        resamples: of the intervals.
    """

    threads: int = 2
    memory_bytes: int = 8 * 2**30
    batch_bytes: int = BATCH_BYTES
    resamples: int = RESAMPLES


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
    """How one model went on one domain."""

    fit_seconds: float
    score_seconds: float
    chosen: Mapping[str, Any]


@dataclass(frozen=True)
class BenchmarkResult:
    """Everything that a benchmark found.

    Attributes:
        folder: name of the folder.
        candidates: mode.
        seed: of carving, sampling, fits and resampling.
        order: one sentence.
        notes: sentences about the folder and its split.
        summaries: by domain.
        runs: by (model, domain).
        leaks: what the checks found.
        skipped: model -> why it has no result.
        seconds: of everything.
        peak_memory_mb: highest resident memory of the process so far.
    """

    folder: str
    candidates: Candidates
    seed: int
    order: str
    notes: tuple[str, ...]
    summaries: Mapping[str, TaskSummary]
    runs: Mapping[tuple[str, str], Run]
    leaks: tuple[Leak, ...]
    skipped: Mapping[str, str]
    seconds: float
    peak_memory_mb: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`, the documented format; what is not known is null."""
        result: dict[str, Any] = {
            "folder": self.folder,
            "candidates": self.candidates,
            "seed": self.seed,
            "kuajie": __version__,
            "domains": {domain: self._domain(domain, summary) for domain, summary in self.summaries.items()},
            "leaks": {leak.name: leak.count for leak in self.leaks},
            "seconds": self.seconds,
            "peak_memory_mb": self.peak_memory_mb,
        }
        return plain(result | ({"skipped": dict(self.skipped)} if self.skipped else {}))  # type: ignore[no-any-return]

    def _domain(self, domain: str, summary: TaskSummary) -> dict[str, Any]:
        models = {name: self._model(self.runs[name, domain], model) for name, model in summary.models.items()}
        compared = {"baseline": summary.baseline, "metric": MAIN, "models": summary.comparison}
        return {"test_rows": summary.test_rows, "models": models} | (
            {"comparison": compared} if summary.comparison else {}
        )

    def _model(self, run: Run, model: ModelSummary) -> dict[str, Any]:
        slices = {name: {"test_rows": part.test_rows, MAIN: part.value} for name, part in model.slices.items()}
        return {**model.metrics, "ci95": {MAIN: list(model.interval)}, **asdict(run), "slices": slices}


def plain(value: Any) -> Any:  # noqa: ANN401 # any plain value
    """Mappings, sequences and records as JSON knows them; NaN and infinity become None."""
    if hasattr(value, "__dataclass_fields__"):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def benchmark(
    folder: Path | str,
    models: Sequence[str] = DEFAULT_MODELS,
    candidates: str = "full",
    seed: int = 0,
    options: BenchmarkOptions | None = None,
    *,
    chooser: Chooser | None = None,
    progress: Progress = silent,
) -> BenchmarkResult:
    """Fit models on a split folder and measure them on its test rows.

    Args:
        folder: a split folder.
        models: names of models, each with its default config, optionally with ":target" (fit and history see the
            target alone) or ":source" (the history without the target); "auto" is the chosen blend.
        candidates: "full", "sampled-999", "sampled-99" or "file".
        seed: of everything random.
        options: threads and memory.
        chooser: what "auto" does; left out: `kuajie.workflows.choose.choose`.
        progress: told stages.

    Raises:
        UsageError: no such model or mode.
        DataError: not a split folder, or damaged.
        JobError: no model could be fitted.
    """
    start = time.monotonic()
    options, mode = options or BenchmarkOptions(), parse_candidates(candidates)
    entrants = [parse_entrant(name) for name in dict.fromkeys(models)]
    data = open_split_folder(folder)
    arena = Arena(data, mode, seed, options, chooser or default_chooser, progress)
    for number, entrant in enumerate(entrants):
        progress(f"fit and score {entrant.name}", number, len(entrants))
        arena.enter(entrant)
    if not arena.ranks:
        raise JobError(f"no model could be measured: {'; '.join(arena.skipped.values())}")
    progress("intervals and tests", len(entrants), len(entrants))
    summaries, leaks = arena.summaries([entrant.name for entrant in entrants if entrant.target_only])
    return BenchmarkResult(
        data.name,
        mode,
        seed,
        data.order_reason,
        (*data.notes, *arena.notes),
        summaries,
        arena.runs,
        leaks,
        arena.skipped,
        time.monotonic() - start,
        peak_memory_mb(),
    )


def parse_entrant(name: str) -> Entrant:
    """A model's name and scope.

    Raises:
        UsageError: no such model or scope, or a model that has no default config.
    """
    if name == AUTO:
        return Entrant(name, None)
    kind, colon, scope = name.partition(":")
    scope = scope if colon else "joint"
    if scope not in get_args(Scope):
        raise UsageError(f"the scope of '{name}' must be one of {', '.join(get_args(Scope))}, got '{scope}'")
    if scope == "source" and kind in TARGET_ONLY_KINDS:
        raise UsageError(f"'{kind}' sees the target alone, so there is no '{name}'. Use {kind}.")
    config_type: type[Config] = model_class(kind).config_type  # type: ignore[attr-defined]
    try:
        return Entrant(name, config_type(), scope)  # type: ignore[arg-type]
    except pydantic.ValidationError:
        raise UsageError(f"'{kind}' has no default config, so it cannot be named alone. Use auto.") from None


def default_chooser(
    interactions: Interactions, tasks: Mapping[str, RankingTask], options: FitOptions, progress: Progress
) -> Chosen:
    """What a user gets who chooses nothing."""
    from kuajie.workflows.choose import choose

    return choose(interactions, tasks, options, progress=progress)


@dataclass(eq=False)
class Arena:
    """One folder, its split, and what the models scored on it."""

    folder: SplitFolder
    candidates: Candidates
    seed: int
    options: BenchmarkOptions
    chooser: Chooser
    progress: Progress
    ranks: dict[str, dict[str, Ranks]] = field(default_factory=dict)
    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.final: Split = final_split(self.folder, self.candidates, self.seed)
        self.notes += self.final.notes
        self.fit_options = FitOptions(self.seed, self.options.threads, self.options.memory_bytes)

    def enter(self, entrant: Entrant) -> None:
        """Fit and score one model in every domain; a model that does not fit into memory is skipped and named."""
        try:
            if entrant.config is None:
                self._enter_auto(entrant)
            else:
                self._enter_named(entrant, entrant.config)
        except ResourceError as error:
            self.skipped[entrant.name] = str(error)

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
        blind = validation_split(self.folder, np.random.default_rng([self.seed, 1]), self.candidates, self.seed)
        self.notes += blind.notes
        tasks = {domain: task for domain, task in blind.tasks.items() if task.n_rows}
        choice = self.chooser(blind.train, tasks, self.fit_options, self.progress)
        model = fit_scoped(choice.config, None, self.final.train, self.fit_options)
        seconds = time.monotonic() - begun
        for domain in self.final.tasks:
            if domain in tasks:
                self._score(entrant, model, domain, seconds, choice.summary(domain))
            else:
                self.skipped[entrant.name] = f"{domain} has no validation rows to choose on."

    def _score(
        self, entrant: Entrant, model: Recommender, domain: str, fit_seconds: float, chosen: Mapping[str, Any]
    ) -> None:
        begun = time.monotonic()
        space = self.folder.space
        self.ranks.setdefault(domain, {})[entrant.name] = rank_task(
            self.final.tasks[domain],
            lambda histories: model.score(scoped(histories, space, entrant.scope, domain), domain),
            batch_bytes=self.options.batch_bytes,
            threads=self.options.threads,
            progress=self.progress,
        )
        self.runs[entrant.name, domain] = Run(fit_seconds, time.monotonic() - begun, chosen)

    def summaries(self, baselines: Sequence[str]) -> tuple[dict[str, TaskSummary], tuple[Leak, ...]]:
        """The results of every domain, and what the checks of the folder found."""
        twins = find_twins(self.folder.rows(*ALL_PARTS), self.folder.space)
        found = {}
        for number, (domain, ranks) in enumerate(self.ranks.items()):
            task = self.final.tasks[domain]
            rng = np.random.default_rng([self.seed, 2, number])
            slices = slices_of(task, self.final.train, twins.items)
            found[domain] = summarise(task, ranks, slices, rng, baselines=baselines, resamples=self.options.resamples)
        return found, find_leaks(self.folder, self.final, twins)


def kind_of(config: Config) -> str:
    """The model's name in a config."""
    return str(config.kind)  # type: ignore[attr-defined]


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
