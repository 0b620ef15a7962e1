"""Benchmark: models against a prepared split, all choices on validation data, test rows read once at the end."""

import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kuajie import __version__
from kuajie.core.errors import JobError
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Joined, Text
from kuajie.data.split_folder import SplitFolder, open_split_folder
from kuajie.evaluation.candidates import Candidates, parse_candidates
from kuajie.evaluation.leaks import ALL_PARTS, Leak, find_leaks, find_twins
from kuajie.evaluation.metrics import check_metrics
from kuajie.evaluation.protocols import Split, final_split, validation_split
from kuajie.evaluation.settings import in_setting, parse_setting
from kuajie.evaluation.summary import TaskSummary
from kuajie.workflows.arena import AUTO, Arena, ArenaOptions, Chooser, Run, default_chooser, parse_entrant
from kuajie.workflows.pooling import pooled_summaries
from kuajie.workflows.results import domain_results, plain

DEFAULT_MODELS = (AUTO, "popularity", "itemknn", "itemknn:target")


@dataclass(frozen=True)
class BenchmarkResult:
    """Everything that a benchmark found.

    Attributes:
        folder: name of the folder.
        candidates: mode.
        setting: of the folder.
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
    setting: str
    seed: int
    order: Text
    notes: tuple[Text, ...]
    summaries: Mapping[str, TaskSummary]
    runs: Mapping[tuple[str, str], Run]
    leaks: tuple[Leak, ...]
    skipped: Mapping[str, Text]
    seconds: float
    peak_memory_mb: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`, the documented format; what is not known is null."""
        result: dict[str, Any] = {
            "folder": self.folder,
            "candidates": self.candidates,
            "seed": self.seed,
            "kuajie": __version__,
            "domains": domain_results(self.summaries, self.runs),
            "leaks": {leak.name: leak.count for leak in self.leaks},
            "seconds": self.seconds,
            "peak_memory_mb": self.peak_memory_mb,
        }
        if self.setting != "plain":
            result["setting"] = self.setting
        if self.skipped:
            result["skipped"] = dict(self.skipped)
        return plain(result)  # type: ignore[no-any-return]


def benchmark(
    folder: Path | str | SplitFolder,
    models: Sequence[str] = DEFAULT_MODELS,
    candidates: str = "full",
    seed: int = 0,
    options: ArenaOptions | None = None,
    *,
    metrics: Sequence[str] = (),
    setting: str = "plain",
    chooser: Chooser | None = None,
    progress: Progress = silent,
) -> BenchmarkResult:
    """Fit models on a split folder and measure them on its test rows.

    Args:
        folder: a split folder, or one that was read.
        models: names of models, each with its default config, optionally with ":target" (fit and history see the
            target alone) or ":source" (the history without the target); "auto" is the chosen blend.
        candidates: "full", "sampled-999", "sampled-99" or "file".
        seed: of everything random.
        options: threads and memory.
        metrics: further ones beside those that are always reported, such as "precision@5".
        setting: "plain", or a harder one, see `evaluation.settings`.
        chooser: what "auto" does; left out: `kuajie.workflows.choose.choose`.
        progress: told stages.

    Raises:
        UsageError: no such model, mode, metric or setting.
        DataError: not a split folder, or damaged.
        JobError: no model could be fitted.
    """
    start = time.monotonic()
    options, mode = options or ArenaOptions(), parse_candidates(candidates)
    entrants = [parse_entrant(name) for name in dict.fromkeys(models)]
    check_metrics(metrics)
    wanted = parse_setting(setting)
    data = folder if isinstance(folder, SplitFolder) else open_split_folder(folder)
    data = in_setting(data, wanted, seed)

    def blind() -> Split:
        return validation_split(data, np.random.default_rng([seed, 1]), mode, seed)

    arena = Arena(final_split(data, mode, seed), blind, seed, options, chooser or default_chooser, progress)
    arena.enter_all(entrants)
    if not arena.ranks:
        raise JobError("no model could be measured: {reasons}", reasons=Joined(arena.skipped.values()))
    progress("intervals and tests", len(entrants), len(entrants))
    twins = find_twins(data.rows(*ALL_PARTS), data.space)
    baselines = [entrant.name for entrant in entrants if entrant.target_only]
    summaries = pooled_summaries([arena], baselines, twins.items, metrics)
    return BenchmarkResult(
        data.name,
        mode,
        wanted,
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
