"""Ids of lists that can stand for them: what was shown to whom, signed, so that an exposure needs no stored list.

    0f8fad5bd9cb469fa16570867728950e . AAECAw...
    id under which the list is stored   seal, base64url: key id 4 | tag 16 | words, encrypted

The words are the time, the asking account, the target and four bytes for each item, in order: a keyed digest of its id.
They are encrypted, because ids stand in pages, addresses and logs. An exposure names an item, and only the item that
was at that position fits. All keys come from one secret by BLAKE2b, keyed and with a personal string (RFC 7693), which
is also the stream that encrypts; the id of the list is the nonce. Encrypt, then sign; see ADR 9.
"""

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Protocol

import msgspec

from kuajie.core.errors import KuajieError
from kuajie.core.records import Account, RankedList

VALID_DAYS = 30
"""So long a seal stands for its list; a list that is stored is known for as long as it is."""
LONGEST = 2_048
"""Characters of a signed id: 100 items and the longest names fit."""
REFRESH_SECONDS = 1.0
"""How often the keys are read at most, also where somebody sends ids of keys that there are not."""
MOST_ITEMS = 100
"""Of a list that the seal vouches for; later ones need the stored list."""
_KEY, _TAG, _DIGEST, _BLOCK = 4, 16, 4, 64
_MOST_DIGESTS = 100_000


@dataclass(frozen=True)
class ListKey:
    """A secret of the service. The newest signs; older ones are kept for as long as what they signed is valid.

    Attributes:
        key_id: 4 bytes that name it in ids.
        secret: 32 random bytes.
        made_at: when it began to sign.
    """

    key_id: bytes
    secret: bytes
    made_at: datetime


class Shown(Protocol):
    """A list, as far as exposures and feedback need it."""

    @property
    def list_id(self) -> str:
        """Under which it is stored."""

    @property
    def account(self) -> Account:
        """Who was shown it."""

    @property
    def target(self) -> str:
        """Domain of its items; empty where they are of many."""

    @property
    def model_version(self) -> str:
        """That made it; empty where it is not known."""

    def item_at(self, position: int, named: str = "") -> str | None:
        """The item at a position; None where there is none, or not the one that was named."""

    def holds(self, item: str) -> bool:
        """Whether the item is in the list."""

    def seen_at(self, position: int, item: str = "", domain: str = "") -> tuple[str, str] | None:
        """Domain and id of the item at a position; None where there is none, or not the one that was named."""

    def domain_of(self, item: str, domain: str = "") -> str | None:
        """The domain of an item of the list, of the one that was named where it is of many; None: it is not in it."""


@dataclass(frozen=True)
class KnownList:
    """A list in memory or in the store."""

    ranked: RankedList

    @property
    def list_id(self) -> str:
        """See `Shown`."""
        return self.ranked.list_id

    @property
    def account(self) -> Account:
        """See `Shown`."""
        return self.ranked.account

    @property
    def target(self) -> str:
        """See `Shown`."""
        return self.ranked.target

    @property
    def model_version(self) -> str:
        """See `Shown`."""
        return self.ranked.model_version

    def item_at(self, position: int, named: str = "") -> str | None:
        """See `Shown`."""
        if not 0 <= position < len(self.ranked.items):
            return None
        item = self.ranked.items[position].item
        return item if named in {"", item} else None

    def holds(self, item: str) -> bool:
        """See `Shown`."""
        return any(each.item == item for each in self.ranked.items)

    def seen_at(self, position: int, item: str = "", domain: str = "") -> tuple[str, str] | None:
        """See `Shown`."""
        found = self.item_at(position, item)
        own = "" if found is None else self.ranked.items[position].domain
        return None if found is None or domain not in {"", own} else (own, found)

    def domain_of(self, item: str, domain: str = "") -> str | None:
        """See `Shown`."""
        held = (each.domain for each in self.ranked.items if each.item == item and domain in {"", each.domain})
        return next(held, None)


class _Words(msgspec.Struct, array_like=True):
    """What is sealed."""

    created_at: int
    domain: str
    user: str
    target: str
    digests: bytes


