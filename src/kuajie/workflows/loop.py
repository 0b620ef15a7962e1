"""Loop: one round of events -> snapshot -> train -> activate, which leaves what serves alone unless all went well.

lock -> enough new events? -> import -> choose, or fit the chosen again -> guard -> canaries -> activate -> prune

Only one round runs at a time. Whatever fails, and wherever the process dies, the pointer to the model that serves has
not moved, and the reason is on record (`workflows.schedule.LoopLog`).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import JobError, KuajieError, UsageError
from kuajie.core.locks import locked
from kuajie.core.progress import Progress, silent
from kuajie.core.recommender import FitOptions
from kuajie.core.records import ModelVersion
from kuajie.core.texts import Joined, Text
from kuajie.data.dataset import JointDataset
from kuajie.data.snapshot import latest_snapshot
from kuajie.models.blend import BlendConfig
from kuajie.workflows.deploy import try_out
from kuajie.workflows.guard import Limits, Served, Verdict, compare
from kuajie.workflows.ports import ModelStore
from kuajie.workflows.prune import prune
from kuajie.workflows.refit import blend_of_version, fit_again, note_of
from kuajie.workflows.schedule import LoopConfig, LoopLog, Outcome, Round
from kuajie.workflows.serving import open_server
from kuajie.workflows.step import Earlier, Step
from kuajie.workflows.stores import EventStore
from kuajie.workflows.train import choose_for
from kuajie.workflows.workspace import Workspace

log = logging.getLogger("kuajie.loop")
PAGE = 1_000


@dataclass(frozen=True)
class Loop:
    """What a round needs.

    Attributes:
        workspace: whose data and models.
        models: where versions are.
        newer: how many events the store holds that the snapshot up to a sequence number does not, at most so many.
        imported: makes a snapshot of everything.
        progress: told stages.
        clock: tells the time.
    """

    workspace: Workspace
    models: ModelStore
    newer: Callable[[int, int], int]
    imported: Callable[[], object]
    progress: Progress = silent
    clock: Clock = system_clock

    @property
    def config(self) -> LoopConfig:
        """The section `[loop]`."""
        return self.workspace.config.loop

    @property
    def options(self) -> FitOptions:
        """Of every fit: few threads, for others serve meanwhile."""
        return replace(self.workspace.fit_options, threads=self.config.threads)

    def round(self, *, force: bool = False) -> Round:
        """One round now; `force`: also without enough new events.

        Raises:
            JobError: another process runs one.
            ResourceError: the disk refuses.
        """
        rounds = LoopLog(self.workspace.models)
        with locked(rounds.lock) as free:
            if not free:
                raise JobError("another process runs a round of the loop. Wait for it, or look: kuajie loop --show")
            current = Round(started_at=self.clock(), outcome="running")
            rounds.keep(current)
            current = msgspec.structs.replace(self._tried(current, force=force), finished_at=self.clock())
            rounds.keep(current)
        level = logging.WARNING if current.bad else logging.INFO
        log.log(level, "loop %s %s %s", current.outcome, current.model_version, current.reason)
        return current

    def _tried(self, current: Round, *, force: bool) -> Round:
        try:
            return self._run(current, force=force)
        except KuajieError as error:
            return msgspec.structs.replace(current, outcome="failed", reason=str(error.text))
        except MemoryError:
            return msgspec.structs.replace(current, outcome="failed", reason="there is not enough memory")
        except Exception as error:  # a fault of ours must be on record too
            log.exception("the round failed")
            return msgspec.structs.replace(current, outcome="failed", reason=repr(error)[:500])

    def _run(self, current: Round, *, force: bool) -> Round:
        if "import" in self.config.steps:
            current = msgspec.structs.replace(current, new_events=self._new_events())
            if current.new_events < self.config.least_events and not force:
                return _end(current, "skipped", Text("too few new events: {got}", got=current.new_events))
            self.imported()
        folder = latest_snapshot(self.workspace.warehouse)
        current = msgspec.structs.replace(current, snapshot_id=folder.record.snapshot_id)
        if "train" not in self.config.steps:
            return self._pruned(_end(current, "imported"))
        dataset = JointDataset.open(folder.path, self.workspace.config.strength)
        return self._pruned(self._train(current, dataset, force=force))

    def _new_events(self) -> int:
        try:
            sequence = latest_snapshot(self.workspace.warehouse).store_sequence
        except UsageError:  # nothing was imported yet
            return self.config.least_events
        return self.newer(sequence, self.config.least_events)

    def _train(self, current: Round, dataset: JointDataset, *, force: bool) -> Round:
        served, version = self._served()
        earlier = None
        if served is not None and version is not None:
            earlier = Earlier(served.model, served.dataset, self.models.sums(version.model_version))
        if version is not None and version.snapshot_id == current.snapshot_id and not force:
            return _end(current, "skipped", Text("the model that serves knows this snapshot"))
        blend, mode, chosen_at = self._blend(dataset, version)
        verdict = Verdict()
        if served is not None:
            limits = Limits(self.config.worst_fall, self.config.worst_shrink, self.config.least_rows)
            verdict = compare(dataset, served, blend, self.options, limits)
        current = msgspec.structs.replace(current, mode=mode, metrics=_plain(verdict))
        if verdict.problem is not None:
            return _end(current, "refused", verdict.problem)
        made = fit_again(
            dataset,
            self.models,
            blend,
            self.options,
            Step(dataset.catalog, earlier),
            based_on="" if version is None or mode == "chosen" else version.model_version,
            chosen_at=chosen_at,
            metrics=verdict.metrics,
            clock=self.clock,
            serve=False,
        )
        current = msgspec.structs.replace(current, model_version=made.model_version)
        return self._activated(current, self._note(served, verdict))

    @staticmethod
    def _note(served: Served | None, verdict: Verdict) -> Text | None:
        notes = [] if served is None else [note for note in (note_of(served.model), verdict.note) if note is not None]
        return Joined(notes) if notes else verdict.note

    def _activated(self, current: Round, note: Text | None) -> Round:
        """Let the version serve, if it answers and nobody holds another one fast."""
        name = current.model_version
        try:
            server = open_server(self.workspace, self.models, model_version=name, clock=self.clock)
            try_out(server.engine, server.dataset)
        except KuajieError as error:
            return _end(current, "refused", error.text)
        serving = self.models.serving()
        if serving is not None and serving in self.models.pinned():
            return _end(current, "trained", Text("{serving} is pinned and serves on", serving=serving))
        self.models.serve(name)
        return _end(current, "activated", note)

    def _blend(
        self, dataset: JointDataset, version: ModelVersion | None
    ) -> tuple[BlendConfig, Literal["chosen", "fitted again"], datetime]:
        """The blend to fit: the one that serves, unless it was chosen long ago or does not fit the domains."""
        now = self.clock()
        if version is not None:
            chosen_at = version.chosen_at or version.created_at
            blend = blend_of_version(self.models.load(version.model_version), dataset.space)
            if blend is not None and now - chosen_at < timedelta(hours=self.config.choose_hours):
                return blend, "fitted again", chosen_at
        # what is fitted again step by step is a blend; a ranker over it is for `train`
        training = self.workspace.config.training.model_copy(update={"rerank": "never"})
        if self.config.budget_seconds is not None:
            training = training.model_copy(update={"seconds": self.config.budget_seconds})
        return choose_for(dataset.interactions(), self.options, training, self.progress).blend, "chosen", now

    def _served(self) -> tuple[Served | None, ModelVersion | None]:
        """What serves, as far as it can be opened: a damaged one must not keep a good one from serving."""
        if self.models.serving() is None:
            return None, None
        try:
            stored = self.models.load()
            server = open_server(self.workspace, self.models)
        except KuajieError as error:
            log.warning("what serves cannot be compared with: %s", error)
            return None, None
        return Served(stored.model, server.dataset), stored.version

    def _pruned(self, current: Round) -> Round:
        """Remove what nobody goes back to; a failure of that does not undo the round."""
        try:
            prune(self.models, self.workspace.warehouse, self.config.kept)
        except (KuajieError, OSError) as error:
            log.warning("old versions could not be removed: %s", error)
        return current


def newer_events(events: EventStore, sequence: int, most: int) -> int:
    """How many events the store holds after a sequence number, counted up to `most`."""
    count = 0
    while count < most and (rows := events.after(sequence, min(PAGE, most - count))):
        count, sequence = count + len(rows), rows[-1].sequence
    return count


def _end(current: Round, outcome: Outcome, reason: Text | None = None) -> Round:
    return msgspec.structs.replace(current, outcome=outcome, reason="" if reason is None else str(reason))


def _plain(verdict: Verdict) -> dict[str, dict[str, float]]:
    return {target: dict(values) for target, values in verdict.metrics.items()}
