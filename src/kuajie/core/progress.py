"""How long jobs say how far they are; what to show is the caller's choice."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""`progress(stage, done, total)`: `total` is 0 where it is not known."""


def silent(stage: str, done: int, total: int) -> None:
    """Say nothing."""
