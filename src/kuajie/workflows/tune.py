"""Tune: search one model's settings on validation rows of a workspace; what it finds goes into `kuajie.toml`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.errors import DataError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.recommender import FitOptions, Recommender, Scope
from kuajie.core.space import ItemSpace
from kuajie.evaluation.metrics import mean_metrics
from kuajie.evaluation.protocols import COLD_SHARE, Split, leave_one_out, person_folds
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tasks import RankingTask
from kuajie.evaluation.tuning import Range, Tuning, changed, grid_search, optuna_search
from kuajie.models.blend import fit_scoped, scoped
from kuajie.models.item_features import describes
from kuajie.workflows.families import Family, families

METRIC = "ndcg@10"
Method = Literal["grid", "optuna"]
Choices = Mapping[str, Range | Sequence[Any]]
SMALL = 500
"""Data with fewer people is cross-validated."""
FOLDS = 5


@dataclass(frozen=True)
class TuneResult:
    """The best settings of one model.

    Attributes:
        family: whose settings they are; the key of `[training.settings]`.
        tuning: everything tried.
        start_config: the settings that `auto` starts from.
        start: their value.
        rows: validation rows that decided.
        folds: 1, or the number of folds where the data is small.
    """

    family: str
    tuning: Tuning[Config]
    start_config: Config
    start: float
    rows: int
    folds: int

    @property
    def settings(self) -> dict[str, Any]:
        """What of the best config differs from what `auto` starts from."""
        return self.differing(self.tuning.best.config)

    def differing(self, config: Config) -> dict[str, Any]:
        """What of a config differs from what `auto` starts from, as plain values."""
        plain, start = (each.model_dump(mode="json") for each in (config, self.start_config))
        return {key: value for key, value in plain.items() if value != start[key]}

    @property
    def unsayable(self) -> dict[str, Any]:
        """Best settings that TOML cannot say, for they are or hold none where something else is the default."""
        said = {key: without_none(value) for key, value in self.settings.items() if value is not None}
        read = changed(self.start_config, said).model_dump(mode="json")
        return {key: value for key, value in self.settings.items() if read[key] != value}

    def toml(self) -> str:
        """The lines for `kuajie.toml` that make `auto` start from the best settings; what is unsayable is a comment."""
        lines = [f"[training.settings.{self.family}]"]
        for key, value in self.settings.items():
            mark = "# " if key in self.unsayable else ""
            lines.append(f"{mark}{key} = {toml_value(value)}")
        return "\n".join(lines)


def without_none(value: Any) -> Any:  # noqa: ANN401 # any plain value
    """The same with the entries of tables left out that are none: TOML does not have it."""
    if isinstance(value, dict):
        return {key: without_none(part) for key, part in value.items() if part is not None}
    return value


def toml_value(value: Any) -> str:  # noqa: ANN401 # any plain value
    """A plain value as TOML writes it, on one line."""
    if isinstance(value, dict):
        parts = ", ".join(f"{key} = {toml_value(part)}" for key, part in without_none(value).items())
        return f"{{ {parts} }}" if parts else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "none"  # in a comment alone
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def tune(
    interactions: Interactions,
    name: str,
    *,
    scope: Scope = "joint",
    target: str | None = None,
    choices: Choices | None = None,
    method: Method = "grid",
    trials: int = 50,
    seconds: float = 600.0,
    most_people: int = 20_000,
    options: FitOptions | None = None,
    progress: Progress = silent,
) -> TuneResult:
    """Search the settings of a family's model.

    Args:
        interactions: all training data of a workspace.
        name: of the family, such as "als".
        scope: what the model may see.
        target: judge on this domain alone; None: the mean over all domains' rows.
        choices: key -> values, or a `Range` for Optuna; None: what `auto` would vary.
        method: every combination, or Optuna (extra `ml`).
        trials: of Optuna.
        seconds: no trial starts after so many.
        most_people: validation rows come from at most so many people.
        options: seed, threads, memory.
        progress: told each trial.

    Raises:
        UsageError: no such family or domain, or a range without Optuna.
        ConfigError: a key or value that the model does not have.
        DataError: nobody has enough history to validate on.
        MissingExtraError: Optuna is not installed.
    """
    options = options or FitOptions()
    family = family_named(interactions, name)
    choices = choices or {key: (getattr_path(family.start, key), *values) for key, values in family.moves}
    if not choices:
        raise UsageError(
            "'{name}' has no setting that auto varies; name some, such as --set KEY=VALUE,VALUE", name=name
        )
    if target is not None:
        interactions.space.index(target)
    splits = validation_splits(interactions, options.seed, most_people)
    rows = sum(task.n_rows for split in splits for name, task in split.tasks.items() if target in (None, name))
    if not rows:
        raise DataError("nobody has three different items in one domain, so there is nothing to validate on")

    def objective(config: Config) -> float:
        return float(np.mean([split_value(config, split, scope, target, options) for split in splits]))

    if method == "optuna":
        seed = options.seed
        tuning = optuna_search(
            family.start, choices, objective, trials=trials, seed=seed, budget_seconds=seconds, progress=progress
        )
    else:
        tuning = grid_search(family.start, listed(choices), objective, budget_seconds=seconds, progress=progress)
    return TuneResult(name, tuning, family.start, objective(family.start), rows, len(splits))


def listed(choices: Choices) -> dict[str, tuple[Any, ...]]:
    """The values of a grid.

    Raises:
        UsageError: a range, which has no list of values.
    """
    if any(isinstance(values, Range) for values in choices.values()):
        raise UsageError("a range LOW:HIGH needs --method optuna; a grid needs values, such as --set factors=32,64")
    return {key: tuple(values) for key, values in choices.items() if not isinstance(values, Range)}


def family_named(interactions: Interactions, name: str) -> Family:
    """The family of a name.

    Raises:
        UsageError: there is none for this data.
    """
    described = describes(interactions.side)
    known = {
        family.name: family
        for family in families(interactions.space, interactions.histories.order, described=described)
    }
    if name not in known:
        raise UsageError(
            "there is no family '{name}' for this data; there are {known}", name=name, known=", ".join(known)
        )
    return known[name]


def getattr_path(config: Config, key: str) -> Any:  # noqa: ANN401 # any setting
    """A setting; a dot reaches inside."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def validation_splits(interactions: Interactions, seed: int, most_people: int) -> list[Split]:
    """One split that leaves one item of each person out, or folds of people where there are few."""
    rng = np.random.default_rng([seed, 13])
    active = np.flatnonzero(interactions.histories.lengths)
    if FOLDS <= len(active) < SMALL:
        return list(person_folds(interactions, FOLDS, rng))
    asked = np.zeros(interactions.n_people, dtype=bool)
    asked[rng.choice(active, min(most_people, len(active)), replace=False)] = True
    return [leave_one_out(interactions, rng, people=asked, cold_share=COLD_SHARE)]


def split_value(config: Config, split: Split, scope: Scope, target: str | None, options: FitOptions) -> float:
    """Mean NDCG@10 over the rows of the targets that count."""
    tasks = {name: task for name, task in split.tasks.items() if target in (None, name) and task.n_rows}
    joint = None if scope == "target" else fit_scoped(config, None, split.train, options)
    values = []
    for name, task in tasks.items():
        model = joint or fit_scoped(config, name, split.train, options)
        values.append(task_value(model, task, scope, split.train.space, options.threads))
    return float(np.average(values, weights=[task.n_rows for task in tasks.values()])) if tasks else 0.0


def task_value(model: Recommender, task: RankingTask, scope: Scope, space: ItemSpace, threads: int) -> float:
    """Mean NDCG@10 of a fitted model on one task."""

    def score(histories: Histories) -> npt.NDArray[np.float32]:
        return model.score(scoped(histories, space, scope, task.domain), task.domain)

    return mean_metrics(rank_task(task, score, threads=threads), [METRIC])[METRIC]
