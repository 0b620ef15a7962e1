"""A model that has become slow must not make everybody wait: it is left alone for a while, then tried again.

Answers are made where requests are read, so nothing can be interrupted. One that took too long is an accident (a page
that had to be read from disk); several in a row mean that the next will be slow too.
"""

from collections.abc import Callable

SLOW_IN_A_ROW = 3
PAUSE_SECONDS = 5.0


class ModelPace:
    """Decides whether the model may be asked.

    Args:
        limit_seconds: an answer that took longer was slow.
        monotonic: seconds.
    """

    def __init__(self, limit_seconds: float, monotonic: Callable[[], float]) -> None:
        self._limit, self._monotonic = limit_seconds, monotonic
        self._slow = 0
        self._paused_until = 0.0

    def may_ask(self) -> bool:
        """Whether the model is asked; after a pause it is asked once, and that answer decides."""
        return self._slow < SLOW_IN_A_ROW or self._monotonic() >= self._paused_until

    def took(self, seconds: float) -> None:
        """How long the model took for the scores of one answer."""
        if seconds <= self._limit:
            self._slow = 0
            return
        self._slow += 1
        if self._slow >= SLOW_IN_A_ROW:
            self._paused_until = self._monotonic() + PAUSE_SECONDS

    def explained(self, seconds: float) -> None:
        """How long it took for reasons that came later; only slow ones count, for the answer is counted already."""
        if seconds > self._limit:
            self.took(seconds)
