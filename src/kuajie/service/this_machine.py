"""Whether somebody asks from this machine: demo mode answers nobody else.

A proxy asks from this machine for others, and may put a `Host` of its own. It is known by what it adds, or by HTTP/1.0,
which nginx speaks unless it is told otherwise; one that adds nothing and speaks HTTP/1.1 cannot be told apart.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from starlette.requests import Request

from kuajie.core.hosts import LOOPBACK

OF_PROXIES = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"via"})


def is_from_here(request: Request) -> bool:
    """Whether a request names this machine and came through no proxy."""
    if host_of(f"//{request.headers.get('host', '')}") not in LOOPBACK or request.scope["http_version"] == "1.0":
        return False
    return OF_PROXIES.isdisjoint(name for name, _ in request.scope["headers"])


@lru_cache(1_000)
def host_of(address: str) -> str:
    """The host in an address, or nothing."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
