"""Deploy: the model that serves is watched, tried before it serves, and swapped whole.

pointer names a version -> load (manifest, digests, shapes, finite) -> canaries -> swap

One `Deployed` answers one request from beginning to end, so no answer mixes two versions. What cannot be loaded or
fails its canaries is refused, once, and what served before goes on serving.

A version is loaded in a thread of its own, while others tell the histories what happens. Whoever they tell is decided
together with the swap: before it the histories that serve hear of an event and hand it on, after it the new ones do.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from kuajie.core.errors import ArtifactError, KuajieError
from kuajie.core.records import Account, Event
from kuajie.core.texts import Text
from kuajie.data.dataset import JointDataset
from kuajie.profiles.person import Profiler
from kuajie.workflows.groups import GroupLists
from kuajie.workflows.library import Shelves
from kuajie.workflows.live import LiveHistories
from kuajie.workflows.new_items import NewItems
from kuajie.workflows.recommend import Engine
from kuajie.workflows.shape import Shaping
from kuajie.workflows.stores import CatalogueStore

CANARIES = 5
"""People of the snapshot that a new version must answer."""
CANARY_ITEMS = 10


@dataclass(frozen=True, eq=False)
class Deployed:
    """Everything of one model version that answers need.

    Attributes:
        engines: by language; they share the model.
        dataset: the snapshot that it was trained on.
        live: histories over that snapshot.
        shelves: what can be found by words.
        new_items: what the model has not learned yet; None: such items are left out.
        shaping: what becomes of lists before they are shown; None: nothing.
        profiler: makes profiles over the snapshot; None: they hold no fields.
        groups: what is popular where people are; None: nothing is known of that.
    """

    engines: Mapping[str, Engine]
    dataset: JointDataset
    live: LiveHistories
    shelves: Shelves
    new_items: NewItems | None = None
    shaping: Shaping | None = None
    profiler: Profiler | None = None
    groups: GroupLists | None = None

    @property
    def model_version(self) -> str:
        """The version."""
        return next(iter(self.engines.values())).model_version

    def read_new_items(self, catalogue: CatalogueStore) -> None:
        """Learn of items that any process put into the store.

        Raises:
            StoreError: the store does not answer.
        """
        if self.new_items is not None:
            self.new_items.read(catalogue)


@dataclass(frozen=True)
class Refused:
    """A version that must not serve, and why."""

    model_version: str
    reason: Text


class Deployment:
    """What serves now.

    Args:
        load: makes a version ready, None: the one that the pointer names; raises a `KuajieError` where it cannot.
        pointer: the name of the version that should serve.

    Attributes:
        now: what serves.
        refused: the last version that was refused, as long as the pointer names it.
    """

    def __init__(self, load: Callable[[str | None], Deployed], pointer: Callable[[], str | None]) -> None:
        self._load, self._pointer = load, pointer
        self._looking, self._swapping = threading.Lock(), threading.Lock()
        self.now = tried(load(None))
        self.refused: Refused | None = None

    def learn(self, events: Iterable[Event]) -> None:
        """See `LiveHistories.learn`; no event falls between two versions."""
        with self._swapping:
            self.now.live.learn(events)

    def forget(self, accounts: Iterable[Account]) -> None:
        """See `LiveHistories.forget`; no change falls between two versions."""
        with self._swapping:
            self.now.live.forget(accounts)

    def _swap(self, new: Deployed) -> None:
        """Let a version serve; it is told what the store, or the cache, may not have told when it was asked."""
        with self._swapping:
            new.live.learn(self.now.live.fresh())
            if new.shaping is not None and self.now.shaping is not None:
                new.shaping.inherit(self.now.shaping)
            self.now = new

    def look(self) -> bool:
        """Swap to the version that the pointer names; returns whether another serves now."""
        with self._looking:
            return self._look()

    def _look(self) -> bool:
        try:
            wanted = self._pointer()
        except OSError:
            return False
        if wanted == self.now.model_version:
            self.refused = None
        if wanted in {None, self.now.model_version, self.refused and self.refused.model_version}:
            return False
        assert wanted is not None  # noqa: S101 - told by the line above
        try:
            self._swap(tried(self._load(wanted)))
        except KuajieError as error:
            self.refused = Refused(wanted, error.text)
        except Exception as error:  # whatever it is, the one that serves goes on
            self.refused = Refused(wanted, Text("{error}", error=repr(error)[:300]))
        else:
            self.refused = None
        return self.refused is None


def tried(deployed: Deployed) -> Deployed:
    """The same, after some people of its snapshot were answered for every domain.

    Raises:
        ArtifactError: an answer has a wrong shape, is infinite, or every answer is empty.
    """
    try_out(next(iter(deployed.engines.values())), deployed.dataset)
    return deployed


def try_out(engine: Engine, dataset: JointDataset) -> None:
    """Let a model answer some people of its snapshot, the canaries.

    Raises:
        ArtifactError: an answer has a wrong shape, is infinite, or every answer is empty.
    """
    people = np.unique(dataset.events.row[:10_000])[:CANARIES]
    answered = 0
    for person in people.tolist():
        account: Account = dataset.accounts_of(person)[0]
        history = dataset.history_of(account)
        for target, size in zip(dataset.space.domains, dataset.space.sizes, strict=True):
            scores = engine.model.score(history, target)
            if scores.shape != (1, size) or np.isinf(scores).any():
                raise ArtifactError(
                    "the model {model_version} gives scores that are infinite or of a wrong shape for {target}. "
                    "Run: kuajie train",
                    model_version=engine.model_version,
                    target=target,
                )
            answered += len(engine.recommend(account, history, target, CANARY_ITEMS).items)
    if len(people) and not answered:
        raise ArtifactError(
            "the model {model_version} recommends nothing to anybody. Run: kuajie train",
            model_version=engine.model_version,
        )
