"""Listening: who wants to know at once that the history of an account has changed."""

import threading
from collections.abc import Callable, Iterable

from kuajie.core.records import Account

Wake = Callable[[], None]
"""Called from any thread; it must return at once and raise nothing."""


class Listeners:
    """Wakes whoever listens to an account; nobody's thread is kept for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[Account, set[Wake]] = {}

    def listen(self, accounts: Iterable[Account], wake: Wake) -> Callable[[], None]:
        """Wake somebody whenever one of the accounts has changed, until the returned function is called."""
        listened = tuple(accounts)
        with self._lock:
            for account in listened:
                self._of.setdefault(account, set()).add(wake)

        def stop() -> None:
            with self._lock:
                for account in listened:
                    there = self._of.get(account, set())
                    there.discard(wake)
                    if not there:
                        self._of.pop(account, None)

        return stop

    def tell(self, accounts: Iterable[Account]) -> None:
        """These have changed; each listener is woken once."""
        if not self._of:
            return
        with self._lock:
            woken = {wake for account in accounts for wake in self._of.get(account, ())}
        for wake in woken:
            wake()

    def __len__(self) -> int:
        """How many accounts are listened to."""
        return len(self._of)
