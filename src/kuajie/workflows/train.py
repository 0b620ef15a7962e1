"""Train: a snapshot in, a model version out, chosen on validation rows and fitted on everything."""

import time
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import DataError
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.recommender import FitOptions
from kuajie.core.records import ModelVersion
from kuajie.data.dataset import JointDataset
from kuajie.evaluation.protocols import Split, leave_one_out
from kuajie.models.blend import Blend
from kuajie.models.merged import merge
from kuajie.models.registry import build
from kuajie.workflows.choose import Choice, ChooseConfig, choose, some_people
from kuajie.workflows.ports import ModelStore
from kuajie.workflows.unlinked import linked_people


@dataclass(frozen=True, eq=False)
class TrainResult:
    """A stored model version, and why it is what it is."""

    version: ModelVersion
    choice: Choice
    choose_seconds: float
    fit_seconds: float


def train(
    dataset: JointDataset,
    store: ModelStore,
    options: FitOptions | None = None,
    *,
    config: ChooseConfig | None = None,
    clock: Clock = system_clock,
    progress: Progress = silent,
    serve: bool = True,
) -> TrainResult:
    """Choose a blend, fit it on all events, merge it for serving, store it and let it serve.

    Args:
        dataset: an open snapshot.
        store: takes the model version.
        options: seed, threads, memory.
        config: the budget of choosing.
        clock: names the version.
        progress: told each trial and stage.
        serve: False: store it alone.

    Raises:
        DataError: there is nothing to train on.
        ResourceError: the chosen blend does not fit into memory, or the disk refuses.
    """
    options = replace(options or FitOptions(), progress=progress)
    interactions = dataset.interactions()
    begun = time.monotonic()
    choice = choose_for(interactions, options, config, progress)
    chosen = time.monotonic()
    note(options, choice, config)
    progress("fit", 0, 1)
    fitted_model = build(choice.config).fit(interactions, options)
    model = merge(fitted_model) if isinstance(fitted_model, Blend) else fitted_model
    progress("fit", 1, 1)
    now = clock()
    version = ModelVersion(
        model_version=version_name(now),
        snapshot_id=dataset.snapshot.manifest.snapshot_id,
        kind=str(model.config.kind),  # type: ignore[attr-defined]
        created_at=now,
        contains_histories=model.contains_histories,
        metrics={target: {"validation_ndcg@10": mix.ndcg} for target, mix in choice.mixes.items()},
        chosen_at=now,
    )
    fitted = time.monotonic()
    store.save(model, interactions.space, version, serve=serve)
    return TrainResult(version, choice, chosen - begun, fitted - chosen)


def note(options: FitOptions, choice: Choice, config: ChooseConfig | None) -> None:
    """Tell the tracker what was chosen, and what it reached on validation rows."""
    settings = (config or ChooseConfig()).model_dump(mode="json")
    with closing(options.tracker.begin("auto", settings | {"blend": choice.config.model_dump(mode="json")})) as run:
        run.metrics({f"validation_ndcg@10/{target}": mix.ndcg for target, mix in choice.mixes.items()}, 0)


def choose_for(
    interactions: Interactions, options: FitOptions, config: ChooseConfig | None = None, progress: Progress = silent
) -> Choice:
    """What `train` chooses.

    Raises:
        DataError: there is nothing to train on.
    """
    refuse_weightless(interactions)
    config = config or ChooseConfig()
    split = choosing_split(interactions, config, options.seed)
    linked = linked_people(interactions)
    return choose(split.train, split.tasks, options, config=config, progress=progress, linked=linked)


def refuse_weightless(interactions: Interactions) -> None:
    """Where every row is zero nothing can be learned or measured.

    Raises:
        DataError: so it is.
    """
    if not (interactions.histories.weights > 0).any():
        raise DataError("the snapshot has no event with a strength above 0. Check [strength] weights and the sources.")


def choosing_split(interactions: Interactions, config: ChooseConfig, seed: int) -> Split:
    """Validation rows of at most as many people as choosing uses; some of them made cold."""
    rng = np.random.default_rng([seed, 10])
    return leave_one_out(some_people(interactions, config.people, rng), rng, cold_share=None)


def version_name(now: datetime) -> str:
    """Names that sort by time."""
    return now.strftime("%Y%m%dT%H%M%S%fZ")
