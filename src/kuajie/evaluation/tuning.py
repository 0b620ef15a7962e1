"""Search for the config with the highest value of an objective, which must read validation data only."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Generic, TypeVar

from kuajie.core.config import Config
from kuajie.core.errors import JobError, MissingExtraError, ResourceError, UsageError
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Joined, Text

C = TypeVar("C", bound=Config)
Objective = Callable[[C], float]
"""Higher is better. A ResourceError skips the config and names it."""


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, ends included.

    Attributes:
        low, high: the ends.
        log: search evenly in the logarithm; low must be above 0.
        whole: integers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high or (self.log and self.low <= 0):
            raise UsageError(
                "a range needs low <= high, and low > 0 for log, got {low} to {high}", low=self.low, high=self.high
            )


@dataclass(frozen=True)
class Trial(Generic[C]):
    """One config that was tried."""

    config: C
    value: float
    seconds: float


@dataclass(frozen=True)
class Tuning(Generic[C]):
    """What a search found.

    Attributes:
        trials: in the order they were tried.
        skipped: sentences about configs that were not tried, and why.
        complete: whether the budget let everything be tried.
    """

    trials: tuple[Trial[C], ...]
    skipped: tuple[Text, ...]
    complete: bool

    @property
    def best(self) -> Trial[C]:
        """The first trial of the highest value.

        Raises:
            JobError: nothing could be tried.
        """
        if not self.trials:
            raise JobError(
                "no config could be tried: {reasons}", reasons=Joined(self.skipped) or Text("the budget is too small")
            )
        return max(self.trials, key=lambda trial: trial.value)


def changed(config: C, values: Mapping[str, Any]) -> C:
    """The config with other values; a dot reaches into a part, as in "weighing.half_life_days".

    Raises:
        ConfigError: an unknown key or a value that is not allowed.
    """
    plain = config.model_dump()
    for key, value in values.items():
        *parts, last = key.split(".")
        inner = plain
        for part in parts:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return type(config).parse(plain)


def grid(config: C, choices: Mapping[str, Sequence[Any]]) -> Iterator[C]:
    """Every combination of the choices, the last key changing fastest."""
    for values in product(*choices.values()):
        yield changed(config, dict(zip(choices, values, strict=True)))


def grid_search(
    config: C,
    choices: Mapping[str, Sequence[Any]],
    objective: Objective[C],
    *,
    budget_seconds: float = float("inf"),
    timer: Callable[[], float] = time.monotonic,
    progress: Progress = silent,
) -> Tuning[C]:
    """Try every combination within the budget; no trial starts after it, the one that runs is finished.

    Args:
        config: where the values that are not searched come from.
        choices: key -> values.
        objective: config -> value.
        budget_seconds: of the whole search.
        timer: counts seconds.
        progress: told each trial.
    """
    configs = list(grid(config, choices))
    start = timer()
    trials: list[Trial[C]] = []
    skipped: list[Text] = []
    for number, candidate in enumerate(configs):
        if timer() - start >= budget_seconds:
            left = len(configs) - number
            skipped.append(
                Text(
                    "{left} of {count} configs: the {seconds:g} s of the budget were spent",
                    left=left,
                    count=len(configs),
                    seconds=budget_seconds,
                )
            )
            return Tuning(tuple(trials), tuple(skipped), complete=False)
        begun = timer()
        try:
            trials.append(Trial(candidate, float(objective(candidate)), timer() - begun))
        except ResourceError as error:
            skipped.append(error.text)
        progress("tuning", number + 1, len(configs))
    return Tuning(tuple(trials), tuple(skipped), complete=True)


def optuna_search(
    config: C,
    space: Mapping[str, Range | Sequence[Any]],
    objective: Objective[C],
    *,
    trials: int = 50,
    seed: int = 0,
    budget_seconds: float = float("inf"),
    timer: Callable[[], float] = time.monotonic,
    progress: Progress = silent,
) -> Tuning[C]:
    """Let Optuna's tree-structured Parzen estimator propose configs; a sequence in `space` is a choice.

    Raises:
        MissingExtraError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError(Text("tuning with Optuna"), "optuna", "ml") from None
    loudness = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would announce the study on standard error
    try:
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    finally:
        optuna.logging.set_verbosity(loudness)
    start = timer()
    done: list[Trial[C]] = []
    skipped: list[Text] = []
    for number in range(trials):
        if timer() - start >= budget_seconds:
            left = trials - number
            skipped.append(
                Text(
                    "{left} of {count} trials: the {seconds:g} s of the budget were spent",
                    left=left,
                    count=trials,
                    seconds=budget_seconds,
                )
            )
            return Tuning(tuple(done), tuple(skipped), complete=False)
        begun = timer()
        asked = study.ask()
        candidate = changed(config, {key: suggest(asked, key, values) for key, values in space.items()})
        try:
            value = float(objective(candidate))
        except ResourceError as error:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
            skipped.append(error.text)
        else:
            study.tell(asked, value)
            done.append(Trial(candidate, value, timer() - begun))
        progress("tuning", number + 1, trials)
    return Tuning(tuple(done), tuple(skipped), complete=True)


def suggest(trial: Any, key: str, values: Range | Sequence[Any]) -> Any:  # noqa: ANN401 # an Optuna trial, if installed
    """Ask Optuna for one value."""
    if not isinstance(values, Range):
        return values[trial.suggest_categorical(key, list(range(len(values))))]
    if values.whole:
        return trial.suggest_int(key, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(key, values.low, values.high, log=values.log)
