"""Connections that give up: a server that is frozen, or behind a network that swallows everything, says nothing at all.

A statement's time limit is the server's to keep, and a frozen server keeps none; TCP sees nothing wrong, since its
kernel acknowledges what arrives. So the driver itself must not wait for longer than a statement may take.
"""

import time
from collections.abc import Callable, Generator
from functools import cache
from typing import Any

GRACE_SECONDS = 0.5
"""More than the server's own limit, which says better what was wrong."""


def opener(backend: str, connect_seconds: float, statement_seconds: float) -> Callable[..., Any] | None:
    """What opens a connection as SQLAlchemy's event `do_connect` does; None: as it is."""
    if backend == "postgresql":

        def postgresql(_: object, __: object, arguments: Any, options: Any) -> Any:  # noqa: ANN401 - a driver's own
            return _patient_psycopg(statement_seconds + GRACE_SECONDS).connect(*arguments, **options)

        return postgresql
    if backend in {"mysql", "mariadb"}:

        def mysql(dialect: Any, _: object, arguments: Any, options: Any) -> Any:  # noqa: ANN401 - a driver's own
            if dialect.driver != "pymysql":
                return None
            connection = dialect.loaded_dbapi.connect(*arguments, **{**options, "read_timeout": connect_seconds})
            connection._read_timeout = statement_seconds + GRACE_SECONDS  # the greeting must come sooner
            return connection

        return mysql
    return None


@cache
def _patient_psycopg(seconds: float) -> Any:  # noqa: ANN401 - the driver is an extra
    """A class of connections that wait for the server no longer than so."""
    import psycopg

    class PatientConnection(psycopg.Connection):
        """Every wait for the network goes through here; the driver wakes it ten times a second."""

        def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as its parent
            """Wait, or close the connection, which nobody knows the state of any more."""
            try:
                return super().wait(bounded(gen, seconds), *args, **kwargs)
            except OutOfPatience:
                self.pgconn.finish()
                raise psycopg.OperationalError(f"the server did not answer within {seconds:g} s") from None

    return PatientConnection


class OutOfPatience(Exception):  # noqa: N818 - never leaves this file
    """The server has said nothing for too long."""


def bounded(steps: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """The same steps until the time is over; a step is sent what is ready, nothing when the driver was only woken.

    Raises:
        OutOfPatience: nothing was ready and the time is over.
    """
    until = time.monotonic() + seconds
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until:
                raise OutOfPatience
            wanted = steps.send(ready)
    except StopIteration as end:
        return end.value
