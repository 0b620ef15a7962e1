"""The token in a header: `Bearer TOKEN`, or `Basic` with the token as user name and no password, as Segment's do."""

import base64
import binascii


def token_of(header: str) -> str:
    """The token of an `Authorization` header; empty where there is none."""
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value
    if kind.lower() != "basic":
        return ""
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return name if colon and not password else ""
