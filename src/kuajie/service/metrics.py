"""Metrics for Prometheus: what the process does, in numbers without people in them.

Several workers on one port write theirs into files of one folder (the multi-process mode of prometheus-client), so
whichever of them is asked answers for all; `workers.shared_numbers` makes the folder. What is counted for every request
is bound to its labels beforehand: counting costs some microseconds.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from kuajie.core.clock import system_clock
from kuajie.core.records import Verdict
from kuajie.service.kept import KeptLists
from kuajie.service.logs import RequestLog
from kuajie.workflows.deploy import Deployment
from kuajie.workflows.tail import Tail

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


class Watched(Protocol):
    """What the numbers are read from, now and then."""

    @property
    def deployment(self) -> Deployment:
        """What serves."""

    @property
    def tail(self) -> Tail:
        """What other processes write."""

    @property
    def lists(self) -> KeptLists:
        """Lists on their way to the store."""

    @property
    def log(self) -> RequestLog:
        """Lines of requests."""

    @property
    def queued_rows(self) -> int:
        """Rows that wait to be written."""


class RouteMetrics:
    """The counters of one route, bound to their labels."""

    __slots__ = ("classes", "observe")

    def __init__(self, requests: Counter, seconds: Histogram, method: str, route: str) -> None:
        self.classes = tuple(requests.labels(route, method, name).inc for name in CLASSES)
        self.observe: Callable[[float], None] = seconds.labels(route, method).observe


class Metrics:
    """The numbers of one process.

    Args:
        registry: takes the metrics; left out: one of their own.
        folder: of the files of several workers; left out: this process answers for itself.
    """

    def __init__(self, registry: CollectorRegistry | None = None, folder: str | None = None) -> None:
        self._registry = registry if registry is not None else CollectorRegistry()
        self._folder = folder
        self._lock = threading.Lock()
        self._routes: dict[tuple[str, str], RouteMetrics] = {}
        self._define_requests()
        self._define_store()
        self._define_model()

    def _define_requests(self) -> None:
        self._requests = self._counter("requests", "Requests.", "route", "method", "status")
        self._seconds = Histogram(
            "kuajie_request_seconds",
            "From the first byte of a request to the first byte of its answer.",
            ("route", "method"),
            registry=self._registry,
            buckets=SECONDS,
        )
        self.in_progress = self._gauge("requests_in_progress", "Requests that are being answered.", "livesum")
        self._refused = self._counter("refused", "Requests told to come again, by reason.", "reason")
        self._answers = self._counter("answers", "Lists.", "fallback", "degraded", "personalised")
        self._histories = self._counter("histories", "Histories of people who ask, by where they were.", "found")
        started = self._gauge("start_timestamp_seconds", "When the process began.", "liveall")
        started.set(system_clock().timestamp())
        self._memory = self._gauge("resident_memory_bytes", "Memory of the process, shared pages too.", "liveall")
        self._answer_of = _Bound(self._answers)
        self._refused_of, self._history_of = _Bound(self._refused), _Bound(self._histories)

    def _define_store(self) -> None:
        events = self._counter("events", "Events and feedback; rejected ones are in the quarantine.", "verdict")
        self._events = {name: events.labels(name) for name in ("accepted", "duplicate", "rejected")}
        self._lists_lost = self._counter("lists_lost", "Lists that could not be queued to be stored.")
        self._lines_lost = self._counter("log_lines_lost", "Lines of the log that nobody took in time.")
        self._lost_before = {self._lists_lost: 0, self._lines_lost: 0}
        self._lists_waiting = self._gauge("lists_waiting", "Lists that wait to be queued to be stored.", "livesum")
        self._queued = self._gauge("store_queued_rows", "Rows that wait to be written.", "livesum")
        self._failing = self._gauge("store_failing", "1 while the store does not answer.", "livemax")
        self._tail = self._gauge("tail_read_timestamp_seconds", "When the tail was last read.", "livemin")
        self._pruned = self._counter("lists_pruned", "Lists that were removed for their age.")

    def _define_model(self) -> None:
        self._model = self._gauge("model_info", "1 for what serves.", "livemax", "model_version", "snapshot_id")
        self._loaded = self._gauge("model_loaded_timestamp_seconds", "When it began to serve.", "livemin")
        self._model_refused = self._gauge("model_refused", "1 while a version is refused.", "livemax")
        self._serving: tuple[str, str] | None = None

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"kuajie_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, mode: str, *labels: str) -> Gauge:
        return Gauge(f"kuajie_{name}", text, labels, registry=self._registry, multiprocess_mode=mode)  # type: ignore[arg-type]

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request; `route` is its template, never its path."""
        bound = self._routes.get((method, route))
        if bound is None:
            bound = self._routes[method, route] = RouteMetrics(self._requests, self._seconds, method, route)
        bound.classes[status // 100 - 1]()
        bound.observe(seconds)

    def refused(self, reason: str) -> None:
        """A request was told to come again."""
        self._refused_of[reason,].inc()

    def listed(self, fallback: str, *, degraded: bool, personalised: bool) -> None:
        """A list was made."""
        self._answer_of[fallback or "none", str(degraded).lower(), str(personalised).lower()].inc()

    def history(self, found: str) -> None:
        """A history was in "memory", asked of the "store", or the store was "not_asked" since it does not answer."""
        self._history_of[found,].inc()

    def took(self, verdicts: Sequence[Verdict]) -> None:
        """Events were stored or refused."""
        if len(verdicts) == 1:
            self._events[verdicts[0].status].inc()
            return
        for name, counter in self._events.items():
            count = sum(verdict.status == name for verdict in verdicts)
            if count:
                counter.inc(count)

    def pruned(self, lists: int) -> None:
        """Old lists were removed."""
        self._pruned.inc(lists)

    def refresh(self, watched: Watched) -> None:
        """Read what is not counted as it happens; every worker does so with each look at the store."""
        with self._lock:  # the watcher and who asks
            self._refresh(watched)

    def _refresh(self, watched: Watched) -> None:
        deployment, tail = watched.deployment, watched.tail
        self._lists_waiting.set(watched.lists.waiting)
        self._queued.set(watched.queued_rows)
        self._failing.set(tail.failing)
        if not tail.failing:
            self._tail.set(system_clock().timestamp())
        for counter, lost in ((self._lists_lost, watched.lists.lost), (self._lines_lost, watched.log.lost)):
            counter.inc(lost - self._lost_before[counter])
            self._lost_before[counter] = lost
        self._model_refused.set(deployment.refused is not None)
        self._memory.set(resident_bytes())
        now = deployment.now
        serving = (now.model_version, now.dataset.snapshot.manifest.snapshot_id)
        if serving != self._serving:
            if self._serving is not None:
                self._model.labels(*self._serving).set(0)
            self._model.labels(*serving).set(1)
            self._loaded.set(system_clock().timestamp())
            self._serving = serving

    def exposition(self) -> bytes:
        """Everything as Prometheus reads it; of all workers where there are several."""
        if self._folder is None:
            return generate_latest(self._registry)
        _forget_the_dead(self._folder)
        together = CollectorRegistry()
        MultiProcessCollector(together, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)


class _Bound(dict[tuple[str, ...], Counter]):
    """Label values -> their counter."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def __missing__(self, values: tuple[str, ...]) -> Counter:
        bound = self[values] = self._counter.labels(*values)
        return bound


def _forget_the_dead(folder: str) -> None:
    """Gauges of workers that have died; what they counted stays."""
    for file in Path(folder).iterdir():
        kind, _, rest = file.name.partition("_live")
        number = rest.rpartition("_")[2].removesuffix(".db")
        if kind == "gauge" and number.isdecimal() and not _lives(int(number)):
            mark_process_dead(int(number), folder)  # type: ignore[no-untyped-call]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def resident_bytes() -> int:
    """Memory of this process."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - read several times a second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1_024
