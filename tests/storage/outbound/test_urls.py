"""URLs and addresses that somebody hostile could name."""

import ipaddress

import pytest

from kuajie.core.texts import Text
from kuajie.storage.outbound.addresses import is_loopback, is_public
from kuajie.storage.outbound.urls import Target, read_url

PORTS = (443, 8443)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hooks.example", Target("https", "hooks.example", 443, "/")),
        ("https://Hooks.Example/A?b=c&d=%2F", Target("https", "hooks.example", 443, "/A?b=c&d=%2F")),
        ("https://hooks.example:8443?x", Target("https", "hooks.example", 8443, "/?x")),
        ("https://93.184.216.34/", Target("https", "93.184.216.34", 443, "/")),
        ("https://[2606:4700:0000::1111]/x", Target("https", "2606:4700::1111", 443, "/x")),
        ("https://bücher.example/", Target("https", "xn--bcher-kva.example", 443, "/")),
        ("https://例子.example/钩?沪", Target("https", "xn--fsqu00a.example", 443, "/%E9%92%A9?%E6%B2%AA")),
        ("https://a_b.example-1.example", Target("https", "a_b.example-1.example", 443, "/")),
    ],
)  # fmt: skip
def test_plain_urls_are_read(url: str, target: Target) -> None:
    assert read_url(url, PORTS) == target


HOSTILE = [
    # not https
    "http://hooks.example/", "ftp://hooks.example/", "file:///etc/passwd", "gopher://hooks.example/",
    "javascript:alert(1)", "//hooks.example/", "hooks.example", "", "https:", "https:///path", "HTTPS://hooks.example",
    # users and fragments
    "https://user@hooks.example/", "https://user:pass@hooks.example/", "https://hooks.example@10.0.0.1/",
    "https://10.0.0.1#@hooks.example/", "https://hooks.example/#x", "https://hooks.example:443@10.0.0.1/",
    "https://@hooks.example/", "https://:@hooks.example/",
    # white space, control characters, backslashes
    "https://hooks.example/a b", "https://hooks.example/\r\nHost: x", "https://hooks.example/\x00", " https://hooks.example",
    "https://hooks.example\\@10.0.0.1/", "https:\\\\hooks.example", "https://hooks.example/\\x", "https://hooks\t.example",
    "https://hooks.example\u200b /", "https://hooks.example/\u2028",
    # ports
    "https://hooks.example:22/", "https://hooks.example:0/", "https://hooks.example:65536/", "https://hooks.example:/",
    "https://hooks.example:-1/", "https://hooks.example:4٤3/", "https://hooks.example:443:443/",
    # addresses in other words
    "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://127.1/",
    "https://127.0.0.01/", "https://127.0.0.1./", "https://1.2.3/", "https://256.1.1.1/", "https://1.2.3.4.5/",
    "https://0x7f.1/", "https://017700000001/", "https://[::1", "https://::1/", "https://[::1%25eth0]/", "https://[::1%eth0]/",
    "https://[hooks.example]/", "https://[127.0.0.1]/", "https://hooks.example.0x10/", "https://①.⓪.⓪.1②/x y",
    # names
    "https://localhost/", "https://intranet/", "https://hooks.example./", "https://.example/", "https://hooks..example/",
    "https://-x.example/", "https://x-.example/", "https://%31%32%37.0.0.1/", "https://hooks.example%2f.evil/",
    f"https://{'a' * 64}.example/", f"https://{'a.' * 130}example/", f"https://hooks.example/{'x' * 2_048}", "https://\ud800.example/",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_urls_are_refused(url: str) -> None:
    found = read_url(url, PORTS)
    assert isinstance(found, Text)
    assert len(found) < 200


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://①②⑦.⓪.⓪.①/", "127.0.0.1"),
        ("https://１６９.254.169.254/", "169.254.169.254"),
        ("https://127。0。0。1/", "127.0.0.1"),
        ("https://[::ffff:127.0.0.1]/", "::ffff:7f00:1"),
        ("https://[0:0:0:0:0:0:0:1]/", "::1"),
        ("https://ⓛocalhost.example/", "localhost.example"),
    ],
)
def test_words_for_addresses_become_the_addresses_that_are_then_checked(url: str, host: str) -> None:
    found = read_url(url, PORTS)
    assert isinstance(found, Target)
    assert found.host == host
    assert host.endswith("example") or not is_public(host)


def test_on_this_machine_http_and_any_port_are_allowed_where_it_is_configured() -> None:
    assert read_url("http://127.0.0.1:5000/x", PORTS, loopback=True) == Target("http", "127.0.0.1", 5_000, "/x")
    assert read_url("http://localhost:5000/x", PORTS, loopback=True) == Target("http", "localhost", 5_000, "/x")
    assert isinstance(read_url("http://u@127.0.0.1/", PORTS, loopback=True), Text)


PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:7f00:1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2606:4700::1%eth0", "nonsense", "",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
     "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
     "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "3ffe::1"],
)  # fmt: skip
def test_addresses_at_the_edges_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [*PRIVATE, "1.1.1.1", "2606:4700::1111"])
def test_python_agrees_where_it_knows(address: str) -> None:
    """A second opinion: whatever Python calls private or reserved, we refuse, too."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return
    if not found.is_global or found.is_multicast or found.is_reserved:
        assert not is_public(address)


def test_this_machine_said_plainly() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    for address in ("::ffff:127.0.0.1", "10.0.0.1", "8.8.8.8", "x"):
        assert not is_loopback(address)