@dataclass(frozen=True, eq=False)
class SignedList:
    """A list of which its id alone is known."""

    list_id: str
    account: Account
    target: str
    created_at: datetime
    digests: bytes
    keys: "_Keys"
    model_version: str = ""

    def item_at(self, position: int, named: str = "") -> str | None:
        """See `Shown`; the item must be named, since a digest names none."""
        start = position * _DIGEST
        if position < 0 or start >= len(self.digests) or not named:
            return None
        right = self.keys.digest(named)
        return named if hmac.compare_digest(right, self.digests[start : start + _DIGEST]) else None

    def holds(self, item: str) -> bool:
        """See `Shown`."""
        return any(self.item_at(place, item) for place in range(len(self.digests) // _DIGEST))

    def seen_at(self, position: int, item: str = "", domain: str = "") -> tuple[str, str] | None:
        """See `Shown`; of a list of many domains the domain must be named too."""
        if not item or domain not in ({"", self.target} if self.target else {domain} - {""}):
            return None
        known = self.item_at(position, _named(self.target, domain, item))
        return None if known is None else (self.target or domain, item)

    def domain_of(self, item: str, domain: str = "") -> str | None:
        """See `Shown`."""
        places = range(len(self.digests) // _DIGEST)
        held = any(self.seen_at(place, item, domain) is not None for place in places)
        return (self.target or domain) if held else None


class Seals:
    """Signs ids of lists, and reads what it or another process signed.

    Args:
        read: the keys that there are, the newest last.
        monotonic: seconds.

    Raises:
        KuajieError: there are none to be read.
    """

    def __init__(self, read: Callable[[], Sequence[ListKey]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read, self._monotonic = read, monotonic
        self._keys = {key.key_id: _Keys(key) for key in read()}
        self._refreshed_at = -REFRESH_SECONDS

    def refresh(self) -> None:
        """Read the keys again, if that was not done a moment ago; where they cannot be read, those of before stay."""
        if self._monotonic() - self._refreshed_at < REFRESH_SECONDS:
            return
        self._refreshed_at = self._monotonic()
        with suppress(KuajieError):
            read = self._read()
            if [key.key_id for key in read] != list(self._keys):
                self._keys = {key.key_id: _Keys(key) for key in read}

    def seal(self, ranked: RankedList) -> str:
        """The id of a list with its seal."""
        keys = next(reversed(self._keys.values()))
        account, list_id = ranked.account, ranked.list_id
        words = _Words(
            created_at=int(ranked.created_at.timestamp()),
            domain=account.domain,
            user=account.user,
            target=ranked.target,
            digests=keys.digests(ranked),
        )
        sealed = keys.crypt(list_id, msgspec.msgpack.encode(words))
        seal = base64.urlsafe_b64encode(keys.key_id + keys.tag(list_id, sealed) + sealed)
        return f"{list_id}.{seal.decode().rstrip('=')}"

    def open(self, signed: str, now: datetime) -> SignedList | None:
        """The list that a signed id stands for; None where it is not signed, by nobody known, or too old.

        Raises:
            ForgedError: it bears the name of a key, and that key did not sign it.
        """
        list_id, _, text = signed.partition(".")
        seal = _decoded(text)
        if not text:
            return None
        if seal is None or len(seal) < _KEY + _TAG:
            raise ForgedError
        key_id, tag, sealed = seal[:_KEY], seal[_KEY : _KEY + _TAG], seal[_KEY + _TAG :]
        if key_id not in self._keys:
            self.refresh()
        keys = self._keys.get(key_id)
        if keys is None:
            return None
        if not hmac.compare_digest(tag, keys.tag(list_id, sealed)):
            raise ForgedError
        words = msgspec.msgpack.decode(keys.crypt(list_id, sealed), type=_Words)
        created_at = datetime.fromtimestamp(words.created_at, UTC)
        if now - created_at > timedelta(days=VALID_DAYS):
            return None
        account = Account(domain=words.domain, user=words.user)
        return SignedList(list_id, account, words.target, created_at, words.digests, keys)


class ForgedError(Exception):
    """An id that was signed by nobody, or changed since."""


def _named(target: str, domain: str, item: str) -> str:
    """What a digest is of: the item, and its domain where the list is of many; no id holds NUL."""
    return item if target else f"{domain}\0{item}"


def plain(list_id: str) -> str | None:
    """The id under which a list is stored; None where it is no id of a list."""
    if not 0 < len(list_id) <= LONGEST or not list_id.isascii():
        return None
    stored = list_id.partition(".")[0]
    return stored if stored.isalnum() and len(stored) <= 128 else None


class _Keys:
    """The three keys of one secret."""

    def __init__(self, key: ListKey) -> None:
        self.key_id = key.key_id
        self._stream = blake2b(key=key.secret, person=b"kuajie list encr", digest_size=_BLOCK)
        self._tag = blake2b(key=key.secret, person=b"kuajie list sign", digest_size=_TAG)
        self._digests: dict[str, bytes] = {}
        self._item = blake2b(key=key.secret, person=b"kuajie list item", digest_size=_DIGEST)

    def crypt(self, list_id: str, data: bytes) -> bytes:
        """Encrypt or decrypt."""
        stream, nonce = b"", list_id.encode()
        for block in range(-(-len(data) // _BLOCK)):
            state = self._stream.copy()
            state.update(block.to_bytes(2, "big") + nonce)
            stream += state.digest()
        mixed = int.from_bytes(data, "big") ^ int.from_bytes(stream[: len(data)], "big")
        return mixed.to_bytes(len(data), "big")

    def tag(self, list_id: str, sealed: bytes) -> bytes:
        """The signature of an id and what it is sealed with."""
        state = self._tag.copy()
        state.update(len(list_id).to_bytes(2, "big") + list_id.encode() + sealed)
        return state.digest()

    def digests(self, ranked: RankedList) -> bytes:
        """One for each item."""
        target = ranked.target
        return b"".join([self.digest(_named(target, each.domain, each.item)) for each in ranked.items[:MOST_ITEMS]])

    def digest(self, item: str) -> bytes:
        """Of an item; lists show the same items again and again, so they are kept."""
        known = self._digests.get(item)
        if known is None:
            state = self._item.copy()
            state.update(item.encode())
            known = state.digest()
            if len(self._digests) >= _MOST_DIGESTS:
                self._digests.clear()
            self._digests[item] = known
        return known


def _decoded(text: str) -> bytes | None:
    """The one spelling of base64 that was written, so that an id has no twins."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.urlsafe_b64encode(data).decode().rstrip("=") == text else None
