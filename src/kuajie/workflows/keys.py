"""Keys of organisations: a token that is shown once, a hash that is kept.

    kj_secret_4f2a9c..._Zx81...        kind, id of the key, secret

The secret has 256 random bits, so one SHA-256 keeps it as well as a slow hash would. Whoever asks is told nothing but
"no": an unknown, wrong, expired and revoked key cost the same and read the same.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from kuajie.core.records import ApiKey
from kuajie.workflows.stores import AccessStore

PREFIX = "kj"
LONGEST_TOKEN = 256
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


def new_key(
    organisation_id: str,
    kind: Literal["secret", "publishable"],
    now: datetime,
    *,
    name: str = "",
    role: str = "",
    scopes: Sequence[str] = (),
    origins: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[str, ApiKey]:
    """A token, and the key to store for it; the token cannot be made again."""
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    key = ApiKey(
        key_id=key_id,
        organisation_id=organisation_id,
        kind=kind,
        secret_hash=_hash(secret),
        created_at=now,
        name=name,
        role=role,
        scopes=tuple(scopes),
        origins=tuple(origins),
        expires_at=expires_at,
    )
    return f"{PREFIX}_{kind}_{key_id}_{secret}", key


def key_id_of(token: str) -> str | None:
    """The id inside a token, or None where it is no token."""
    parts = token.split("_", 3)
    well_formed = len(parts) == 4 and parts[0] == PREFIX and token.isascii() and len(token) <= LONGEST_TOKEN
    return parts[2] if well_formed else None


def authenticate(store: AccessStore, token: str, now: datetime) -> ApiKey | None:
    """The key of a token, if it opens anything now.

    Raises:
        StoreError: the store does not answer.
    """
    key_id = key_id_of(token)
    return opened(store.key(key_id) if key_id else None, token, now)


def opened(key: ApiKey | None, token: str, now: datetime) -> ApiKey | None:
    """The key, if the token is its own and it is valid now; for callers that keep keys in memory for a moment."""
    kind, secret = (token.split("_", 3) + [""] * 4)[1:4:2]
    right = hmac.compare_digest(_hash(secret), key.secret_hash if key is not None else _NOBODY)
    if key is None or not right or kind != key.kind:
        return None
    valid = (key.expires_at is None or now < key.expires_at) and (key.revoked_at is None or now < key.revoked_at)
    return key if valid else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "backslashreplace")).hexdigest()
