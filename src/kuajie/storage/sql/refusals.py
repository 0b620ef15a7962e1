"""What a database says, as one sentence without SQL, parameters or passwords."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from kuajie.core.errors import BusyError, StoreError


@contextmanager
def refusals(place: str) -> Iterator[None]:
    """Turn what SQLAlchemy raises into our errors.

    Args:
        place: the database as people know it.

    Raises:
        BusyError: no connection is free.
        StoreError: everything else.
    """
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        raise refused(place, error) from None


def refused(place: str, error: Exception) -> StoreError:
    """The error for people."""
    if isinstance(error, sa.exc.TimeoutError):
        return BusyError("the store {place} has no free connection. Try again in a moment.", place=place)
    return StoreError(
        "the store {place} refused: {cause}. What was sent is not acknowledged; it is safe to send it again.",
        place=place,
        cause=cause_of(error),
    )


def cause_of(error: Exception) -> str:
    """The database's own first line, or where it could quote what people sent only the kind of error."""
    original = getattr(error, "orig", None)
    if original is None:
        return type(error).__name__
    if isinstance(error, (sa.exc.IntegrityError, sa.exc.DataError)):
        return type(original).__name__
    said = [str(part) for part in original.args] or [type(original).__name__]
    return ": ".join(said).strip().splitlines()[0][:300] if "".join(said).strip() else type(original).__name__
