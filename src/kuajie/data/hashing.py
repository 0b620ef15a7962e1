"""Keyed hashes of identifying keys, such as phone numbers: HMAC-SHA256.

Without the secret nobody can try out all numbers. It comes from the environment, never from a file of the workspace.
Reference: RFC 2104; FIPS 198-1.
"""

import hmac
import unicodedata
from collections.abc import Iterable, Mapping

from kuajie.core.errors import ConfigError

SHORTEST_SECRET = 16  # bytes


class KeyHasher:
    """Hashes keys with one secret.

    Args:
        secret: at least 16 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ConfigError(
                "the secret of the hashed keys has {got} bytes, it must have at least {least}. Make one "
                "with: openssl rand -hex 32",
                got=len(secret),
                least=SHORTEST_SECRET,
            )
        self._secret = secret

    @classmethod
    def from_environment(cls, name: str, environment: Mapping[str, str]) -> "KeyHasher":
        """Take the secret from an environment variable.

        Raises:
            ConfigError: it is not set, or too short.
        """
        if not environment.get(name):
            raise ConfigError(
                "identity by hashed keys needs the secret in the environment variable {name}. Set it.", name=name
            )
        return cls(environment[name].encode())

    def __repr__(self) -> str:
        return "KeyHasher(secret hidden)"

    def hash(self, key: str) -> str:
        """64 hexadecimal digits of a key, after `normalise`."""
        return hmac.digest(self._secret, normalise(key).encode(), "sha256").hex()

    def hashes(self, keys: Iterable[str]) -> list[str]:
        """The hash of each key."""
        return [self.hash(key) for key in keys]

    def matches(self, key: str, digest: str) -> bool:
        """Whether a digest is that of a key; takes the same time wherever they differ."""
        return hmac.compare_digest(self.hash(key).encode(), digest.strip().lower().encode())


def normalise(key: str) -> str:
    """What both sides must do before hashing: NFKC (full-width digits become plain), no outer spaces, case folded."""
    return unicodedata.normalize("NFKC", key).strip().casefold()
