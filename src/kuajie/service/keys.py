"""Keys over HTTP and for the command line: wishes and keys as they travel."""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from kuajie.core.clock import Clock
from kuajie.core.errors import UsageError
from kuajie.core.records import ApiKey
from kuajie.service.wire import KeyMade, KeyRequest, KeyShown
from kuajie.workflows.issuing import Wish, issue, issued, rotate
from kuajie.workflows.stores import AccessStore


@dataclass(frozen=True)
class KeyDesk:
    """Where keys are made.

    Attributes:
        access: where they are kept.
        domains: of the workspace.
        clock: dates them.
    """

    access: AccessStore
    domains: Collection[str]
    clock: Clock

    def make_key(self, wish: KeyRequest) -> KeyMade:
        """Make a key.

        Raises:
            UsageError: see `workflows.issuing.issue`.
        """
        asked = Wish(
            organisation=wish.organisation,
            domains=wish.domains,
            kind=wish.kind,
            origins=wish.origins,
            scopes=wish.scopes,
            days=wish.days,
            name=wish.name,
        )
        token, key = issue(self.access, self.domains, asked, self.clock())
        return _made(token, key)

    def keys(self) -> list[KeyShown]:
        """All keys, without their secrets."""
        return [_shown(key) for key in issued(self.access)]

    def revoke_key(self, key_id: str) -> KeyShown:
        """From now on it opens nothing.

        Raises:
            UsageError: there is no such key.
        """
        self.access.revoke_key(key_id, self.clock())
        key = self.access.key(key_id)
        if key is None:
            raise UsageError("there is no key '{key}'", key=key_id)
        return _shown(key)

    def rotate_key(self, key_id: str, hours: int = 24) -> KeyMade:
        """Make a key like another, which opens nothing after some hours.

        Raises:
            UsageError: there is no such key, or it opens nothing any more.
        """
        return _made(*rotate(self.access, key_id, hours, self.clock()))


def _made(token: str, key: ApiKey) -> KeyMade:
    return KeyMade(key=token, **msgspec.structs.asdict(_shown(key)))


def _shown(key: ApiKey) -> KeyShown:
    """A key without its hash."""
    return KeyShown(
        key_id=key.key_id,
        organisation=key.organisation_id,
        kind=key.kind,
        name=key.name,
        scopes=list(key.scopes),
        origins=list(key.origins),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )
