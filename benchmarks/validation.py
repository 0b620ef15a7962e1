"""Models with named settings on the validation rows of a split folder, where choices are made: no test row is read.

python -m benchmarks.validation FOLDER [--candidates sampled-999] MODEL[:SCOPE][,KEY=VALUE...] ...

python -m benchmarks.validation splits/books_music als lightgcn,rounds=1 bitgcf,own=0.5,training.epochs=10
python -m benchmarks.validation splits/books_music --together als lightgcn     # and their scores added up
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.histories import Histories
from kuajie.core.recommender import FitOptions, Scope
from kuajie.data.split_folder import open_split_folder
from kuajie.evaluation.metrics import mean_metrics
from kuajie.evaluation.protocols import Split, validation_split
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tuning import changed
from kuajie.models.blend import fit_scoped, scoped
from kuajie.workflows.arena import parse_entrant

Score = Callable[[Histories], npt.NDArray[np.float32]]
SCALED_ON = 200
"""Histories whose scores say what a model's scores are divided by before they are added to another's."""


def configured(text: str) -> tuple[Scope, Config]:
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


def scores(text: str, split: Split, options: FitOptions) -> dict[str, Score]:
    """Of each domain the fitted model's scores; one fit for all domains, but with scope target."""
    scope, config = configured(text)
    joint = None if scope == "target" else fit_scoped(config, None, split.train, options)

    def score_of(domain: str) -> Score:
        model = joint or fit_scoped(config, domain, split.train, options)
        return lambda histories: model.score(scoped(histories, split.train.space, scope, domain), domain)

    return {domain: score_of(domain) for domain in split.tasks}


def added(members: Iterable[Score], histories: Histories) -> Score:
    """The sum of scores, each over its spread on some histories; what a member cannot score counts 0."""
    some = histories.take(np.arange(min(SCALED_ON, histories.n_rows)))
    scaled = [(member, 1 / float(np.nanstd(member(some)))) for member in members]
    return lambda asked: np.sum([np.nan_to_num(member(asked) * scale) for member, scale in scaled], axis=0)


def report(name: str, split: Split, found: dict[str, Score], begun: float) -> None:
    """One line: NDCG@10 in each domain."""
    parts = []
    for domain, task in split.tasks.items():
        value = mean_metrics(rank_task(task, found[domain]), ["ndcg@10"])["ndcg@10"]
        parts.append(f"{domain} {value:.4f} ({task.n_rows:,} rows)")
    print(f"{name}: {', '.join(parts)}, {time.monotonic() - begun:.0f} s", flush=True)


def main() -> None:
    """Fit and rank each model, and all of them together where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--candidates", default="sampled-999")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, help="deep models stop training after so long")
    parser.add_argument("--together", action="store_true", help="also the sum of all models' scores, equally weighted")
    given = parser.parse_args()
    folder = open_split_folder(given.folder)
    split = validation_split(folder, np.random.default_rng([given.seed, 1]), given.candidates, given.seed)
    options = FitOptions(seed=given.seed, threads=given.threads, seconds=given.seconds)
    everyone = []
    for text in given.models:
        begun = time.monotonic()
        everyone.append(scores(text, split, options))
        report(text, split, everyone[-1], begun)
    if given.together:
        begun = time.monotonic()
        histories = split.train.histories
        sums = {domain: added([each[domain] for each in everyone], histories) for domain in split.tasks}
        report("together", split, sums, begun)


if __name__ == "__main__":
    main()
