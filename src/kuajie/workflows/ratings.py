"""Ratings of a split folder: how far off the mean, biases and matrix factorisation are.

The strengths of regularisation are chosen on validation ratings; test ratings are read once, at the end.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kuajie import __version__
from kuajie.core.config import Config
from kuajie.core.errors import UsageError
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.recommender import FitOptions
from kuajie.core.texts import Text
from kuajie.data.split_ratings import Rated, RatingSplit, carve, open_ratings, rated_interactions
from kuajie.evaluation.ratings import Biases, Tell, Told, tell
from kuajie.models.deep.set_configs import MFConfig
from kuajie.models.registry import build

MODELS = ("mean", "biases", "biases:target", "mf", "mf:target")
SHRINKAGES = (2.0, 5.0, 15.0)
REGULARIZATIONS = (8.0, 15.0, 30.0)
NOBODY = float("inf")


@dataclass(frozen=True)
class RatingResult:
    """What was found.

    Attributes:
        folder: name of the folder.
        seed: of carving, fits and resampling.
        domains: domain -> rows and models -> rmse, mae, ci95, fell_back, chosen.
        seconds: of everything.
    """

    folder: str
    seed: int
    domains: dict[str, dict[str, Any]]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "folder": self.folder,
            "seed": self.seed,
            "kuajie": __version__,
            "domains": self.domains,
            "seconds": self.seconds,
        }


def benchmark_ratings(
    folder: Path | str,
    models: Sequence[str] = MODELS,
    seed: int = 0,
    options: FitOptions | None = None,
    progress: Progress = silent,
) -> RatingResult:
    """Tell the test ratings of a split folder.

    Args:
        folder: a split folder whose files have a column `rating`.
        models: of `MODELS`; with ":target" a model sees the target's ratings alone.
        seed: of everything random.
        options: threads and memory.
        progress: told stages.

    Raises:
        UsageError: no such model.
        DataError: not a split folder, without ratings, or damaged.
        MissingExtraError: mf without PyTorch.
    """
    begun = time.monotonic()
    unknown = [name for name in models if name not in MODELS]
    if unknown:
        raise UsageError(
            "there is no model of ratings '{name}'; there are {known}", name=unknown[0], known=", ".join(MODELS)
        )
    split = open_ratings(folder)
    options = options or FitOptions(seed=seed)
    kept, asked = carve(split, np.random.default_rng([seed, 1]))
    blind = Contest(split, rated_interactions(split, kept), asked, options)
    final = Contest(split, rated_interactions(split, split.train), split.test, options)
    found: dict[str, dict[str, Any]] = {}
    for domain in split.space.domains:
        results = {}
        for number, name in enumerate(models):
            progress(Text("tell {domain} ratings by {model}", domain=domain, model=name), number, len(models))
            best = min(settings_of(name), key=lambda setting: blind.mean_square(name, setting, domain))
            told = final.told(name, best, domain)
            results[name] = told.summary(np.random.default_rng([seed, 2])) | {
                "chosen": None if best == NOBODY else best
            }
        found[domain] = {"test_rows": len(split.test[domain]), "models": results}
    return RatingResult(split.name, seed, found, time.monotonic() - begun)


def settings_of(name: str) -> tuple[float, ...]:
    """What is tried of a model."""
    kind = name.partition(":")[0]
    return {"mean": (NOBODY,), "biases": SHRINKAGES, "mf": REGULARIZATIONS}[kind]


class Contest:
    """Models of one set of training ratings, asked for others; joint models are fitted once for all domains."""

    def __init__(self, split: RatingSplit, train: Interactions, asked: dict[str, Rated], options: FitOptions) -> None:
        self.split, self.train, self.asked, self.options = split, train, asked, options
        self._joint: dict[tuple[str, float], Tell] = {}

    def mean_square(self, name: str, setting: float, domain: str) -> float:
        """The mean squared error of what was asked; 0 where nothing was."""
        told = self.told(name, setting, domain)
        return float(np.mean((told.told - told.wanted) ** 2)) if len(told.wanted) else 0.0

    def told(self, name: str, setting: float, domain: str) -> Told:
        """What a model says of a domain's ratings."""
        kind, _, scope = name.partition(":")
        asked, space = self.asked[domain], self.split.space
        lowest, highest = self.split.bounds
        seen = self.train.only(domain) if scope == "target" else self.train
        histories = seen.histories.take(asked.people)
        model = self._model(kind, setting, seen, None if scope == "target" else name)
        fallback = Biases.fit(seen, SHRINKAGES[1], SHRINKAGES[1])
        items = asked.items - space.slice(domain).start
        told, fell_back = tell(model, fallback, histories, domain, items, (1.0, highest - lowest + 1))
        return Told(asked.people, asked.ratings, told + lowest - 1, fell_back)

    def _model(self, kind: str, setting: float, seen: Interactions, joint: str | None) -> Tell:
        if joint is not None and (joint, setting) in self._joint:
            return self._joint[joint, setting]
        model = fitted(kind, setting, seen, self.options)
        if joint is not None:
            self._joint[joint, setting] = model
        return model


def fitted(kind: str, setting: float, seen: Interactions, options: FitOptions) -> Tell:
    """A model of ratings."""
    if kind != "mf":
        return Biases.fit(seen, setting, setting)
    config: Config = MFConfig(feedback="ratings", regularization=setting)
    return build(config).fit(seen, options).score
