"""One HTTP/1.1 connection for each thread, kept open between requests."""

import http.client
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from kuajie.core.errors import UsageError

IDLE_SECONDS = 20.0
"""The service closes a connection that nothing came over for 30 seconds; a request must not meet that moment."""
MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        headers: by their names in lower case.
        body: as it arrived.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class _Open(threading.local):
    connection: http.client.HTTPConnection | None = None
    used: float = 0.0


@dataclass
class Transport:
    """Sends requests to one service.

    Attributes:
        url: of the service.
        headers: of every request.
        timeout: seconds that one step (connect, send, receive) may take.
    """

    url: str
    headers: Mapping[str, str]
    timeout: float
    _mine: _Open = field(default_factory=_Open, init=False, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise UsageError("a service has an address such as https://kuajie.example, got '{url}'", url=self.url)
        self._base = parts.path.rstrip("/")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._place = (parts.hostname, parts.port)

    def send(self, method: str, path: str, body: bytes | None) -> Answer:
        """One request.

        Raises:
            OSError, http.client.HTTPException: there was no answer, or not a whole one.
        """
        connection = self._connection()
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._base + path, body, headers)
            response = connection.getresponse()
            content = response.read(MOST_BYTES)
            if not response.isclosed():
                raise http.client.HTTPException("the answer is too long")
        except BaseException:
            self.close()
            raise
        self._mine.used = time.monotonic()
        if response.will_close:
            self.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def close(self) -> None:
        """Close this thread's connection; the next request opens another."""
        connection, self._mine.connection = self._mine.connection, None
        if connection is not None:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._mine.connection is not None and time.monotonic() - self._mine.used > IDLE_SECONDS:
            self.close()
        if self._mine.connection is None:
            self._mine.connection = self._kind(*self._place, timeout=self.timeout)
        return self._mine.connection
