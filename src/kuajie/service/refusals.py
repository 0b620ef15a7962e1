"""Refusals: a status, what is wrong and what to do, in the caller's language."""

from kuajie.core.errors import StoreError
from kuajie.core.texts import Text

AGAIN_SECONDS = 1


class Refusal(Exception):  # noqa: N818 - it is said, not raised to anybody
    """A request that is not answered as asked.

    Attributes:
        status: of HTTP.
        error: what is wrong.
        do: what to do.
        wait: seconds after which it may be tried again.
        reason: for metrics and logs, why somebody is told to come again.
    """

    def __init__(self, status: int, error: Text, do: Text, wait: float | None = None, reason: str = "") -> None:
        super().__init__(str(error))
        self.status, self.error, self.do, self.wait, self.reason = status, error, do, wait, reason


def wrong(error: Text) -> Refusal:
    """The request itself is wrong."""
    return Refusal(400, error, Text("Correct the request; /openapi.json describes every one."))


def not_allowed(error: Text) -> Refusal:
    """The credential does not open this."""
    return Refusal(403, error, Text("Use a key that may: kuajie keys create."))


def no_key() -> Refusal:
    """There is no credential, or it opens nothing."""
    return Refusal(
        401,
        Text("there is no key, or it opens nothing"),
        Text("Send the header 'Authorization: Bearer KEY'; kuajie keys create makes a key."),
    )


def not_found(error: Text) -> Refusal:
    """What is asked for is not there."""
    return Refusal(404, error, Text("Correct the path; /openapi.json lists every one."))


def not_stored(error: StoreError) -> Refusal:
    """The store refused or did not answer: nothing is acknowledged."""
    again = Text("Nothing is acknowledged. It is safe to send it again.")
    return Refusal(503, error.text, again, AGAIN_SECONDS, "store")


def too_busy() -> Refusal:
    """There is too much to do just now."""
    busy = Text("the service has too much to do just now")
    return Refusal(503, busy, Text("Try again in a moment."), AGAIN_SECONDS, "busy")


def too_many_strangers(wait: float) -> Refusal:
    """Each key that nobody knows asks the store, and there may be any number of them."""
    many = Text("too many unknown keys are being tried just now")
    return Refusal(429, many, Text("Wait, then try again."), wait, "rate")


def too_many(wait: float) -> Refusal:
    """A key asks more often than it may."""
    return Refusal(429, Text("this key asks more often than it may"), Text("Wait, then try again."), wait, "rate")
