"""The secrets that sign ids of lists, in a file of the workspace that only its owner reads, or from the environment.

    secrets/list-ids.json    {"keys": [{"key_id": "...", "secret": "...", "made_at": "..."}]}, hex, the newest last

All processes of a workspace share the file; the first makes it. Machines that share no disk name an environment
variable in `service.list_secret_env` instead, with one secret, or the new and the old one separated by a comma.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from tempfile import mkstemp

import msgspec

from kuajie.core.errors import ConfigError
from kuajie.core.files import refusals_named, sync
from kuajie.workflows.list_ids import VALID_DAYS, ListKey

FILE = Path("secrets") / "list-ids.json"
LEAST_CHARACTERS = 32


class _Key(msgspec.Struct, forbid_unknown_fields=True):
    key_id: str
    secret: str
    made_at: datetime


class _File(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[_Key]


@dataclass(frozen=True)
class ListKeyFile:
    """The keys of a workspace."""

    place: Path

    @classmethod
    def of(cls, workspace: Path) -> "ListKeyFile":
        """In a workspace."""
        return cls(workspace / FILE)

    def read(self) -> Sequence[ListKey]:
        """The keys, the newest last; the first call of all makes one.

        Raises:
            ConfigError: the file is not what was written.
            ResourceError: it cannot be made or read.
        """
        with refusals_named(self.place):
            if not self.place.exists():
                self._write([new_list_key(datetime.now(UTC))], replace=False)
            content = self.place.read_bytes()
        try:
            keys = [
                ListKey(bytes.fromhex(key.key_id), bytes.fromhex(key.secret), key.made_at)
                for key in msgspec.json.decode(content, type=_File).keys
            ]
        except (msgspec.MsgspecError, ValueError):
            keys = []
        if not keys or any((len(key.key_id), len(key.secret)) != (4, 32) for key in keys):
            raise ConfigError(
                "{path} does not hold the secrets of list ids. Remove it to make new ones; ids of lists that are not "
                "stored are then unknown.",
                path=self.place,
            )
        return keys

    def rotate(self, now: datetime) -> ListKey:
        """A new key signs from now on; keys whose ids are all too old are forgotten.

        Raises:
            ConfigError, ResourceError: see `read`.
        """
        known = self.read()
        followed = pairwise(known)
        valid = [key for key, next_one in followed if now - next_one.made_at < timedelta(days=VALID_DAYS)]
        made = new_list_key(now)
        with refusals_named(self.place):
            self._write([*valid, known[-1], made], replace=True)
        return made

    def _write(self, keys: Sequence[ListKey], *, replace: bool) -> None:
        """All at once; where it exists meanwhile and must not be replaced, that one stays."""
        self.place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = _File([_Key(key.key_id.hex(), key.secret.hex(), key.made_at) for key in keys])
        descriptor, name = mkstemp(dir=self.place.parent, prefix=".", suffix=".draft")  # for its owner alone
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(written))
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.replace(self.place)
            else:
                with suppress(FileExistsError):
                    self.place.hardlink_to(draft)
            sync(self.place.parent)
        finally:
            draft.unlink(missing_ok=True)


def new_list_key(now: datetime) -> ListKey:
    """A fresh one."""
    return ListKey(secrets.token_bytes(4), secrets.token_bytes(32), now)


def keys_from(variable: str, environment: Mapping[str, str] = os.environ) -> Sequence[ListKey]:
    """The keys that an environment variable holds, the newest last.

    Raises:
        ConfigError: it is not set, or a secret is too short to be one.
    """
    texts = [text.strip() for text in environment.get(variable, "").split(",") if text.strip()]
    if not texts or any(len(text) < LEAST_CHARACTERS for text in texts):
        raise ConfigError(
            "[service] list_secret_env names {variable}, which must hold one secret of at least {least} characters, or "
            "the new and the old one separated by a comma. Make one: openssl rand -hex 32",
            variable=variable,
            least=LEAST_CHARACTERS,
        )
    made = datetime.fromtimestamp(0, UTC)
    return [
        ListKey(blake2b(secret, digest_size=4, person=b"kuajie list name").digest(), secret, made)
        for text in reversed(texts)
        for secret in [blake2b(text.encode(), digest_size=32, person=b"kuajie list key").digest()]
    ]
