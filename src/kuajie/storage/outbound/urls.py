"""URLs that others name are read once, by one strict grammar; what is left is what is connected to.

    https://HOST[:PORT][/PATH][?QUERY]

No user, no fragment, no white space, no backslash, nothing that two programs could read differently. A host is a name
of at least two labels (other scripts become their ASCII form first) or an address written the one plain way.
"""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass

from kuajie.core.texts import Text

LONGEST_URL = 2_048
PORTS = {"https": 443, "http": 80}
UNREACHABLE = Text("the URL names no host that can be reached from outside")
"""Said of every host that is not spoken to, so that nobody learns which names there are inside."""
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\\\[\]%]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^\s?#\\]*)?(?P<query>\?[^\s#\\]*)?"
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True)
class Target:
    """Where to.

    Attributes:
        scheme: https; http where this machine is allowed.
        host: ASCII, lower case; an IPv6 address without brackets.
        port: as written, else the scheme's.
        path: with the query, percent-encoded.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As the header `Host` says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if PORTS[self.scheme] == self.port else f"{host}:{self.port}"


def read_url(url: str, ports: Collection[int], *, loopback: bool = False) -> Target | Text:
    """The target of a URL, or what is wrong with it.

    Args:
        url: as it was named.
        ports: that may be used.
        loopback: whether http is allowed, and any port; the address is checked when it is known.
    """
    if len(url) > LONGEST_URL or not url.isprintable():
        return Text("the URL is longer than {most} characters, or holds control characters", most=LONGEST_URL)
    match = _URL.fullmatch(url)
    if match is None:
        return Text("the URL must be of the form https://host/path, without user, password or fragment")
    if match["scheme"] != "https" and not loopback:
        return Text("the URL must begin with https://")
    host = _host(match["host"], loopback=loopback)
    if isinstance(host, Text):
        return host
    port = int(match["port"] or PORTS[match["scheme"]])
    if not (port in ports or (loopback and 0 < port < 65_536)):
        return Text("the port {port} is not one of {ports}", port=port, ports=", ".join(map(str, sorted(ports))))
    return Target(match["scheme"], host, port, _quoted((match["path"] or "/") + (match["query"] or "")))


def _host(text: str, *, loopback: bool) -> str | Text:
    if text.startswith("["):
        try:
            return ipaddress.IPv6Address(text[1:-1]).compressed
        except ValueError:
            return UNREACHABLE
    try:
        host = text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return UNREACHABLE
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # an address, then, and only in the one form that everybody reads alike
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            return UNREACHABLE
    good = len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    return host if good and (len(labels) > 1 or loopback) else UNREACHABLE


def _quoted(path: str) -> str:
    """Other scripts percent-encoded; what is ASCII stays as it is."""
    return "".join(c if c.isascii() else "".join(f"%{byte:02X}" for byte in c.encode()) for c in path)
