"""Which addresses of the internet may be spoken to: public ones of this table, whatever the Python version thinks.

Everything inside an organisation, on this machine, on this link, shared by providers, kept for documentation, for many
at once or for later is refused, and so are IPv6 addresses that carry an IPv4 address in them (mapped, 6to4, Teredo,
NAT64): no public service is reached by them, and each is a way around the table.
"""

import ipaddress
from typing import Final

IPV4_REFUSED: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # providers' own (CGNAT)
            "127.0.0.0/8",
            "169.254.0.0/16",  # this link, and the metadata of clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # many at once
            "240.0.0.0/4",  # for later, and everybody
        ),
    )
)
IPV6_PUBLIC: Final = ipaddress.IPv6Network("2000::/3")
IPV6_REFUSED: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # Teredo and other protocols
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether an address, as a resolver gives it, may be spoken to."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in IPV4_REFUSED)
    if found.scope_id is not None or found not in IPV6_PUBLIC:
        return False
    return not any(found in network for network in IPV6_REFUSED)


def is_loopback(address: str) -> bool:
    """Whether it is this machine, said plainly."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_loopback and getattr(found, "ipv4_mapped", None) is None
