"""Refit: the blend of a version fitted on a newer snapshot, without choosing anew."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import ResourceError, UsageError
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.core.records import ModelVersion
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.data.dataset import JointDataset
from kuajie.models.blend import Blend, BlendConfig
from kuajie.models.merged import Merged, merge
from kuajie.models.ranker import Ranker
from kuajie.workflows.ports import ModelStore, StoredModel
from kuajie.workflows.serving import Server
from kuajie.workflows.step import Earlier, Step
from kuajie.workflows.train import refuse_weightless, version_name


@dataclass(frozen=True)
class RefitResult:
    """A stored model version.

    Attributes:
        version: it; `based_on` is the one that its blend is from.
        fit_seconds: fitting, merging and storing.
        how: what was done for its members: "updated", "summed", "warm", "anew" (see `workflows.step`).
        note: what is not as in the version that its blend is from; None: nothing.
    """

    version: ModelVersion
    fit_seconds: float
    how: tuple[str, ...] = ()
    note: Text | None = None


def refit(
    dataset: JointDataset,
    store: ModelStore,
    options: FitOptions | None = None,
    *,
    model_version: str | None = None,
    earlier: Earlier | None = None,
    clock: Clock = system_clock,
    serve: bool = True,
) -> RefitResult:
    """Fit the blend of a version on a snapshot, store it and let it serve.

    Args:
        dataset: an open snapshot.
        store: has the version, and takes the new one.
        options: seed, threads, memory.
        model_version: whose blend; None: the one that serves.
        earlier: that version with its snapshot, to go on from; None: everything is fitted anew.
        clock: names the version.
        serve: False: store it alone.

    Raises:
        UsageError: there is no such version, or its blend does not fit the domains of the snapshot.
        DataError: there is nothing to train on.
        ResourceError: it does not fit into memory, or the disk refuses.
    """
    stored = store.load(model_version)
    blend = blend_of_version(stored, dataset.space)
    if blend is None:
        raise UsageError(
            "the model {model_version} is no blend for the domains {domains}. Run: kuajie train",
            model_version=stored.version.model_version,
            domains=", ".join(dataset.space.domains),
        )
    begun = time.monotonic()
    step = Step(dataset.catalog, earlier)
    version = fit_again(
        dataset,
        store,
        blend,
        options or FitOptions(),
        step,
        based_on=stored.version.model_version,
        chosen_at=stored.version.chosen_at or stored.version.created_at,
        clock=clock,
        serve=serve,
    )
    return RefitResult(version, time.monotonic() - begun, tuple(step.how), note_of(stored.model))


def earlier_of(server: Server, store: ModelStore) -> Earlier:
    """An opened version, to go on from."""
    return Earlier(server.engine.model, server.dataset, store.sums(server.engine.model_version))


def blend_of_version(stored: StoredModel, space: ItemSpace) -> BlendConfig | None:
    """The blend that a version was merged from or ranks anew, if it serves the domains of an item space."""
    model = stored.model
    blend = model.config.generators[0].model if isinstance(model, Ranker) else None
    if isinstance(model, Merged):
        blend = model.config.blend
    if not isinstance(blend, BlendConfig):
        return None
    filled = {name for name, size in zip(space.domains, space.sizes, strict=True) if size}
    return blend if set(blend.targets) == filled else None


def note_of(model: Recommender) -> Text | None:
    """What a blend that is fitted again lacks of the model that it is from."""
    if not isinstance(model, Ranker):
        return None
    return Text("the second stage of the ranker is left out: its blend alone is fitted. For both run: kuajie train")


def fit_again(
    dataset: JointDataset,
    store: ModelStore,
    blend: BlendConfig,
    options: FitOptions,
    step: Step,
    *,
    based_on: str,
    chosen_at: datetime,
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    clock: Clock = system_clock,
    serve: bool = True,
) -> ModelVersion:
    """Fit a blend on all events of a snapshot, merge and store it with the sums for the next step.

    Raises:
        DataError: there is nothing to train on.
        ResourceError: it does not fit into memory, or the disk refuses.
    """
    interactions = dataset.interactions()
    refuse_weightless(interactions)
    model = merge(Blend(blend).fit(interactions, options, step.fit))
    now = clock()
    version = ModelVersion(
        model_version=version_name(now),
        snapshot_id=dataset.snapshot.manifest.snapshot_id,
        kind="merged",
        created_at=now,
        contains_histories=model.contains_histories,
        metrics={target: dict(values) for target, values in (metrics or {}).items()},
        chosen_at=chosen_at,
        based_on=based_on,
    )
    store.save(model, interactions.space, version, serve=False)
    with suppress(ResourceError):  # the next step takes longer
        store.keep_sums(version.model_version, step.sums)
    if serve:
        store.serve(version.model_version)
    return version
