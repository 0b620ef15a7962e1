"""Names of hosts that mean something to us."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""This machine, as itself alone calls it."""
