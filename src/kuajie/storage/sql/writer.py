"""Group commit: one thread stores what many callers wrote in one transaction, and answers each after the commit.

A commit waits for the disk, and that takes as long for one row as for a thousand. While it waits, the next jobs gather
in the queue. The queue is bounded: who comes when it is full is told so at once.

Every transaction first locks the row of the counter of changes, on every database. So transactions of all processes
happen one after the other, a later commit has larger sequence numbers, and what is looked up stays true until the rows
are written.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa

from kuajie.core.errors import BusyError, KuajieError, StoreError
from kuajie.storage.sql.refusals import refused
from kuajie.storage.sql.tables import counters

CHANGES = "changes"
MOST_TOGETHER = 2_000
"""Rows of one transaction; more would let its callers wait for each other."""
PATIENCE_SECONDS = 30.0
P = TypeVar("P")
R = TypeVar("R")


@dataclass
class Transaction:
    """What a handler writes with.

    Attributes:
        connection: inside the transaction.
        last: the last sequence number that is taken.
    """

    connection: sa.Connection
    last: int

    def number(self) -> int:
        """The next sequence number."""
        self.last += 1
        return self.last


Handler = Callable[[Transaction, Sequence[P]], Sequence[R]]
"""Writes several payloads and returns the result of each."""


@dataclass(eq=False)
class Job:
    """One caller's write."""

    handler: Handler[Any, Any]
    payload: Any
    size: int
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """The thread, its queue, and its connection."""

    def __init__(self, engine: sa.Engine, place: str, most_rows: int) -> None:
        self._engine, self._place, self._most_rows = engine, place, most_rows
        self._jobs: deque[Job] = deque()
        self._rows = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="kuajie-store-writer", daemon=True)
        self._thread.start()

    def submit(self, handler: Handler[P, R], payload: P, size: int = 1) -> Future[R]:
        """Queue a write.

        Raises:
            BusyError: the queue is full.
            StoreError: the store is closed.
        """
        job = Job(handler, payload, size)
        with self._changed:
            if self._closed:
                raise StoreError("the store {place} is closed", place=self._place)
            if self._rows and self._rows + size > self._most_rows:
                raise BusyError(
                    "the store {place} has {rows} rows waiting to be written. Try again in a moment.",
                    place=self._place,
                    rows=self._rows,
                )
            self._jobs.append(job)
            self._rows += size
            self._changed.notify()
        return job.future

    def write(self, handler: Handler[P, R], payload: P, size: int = 1) -> R:
        """Queue a write and wait until it is durable.

        Raises:
            BusyError: the queue is full; nothing was taken.
            StoreError: it failed, or took too long; it is not acknowledged.
        """
        return self.result(self.submit(handler, payload, size))

    def result(self, future: Future[R]) -> R:
        """Wait for what was submitted."""
        try:
            return future.result(PATIENCE_SECONDS)
        except TimeoutError:
            future.cancel()
            raise StoreError(
                "the store {place} did not answer within {seconds:g} s. What was sent is not acknowledged; it is safe "
                "to send it again.",
                place=self._place,
                seconds=PATIENCE_SECONDS,
            ) from None

    @property
    def waiting(self) -> int:
        """Rows in the queue."""
        return self._rows

    def close(self) -> None:
        """Write what is queued, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._take():
            _commit(self._engine, self._place, jobs)

    def _take(self) -> list[Job]:
        """What is stored together next; none when there will be no more."""
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            taken: list[Job] = []
            rows = 0
            while self._jobs and (not taken or rows + self._jobs[0].size <= MOST_TOGETHER):
                job = self._jobs.popleft()
                rows += job.size
                taken.append(job)
            self._rows -= rows
            return taken


def _commit(engine: sa.Engine, place: str, jobs: Sequence[Job]) -> None:
    """Store jobs together; where one of them cannot be stored, each alone, so that it fails alone."""
    started = [job for job in jobs if job.future.set_running_or_notify_cancel()]
    if not started:
        return
    try:
        results = _transact(engine, started)
    except Exception as error:  # whatever it is, somebody waits for an answer
        if len(started) > 1 and not _is_general(error):
            for job in started:
                _alone(engine, place, job)
        else:
            _fail(place, started, error)
        return
    for job, result in zip(started, results, strict=True):
        job.future.set_result(result)


def _alone(engine: sa.Engine, place: str, job: Job) -> None:
    try:
        result = _transact(engine, [job])[0]
    except Exception as error:
        _fail(place, [job], error)
    else:
        job.future.set_result(result)


def _transact(engine: sa.Engine, jobs: Sequence[Job]) -> list[Any]:
    """Run the jobs in one transaction; jobs of one handler together. Returns after the commit."""
    try:
        return _in_transaction(engine, jobs)
    except Exception as error:
        if _is_general(error):
            engine.dispose()  # a connection that died may keep its place in the pool until it is collected
        raise


def _in_transaction(engine: sa.Engine, jobs: Sequence[Job]) -> list[Any]:
    results: dict[int, Any] = {}
    with engine.begin() as connection:
        first = connection.execute(LOCKED, {"counter": CHANGES}).scalar_one()
        transaction = Transaction(connection, first)
        for handler in dict.fromkeys(job.handler for job in jobs):
            own = [job for job in jobs if job.handler == handler]
            for job, result in zip(own, handler(transaction, [job.payload for job in own]), strict=True):
                results[id(job)] = result
        if transaction.last != first:
            connection.execute(MOVED, {"counter": CHANGES, "last": transaction.last})
    return [results[id(job)] for job in jobs]


LOCKED = sa.select(counters.c.value).where(counters.c.name == sa.bindparam("counter")).with_for_update()
MOVED = counters.update().where(counters.c.name == sa.bindparam("counter")).values(value=sa.bindparam("last"))


def _is_general(error: Exception) -> bool:
    """Whether every job would meet it: no connection, no room, no time. A failed commit is, too: it may have worked."""
    return isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError))


def _fail(place: str, jobs: Sequence[Job], error: Exception) -> None:
    for job in jobs:  # an error each: they are raised in several threads
        job.future.set_exception(error if isinstance(error, KuajieError) else refused(place, error))
