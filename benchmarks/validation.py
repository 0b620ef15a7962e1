"""Models with named settings on the validation rows of a split folder, where choices are made: no test row is read.

python -m benchmarks.validation FOLDER [--candidates sampled-999] MODEL[:SCOPE][,KEY=VALUE...] ...

python -m benchmarks.validation splits/books_music als lightgcn,rounds=1 bitgcf,own=0.5,training.epochs=10
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from kuajie.core.config import Config
from kuajie.core.histories import Histories
from kuajie.core.recommender import FitOptions
from kuajie.data.split_folder import open_split_folder
from kuajie.evaluation.metrics import mean_metrics
from kuajie.evaluation.protocols import validation_split
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tuning import changed
from kuajie.models.blend import fit_scoped, scoped
from kuajie.workflows.arena import parse_entrant


def configured(text: str) -> tuple[str, Config]:
    """The scope and the config that a text names."""
    name, *settings = text.split(",")
    entrant = parse_entrant(name)
    if entrant.config is None:
        raise SystemExit(f"{name} has no settings of its own; name a model")
    pairs = (setting.split("=", 1) for setting in settings)
    return entrant.scope, changed(entrant.config, {key: value_of(value) for key, value in pairs})


def value_of(text: str) -> object:
    """A number, true, false, null, or the text itself."""
    try:
        found: object = json.loads(text)
    except ValueError:
        return text
    return found


def main() -> None:
    """Fit each model once (once for each domain with scope target) and rank."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--candidates", default="sampled-999")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, help="deep models stop training after so long")
    given = parser.parse_args()
    folder = open_split_folder(given.folder)
    split = validation_split(folder, np.random.default_rng([given.seed, 1]), given.candidates, given.seed)
    options = FitOptions(seed=given.seed, threads=given.threads, seconds=given.seconds)
    for text in given.models:
        scope, config = configured(text)
        model, found = None, []
        begun = time.monotonic()
        for domain, task in split.tasks.items():
            if model is None or scope == "target":
                model = fit_scoped(config, domain if scope == "target" else None, split.train, options)

            def score(histories: Histories, target: str = domain, fitted: object = model, seen: str = scope) -> object:
                return fitted.score(scoped(histories, folder.space, seen, target), target)  # type: ignore[attr-defined,arg-type]

            value = mean_metrics(rank_task(task, score), ["ndcg@10"])["ndcg@10"]  # type: ignore[arg-type]
            found.append(f"{domain} {value:.4f} ({task.n_rows:,} rows)")
        print(f"{text}: {', '.join(found)}, {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
