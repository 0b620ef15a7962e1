"""Lists on their way to the store: no answer waits for them, and they travel in bundles.

One transaction for each list would cost more than the list. So they gather here and leave together, a few times a
second; what the store does not take stays for the next time, as long as there is room. Those of the last minutes stay
at hand, since what a page tells of a list it tells soon.
"""

import threading
from collections import OrderedDict, deque
from concurrent.futures import Future
from functools import partial

from kuajie.core.errors import StoreError
from kuajie.core.records import RankedList
from kuajie.workflows.stores import ShownStore

AT_HAND = 2_000
MOST_WAITING = 5_000
BUNDLE = 500


class KeptLists:
    """See the module.

    Attributes:
        lost: how many never reached the store.
    """

    def __init__(self, shown: ShownStore) -> None:
        self._shown = shown
        self._lock = threading.Lock()
        self._at_hand: OrderedDict[str, RankedList] = OrderedDict()
        self._waiting: deque[RankedList] = deque()
        self.lost = 0

    @property
    def waiting(self) -> int:
        """Lists that the store has not been asked to take yet."""
        return len(self._waiting)

    def keep(self, ranked: RankedList) -> None:
        """One more list."""
        with self._lock:
            self._at_hand[ranked.list_id] = ranked
            if len(self._at_hand) > AT_HAND:
                self._at_hand.popitem(last=False)
            self._wait([ranked])

    def get(self, list_id: str) -> RankedList | None:
        """A list of the last minutes."""
        return self._at_hand.get(list_id)

    def flush(self) -> None:
        """Give the store what waits now."""
        bundles = self._bundles()
        for place, bundle in enumerate(bundles):
            try:
                self._shown.submit_lists(bundle).add_done_callback(partial(self._again, bundle))
            except StoreError:
                with self._lock:
                    self._wait([each for left in bundles[place:] for each in left], first=True)
                return

    def _bundles(self) -> list[list[RankedList]]:
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        return [waiting[start : start + BUNDLE] for start in range(0, len(waiting), BUNDLE)]

    def _again(self, sent: list[RankedList], future: Future[None]) -> None:
        """What could not be stored waits for the next time."""
        if future.cancelled() or future.exception() is not None:
            with self._lock:
                self._wait(sent, first=True)

    def _wait(self, lists: list[RankedList], *, first: bool = False) -> None:
        if first:
            self._waiting.extendleft(reversed(lists))
        else:
            self._waiting.extend(lists)
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()  # the oldest: nobody tells of it any more
            self.lost += 1
