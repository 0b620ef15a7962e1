"""The secret that the signing secrets of all webhooks are derived from: an environment variable, else a file."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from kuajie.core.errors import ConfigError
from kuajie.core.files import refusal

FILE = "webhooks.key"
SHORTEST = 32


def master_secret(root: Path, variable: str, environment: Mapping[str, str] = os.environ) -> bytes:
    """The secret of a workspace; its file is made where there is neither.

    Raises:
        ConfigError: it is too short, or the file can neither be read nor made.
    """
    told = environment.get(variable, "")
    if told:
        return _long_enough(told.encode(), variable)
    path = root / FILE
    try:
        if not path.is_file():
            _make(path)
        return _long_enough(path.read_bytes().strip(), str(path))
    except OSError as error:
        raise ConfigError(
            "the secret of webhooks cannot be kept in {path}: {reason}. Put one into the environment variable "
            "{variable}.",
            path=path,
            reason=refusal(error),
            variable=variable,
        ) from None


def _make(path: Path) -> None:
    """For its owner alone; of two processes that make it at once one wins, and both read the same."""
    own = path.with_name(f".{FILE}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(own, path)
    finally:
        own.unlink(missing_ok=True)


def _long_enough(secret: bytes, where: str) -> bytes:
    if len(secret) < SHORTEST:
        raise ConfigError(
            "the secret of webhooks in {where} must have at least {least} characters, got {got}. Put a random one in.",
            where=where,
            least=SHORTEST,
            got=len(secret),
        )
    return secret
