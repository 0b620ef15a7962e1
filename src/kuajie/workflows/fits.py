"""Fitted models that choosing has at hand: what was fitted lately is not fitted again.

Settings that touch scoring alone are tried on arrays that are there.
"""

import time
from collections import OrderedDict
from dataclasses import replace
from typing import Any, ClassVar, Protocol, runtime_checkable

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError
from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Recommender
from kuajie.models.blend import fit_scoped
from kuajie.models.registry import build

KEPT = 6
"""Fits that stay in memory: those of scouts share the joint one over all targets, those of settings their arrays."""
MOST_PACE = 4.0
"""A machine is never taken for slower than this, so that one slow fit does not end the search."""


@runtime_checkable
class Rescoring(Protocol):
    """A model with settings that touch scoring alone."""

    scoring_fields: ClassVar[frozenset[str]]

    def with_config(self, config: Any) -> Recommender:  # noqa: ANN401 # the model's own config
        """The same learned state under a config that differs in `scoring_fields` alone."""


class Fits:
    """Fits models on one set of training data and keeps the latest.

    Attributes:
        interactions: what is fitted on.
        pace: how much longer fits took than planned, so far; 1 at the start.
    """

    def __init__(self, interactions: Interactions, options: FitOptions) -> None:
        self.interactions, self.options = interactions, options
        self.shape = DataShape.of(interactions)
        self.pace = 1.0
        self._planned = self._spent = 0.0
        self._kept: OrderedDict[tuple[str, str | None], Recommender] = OrderedDict()

    def get(self, config: Config, alone: str | None, seconds: float | None = None) -> Recommender:
        """A fitted model, from memory where only its scoring differs from one that is there.

        Args:
            config: of the model.
            alone: the domain that it sees alone; None for everything.
            seconds: models that can stop early do so after so many.
        """
        key = (fit_signature(config), alone)
        if key not in self._kept:
            begun = time.monotonic()
            options = replace(self.options, seconds=seconds)
            self._kept[key] = fit_scoped(config, alone, self.interactions, options)
            self._learn_pace(build(config).plan(self.shape, self.options).seconds, time.monotonic() - begun)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        model = self._kept[key]
        return model if model.config == config else rescoring(model, config)

    def seconds(self, config: Config, alone: str | None) -> float:
        """Predicted time until `get` answers.

        Raises:
            ResourceError: the fit does not fit into memory.
        """
        plan = build(config).plan(self.shape, self.options)
        return 0.0 if (fit_signature(config), alone) in self._kept else plan.seconds * self.pace

    def possible(self, config: Config) -> bool:
        """Whether a fit fits into memory."""
        try:
            build(config).plan(self.shape, self.options)
        except ResourceError:
            return False
        return True

    def _learn_pace(self, planned: float, took: float) -> None:
        self._planned, self._spent = self._planned + planned, self._spent + took
        self.pace = min(max(self._spent / self._planned, 1.0), MOST_PACE)

    def forget(self) -> None:
        """Give the memory back."""
        self._kept.clear()


def fit_signature(config: Config) -> str:
    """What of a config the fit depends on."""
    model = build(config)
    scoring = model.scoring_fields if isinstance(model, Rescoring) else frozenset()
    return config.model_dump_json(exclude=set(scoring))


def rescoring(model: Recommender, config: Config) -> Recommender:
    """The fitted arrays under a config that differs in scoring only."""
    if isinstance(model, Rescoring):
        return model.with_config(config)
    raise AssertionError("only such models have settings that touch scoring alone")
