"""Upkeep: what the service does beside answering, now and then, in a thread of its own.

Demo mode ends when there is a key. Steps of re-ranking learn from the lists whose answers have come. Lists that are too
old go, a few at a time, so that no writer waits for them.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from kuajie.bootstrap import learned_store
from kuajie.core.errors import StoreError
from kuajie.service.calls import Service
from kuajie.workflows.issuing import is_guarded
from kuajie.workflows.learned import Learner, learning_step

log = logging.getLogger("kuajie.upkeep")
LOOK_SECONDS = 1.0
DEMO_SECONDS = 2.0
PRUNE_SECONDS = 600.0
LEARN_SECONDS = 60.0
MOST_DAYS = 365
"""Older lists are not learned from, where all of them are kept."""
LEARN_MOST_SECONDS = 3.0
"""Of learning between two looks at the other chores."""
TOGETHER = 200
"""Lists of one transaction."""


@dataclass
class Upkeep:
    """Chores of one process; several may have the same.

    Attributes:
        service: whose.
    """

    service: Service
    learner: Learner | None = field(init=False)
    _done: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config, shaping = self.service.workspace.config.rerank, self.service.deployment.now.shaping
        step = learning_step(config)
        self.learner = None
        if step is not None and shaping is not None:
            kept = learned_store(self.service.workspace)
            days = self.service.workspace.config.store.shown_days or MOST_DAYS
            self.learner = Learner(step, config.answer_minutes, days, self.service.store.shown, kept)
            shaping.teach(self.learner.learned)

    def run(self) -> None:
        """Work until the service stops: a thread."""
        moment = 0.0
        while not self.service.stopped.wait(LOOK_SECONDS):
            moment += LOOK_SECONDS
            self.look(moment)

    def look(self, moment: float) -> None:
        """What is due; `moment` in seconds since the start."""
        if self.service.demo and not self.service.insist:
            self._every("demo", DEMO_SECONDS, moment, self._end_demo)
        if self.learner is not None:
            self._every("learn", LEARN_SECONDS, moment, partial(self._learn, self.learner))
        if self.service.workspace.config.store.shown_days:
            self._every("prune", PRUNE_SECONDS, moment, self._prune)

    def _every(self, name: str, seconds: float, moment: float, chore: Callable[[], bool]) -> None:
        """Do a chore when it is due; again at the next look where it says that there is more to do."""
        if moment - self._done.get(name, -seconds) < seconds:
            return
        try:
            more = chore()
        except StoreError:  # metrics say that it does not answer
            more = False
        except Exception:  # the other chores must go on
            log.exception("%s failed", name)
            more = False
        if not more:
            self._done[name] = moment

    def _end_demo(self) -> bool:
        if is_guarded(self.service.store.access):
            self.service.demo = False
            log.warning("demo mode has ended: there is a key now")
        return False

    def _learn(self, learner: Learner) -> bool:
        shaping, more, end = self.service.deployment.now.shaping, True, time.monotonic() + LEARN_MOST_SECONDS
        if shaping is None:
            return False
        try:
            while more and time.monotonic() < end and not self.service.stopped.is_set():
                more = learner.round(shaping.catalog, shaping.items, self.service.clock())
        finally:  # also where the sums could not be saved
            shaping.teach(learner.learned)
        return more

    def _prune(self) -> bool:
        service = self.service
        before = service.clock() - timedelta(days=service.workspace.config.store.shown_days)
        removed = service.store.shown.prune(before, TOGETHER)
        service.metrics.pruned(removed)
        return removed == TOGETHER


def upkeep_of(service: Service) -> threading.Thread:
    """The thread, not started."""
    return threading.Thread(target=Upkeep(service).run, name="kuajie-upkeep", daemon=True)
