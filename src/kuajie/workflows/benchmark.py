"""Benchmark: models against a prepared split, all choices on validation data, test rows read once at the end."""

import math
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kuajie import __version__
from kuajie.core.errors import JobError
from kuajie.core.progress import Progress, silent
from kuajie.data.split_folder import open_split_folder
from kuajie.evaluation.candidates import Candidates, parse_candidates
from kuajie.evaluation.leaks import ALL_PARTS, Leak, find_leaks, find_twins
from kuajie.evaluation.protocols import Split, final_split, validation_split
from kuajie.evaluation.summary import MAIN, ModelSummary, TaskSummary
from kuajie.workflows.arena import AUTO, Arena, ArenaOptions, Chooser, Run, default_chooser, parse_entrant

DEFAULT_MODELS = (AUTO, "popularity", "itemknn", "itemknn:target")


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
    options: ArenaOptions | None = None,
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
    options, mode = options or ArenaOptions(), parse_candidates(candidates)
    entrants = [parse_entrant(name) for name in dict.fromkeys(models)]
    data = open_split_folder(folder)

    def blind() -> Split:
        return validation_split(data, np.random.default_rng([seed, 1]), mode, seed)

    arena = Arena(final_split(data, mode, seed), blind, seed, options, chooser or default_chooser, progress)
    for number, entrant in enumerate(entrants):
        progress(f"fit and score {entrant.name}", number, len(entrants))
        arena.enter(entrant)
    if not arena.ranks:
        raise JobError(f"no model could be measured: {'; '.join(arena.skipped.values())}")
    progress("intervals and tests", len(entrants), len(entrants))
    twins = find_twins(data.rows(*ALL_PARTS), data.space)
    summaries = arena.summaries([entrant.name for entrant in entrants if entrant.target_only], twins.items)
    return BenchmarkResult(
        data.name,
        mode,
        seed,
        data.order_reason,
        (*data.notes, *arena.notes),
        summaries,
        arena.runs,
        find_leaks(data, arena.final, twins),
        arena.skipped,
        time.monotonic() - start,
        peak_memory_mb(),
    )


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
