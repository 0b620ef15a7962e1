"""Sending to addresses that others name, without becoming their way into our own network.

URL -> (read strictly) -> resolved once -> every address public, or none is used -> connected to one of these addresses,
TLS checked against the name -> request -> status; nothing else of the answer is believed, no redirect is followed
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from kuajie.core.texts import Text
from kuajie.storage.outbound.addresses import is_loopback, is_public
from kuajie.storage.outbound.urls import UNREACHABLE, Target, read_url
from kuajie.workflows.webhooks import Answer

Resolver = Callable[[str, int], Sequence[str]]
MOST_READ = 4_096
"""Bytes of an answer that are read, so that the connection ends in order."""
MOST_ADDRESSES = 2
"""That are tried."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@dataclass(frozen=True)
class PinnedSender:
    """`workflows.webhooks.Sender`.

    Attributes:
        ports: that may be used.
        seconds: for one request, all together.
        loopback: whether this machine may be told, and by http; nothing else changes.
        resolver: host and port -> addresses.
        context: whom TLS believes.
        permitted: which addresses may be spoken to.
    """

    ports: Collection[int]
    seconds: float
    loopback: bool = False
    resolver: Resolver = resolve
    context: ssl.SSLContext = field(default_factory=_context)
    permitted: Callable[[str], bool] = is_public

    def problem(self, url: str) -> Text | None:
        """See `Sender.problem`."""
        target = read_url(url, self.ports, loopback=self.loopback)
        if isinstance(target, Text):
            return target
        addresses = self._addresses(target)
        return addresses if isinstance(addresses, Text) else None

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See `Sender.send`."""
        target = read_url(url, self.ports, loopback=self.loopback)
        if isinstance(target, Text):
            return Answer(None, target)
        addresses = self._addresses(target)
        if isinstance(addresses, Text):
            return Answer(None, addresses)
        connection = _PinnedConnection(target, addresses[:MOST_ADDRESSES], self.seconds, self.context)
        late = threading.Timer(self.seconds, connection.give_up)
        late.daemon = True
        late.start()
        try:
            return self._exchange(connection, target, headers, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = Text("it did not answer within {seconds:g} s", seconds=self.seconds)
            return Answer(None, said if connection.late else _cause(error))
        finally:
            late.cancel()
            connection.close()

    @staticmethod
    def _exchange(connection: "_PinnedConnection", target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": target.authority, **headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        if connection.late:  # what was read of it may be half an answer
            raise TimeoutError
        with suppress(OSError, http.client.HTTPException):
            response.read(MOST_READ)
        wait = response.getheader("Retry-After", "")
        seconds = float(wait) if wait.isascii() and wait.isdecimal() and len(wait) < 8 else None
        return Answer(response.status, "", seconds)

    def _addresses(self, target: Target) -> list[str] | Text:
        """All addresses of the host, if all of them may be spoken to: one that may not says what the others are for."""
        try:
            found = list(self.resolver(target.host, target.port))
        except (OSError, UnicodeError):
            found = []
        if not found:
            return UNREACHABLE
        here = self.loopback and all(map(is_loopback, found))
        if not here and (target.scheme != "https" or target.port not in self.ports):
            return Text("the URL must begin with https://")
        if not here and not all(map(self.permitted, found)):
            return UNREACHABLE
        return found


class _PinnedConnection(http.client.HTTPConnection):
    """A connection to one of some addresses, whatever the name means meanwhile."""

    def __init__(self, target: Target, addresses: Sequence[str], seconds: float, context: ssl.SSLContext) -> None:
        super().__init__(target.host, target.port, timeout=seconds)
        self.late = False
        self._target, self._addresses, self._context = target, addresses, context
        self._seconds = seconds

    def connect(self) -> None:
        """Connect to the first address that answers, and prove whose it is."""
        for place, address in enumerate(self._addresses, start=1):
            try:
                self.sock = socket.create_connection((address, self._target.port), self._seconds / 2)
                break
            except OSError:
                if place == len(self._addresses) or self.late:
                    raise
        self.sock.settimeout(self._seconds)
        if self._target.scheme == "https":
            self.sock = self._context.wrap_socket(
                self.sock, server_hostname=self._target.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def give_up(self) -> None:
        """Time is up, from another thread: whatever waits for the socket ends at once."""
        self.late = True
        sock = self.sock
        if sock is not None:
            with suppress(OSError):  # the plain socket's own: TLS would forget its state under the other thread
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _cause(error: Exception) -> Text:
    """In a few words, without anything that was sent or answered."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Text("its certificate is not valid for its name ({reason})", reason=error.verify_message)
    return Text("it could not be reached ({reason})", reason=type(error).__name__)
