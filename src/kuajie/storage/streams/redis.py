"""A Redis stream and a group of consumers (extra `redis`).

    XREADGROUP   new entries to one consumer of the group; pending until
    XACK         it says that they are durable
    XAUTOCLAIM   entries that another consumer has had for too long: it has died

The group is made where there is none, from the beginning of the stream.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import msgspec

from kuajie.core.errors import StreamError
from kuajie.core.language import message
from kuajie.storage.redis_client import redis_client
from kuajie.workflows.consume import Message

if TYPE_CHECKING:
    import redis

ANSWER_SECONDS = 5.0
BEGINNING = "0-0"
Entry = tuple[bytes, dict[bytes, bytes] | None]


class RedisStream:
    """`workflows.consume.MessageSource`."""

    def __init__(
        self, client: "redis.Redis", stream: str, group: str, consumer: str, field: str, claim_seconds: float
    ) -> None:
        self._client, self._stream, self._group, self._consumer = client, stream, group, consumer
        self._field, self._claim_seconds = field.encode(), claim_seconds
        self._cursor: Any = BEGINNING
        self._claim_at = 0.0
        self._ready = False

    @classmethod
    def open(cls, url: str, stream: str, group: str, consumer: str, field: str, claim_seconds: float) -> Self:
        """A stream at a URL; the server need not answer yet.

        Raises:
            MissingExtraError: the package is not installed.
            ConfigError: this is no URL.
        """
        client = redis_client(url, ANSWER_SECONDS, message("consuming from Redis"), "[consume] url")
        return cls(client, stream, group, consumer, field, claim_seconds)

    def fetch(self, most: int, seconds: float) -> list[Message]:
        """See `MessageSource.fetch`."""
        with self._refusals():
            self._make_group()
            return self._messages(self._abandoned(most) or self._new(most, seconds))

    def done(self, messages: Sequence[Message]) -> None:
        """See `MessageSource.done`."""
        if messages:
            with self._refusals():
                self._client.xack(self._stream, self._group, *(each.token for each in messages))

    def close(self) -> None:
        """See `MessageSource.close`; a consumer that owes nothing is taken off the list."""
        try:
            with self._refusals():
                consumers: Any = self._client.xinfo_consumers(self._stream, self._group)
                own = [each for each in consumers if each["name"] == self._consumer.encode()]
                if own and own[0]["pending"] == 0:
                    self._client.xgroup_delconsumer(self._stream, self._group, self._consumer)
        except StreamError:
            pass  # it was to be let go of anyway
        finally:
            self._client.close()

    def _make_group(self) -> None:
        import redis

        if self._ready:
            return
        try:
            self._client.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._ready = True

    def _abandoned(self, most: int) -> list[Entry]:
        """Entries that somebody has had for too long, looked for twice in that time."""
        if time.monotonic() < self._claim_at:
            return []
        idle = int(self._claim_seconds * 1_000)
        while True:
            answer: Any = self._client.xautoclaim(
                self._stream, self._group, self._consumer, idle, start_id=self._cursor, count=most
            )
            self._cursor, entries = answer[0], answer[1]
            ended = self._cursor in {BEGINNING, BEGINNING.encode()}
            if ended:
                self._claim_at = time.monotonic() + self._claim_seconds / 2
            if entries or ended:
                return list(entries)

    def _new(self, most: int, seconds: float) -> list[Entry]:
        block = max(1, int(min(seconds, ANSWER_SECONDS / 2) * 1_000))
        answer: Any = self._client.xreadgroup(self._group, self._consumer, {self._stream: ">"}, count=most, block=block)
        if isinstance(answer, dict):  # the newer protocol
            return [entry for batches in answer.values() for batch in batches for entry in batch]
        return [entry for _, entries in answer or [] for entry in entries]

    def _messages(self, entries: Sequence[Entry]) -> list[Message]:
        """An entry that was deleted meanwhile says nothing, and is done with."""
        gone = [name for name, fields in entries if fields is None]
        if gone:
            self._client.xack(self._stream, self._group, *gone)
        return [Message(self._body(fields), _time(name), name) for name, fields in entries if fields is not None]

    def _body(self, fields: dict[bytes, bytes]) -> bytes:
        """The event; an entry without that field as a whole, which is no event and is kept as such."""
        body = fields.get(self._field)
        if body is not None:
            return body
        said = {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in fields.items()}
        return msgspec.json.encode(said)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        import redis

        try:
            yield
        except (redis.RedisError, OSError) as error:
            self._ready = False  # a server that lost its data has no group either
            raise StreamError(
                "the stream {stream} does not answer: {reason}. Nothing is lost; it is asked again.",
                stream=self._stream,
                reason=type(error).__name__,
            ) from None


def _time(name: bytes) -> datetime | None:
    """Ids of entries begin with milliseconds since 1970, unless their sender chose otherwise."""
    try:
        return datetime.fromtimestamp(int(name.partition(b"-")[0]) / 1_000, UTC) if len(name) > 12 else None
    except (ValueError, OverflowError, OSError):
        return None
