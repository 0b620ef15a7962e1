"""Who said no to being recommended what fits them, kept in memory, so that it holds while the store does not answer."""

import threading
from collections.abc import Iterable

from kuajie.core.records import Account, Consent
from kuajie.workflows.stores import CatalogueStore


class Refusals:
    """The accounts that said no, of all processes; what another process was told is known after the next `read`."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._accounts: set[Account] = set()
        self._sequence = 0
        self._known = False

    def read(self, store: CatalogueStore) -> list[Consent]:
        """What was said since the last call; the first reads everything.

        Raises:
            StoreError: the store does not answer; the next call goes on where this one stopped.
        """
        said: list[Consent] = []
        with self._reading:
            while changes := store.consents_after(self._sequence):
                said += [self._heard(change.value) for change in changes]
                self._sequence = changes[-1].sequence
            self._known = True
        return said

    def _heard(self, consent: Consent) -> Consent:
        if consent.personalised:
            self._accounts.discard(consent.account)
        else:
            self._accounts.add(consent.account)
        return consent

    def allow(self, accounts: Iterable[Account]) -> bool:
        """Whether none of a person's accounts said no; False as long as nothing could be read."""
        return self._known and not any(account in self._accounts for account in accounts)
