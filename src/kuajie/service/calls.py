"""What a handler is given, what it gives back, and everything that the service holds."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from kuajie.bootstrap import list_keys
from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import StoreError
from kuajie.core.records import Account, RankedList
from kuajie.core.texts import Text
from kuajie.service.kept import KeptLists
from kuajie.service.landing import Landing
from kuajie.service.lists import Fallbacks
from kuajie.service.logs import RequestLog
from kuajie.service.metrics import Metrics
from kuajie.service.refusals import not_allowed, not_found, not_stored
from kuajie.service.streams import Streams
from kuajie.service.tracing import NoTracing, Tracing
from kuajie.workflows.access import DEMO_SCOPES, Caller, Doorkeeper, TokenBucket
from kuajie.workflows.deploy import Deployed, Deployment
from kuajie.workflows.list_ids import Seals
from kuajie.workflows.live import SLOW_SECONDS, Person
from kuajie.workflows.looper import Looper
from kuajie.workflows.notices import Noticeboard
from kuajie.workflows.receive import EventRules
from kuajie.workflows.showings import Showings
from kuajie.workflows.stores import Cache, Store
from kuajie.workflows.tail import Tail
from kuajie.workflows.webhooks import Outbound
from kuajie.workflows.workspace import Workspace

log = logging.getLogger("kuajie.service")
T = TypeVar("T")
STORE_SECONDS = 15.0
"""How long a request waits for the store."""
STRANGERS_PER_SECOND = 100.0
"""Keys that are looked up without being known, of all callers together; twice as many at once."""


@dataclass(eq=False)
class Service:
    """One process of the service.

    Attributes:
        workspace: what it serves.
        store, cache: where things are.
        deployment: the model that serves.
        tail: what other processes write.
        demo: whether who sends no key may do everything; on loopback only.
        insist: whether it stays so when there are keys.
        metrics, log, tracing: what operators see.
        looper: starts the rounds of the loop; None: somebody else does.
        outbound: how others are told; None: they are not.
    """

    workspace: Workspace
    store: Store
    cache: Cache
    deployment: Deployment
    tail: Tail
    demo: bool = False
    insist: bool = False
    looper: Looper | None = None
    outbound: Outbound | None = None
    clock: Clock = system_clock
    draining: bool = False
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, "kuajie-service"))
    at_work: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    stocking: Future[None] | None = None
    learning: asyncio.Lock = field(default_factory=asyncio.Lock)
    metrics: Metrics = field(default_factory=Metrics)
    log: RequestLog = field(default_factory=RequestLog)
    tracing: Tracing = field(default_factory=NoTracing)
    landing: Landing = field(default_factory=Landing)
    lists: KeptLists = field(init=False)
    rules: EventRules = field(init=False)
    doorkeeper: Doorkeeper = field(init=False)
    bucket: TokenBucket = field(init=False)
    strangers: TokenBucket = field(init=False)
    streams: Streams = field(init=False)
    fallbacks: Fallbacks = field(init=False)
    seals: Seals = field(init=False)
    notices: Noticeboard = field(init=False)
    showings: Showings = field(init=False)

    def __post_init__(self) -> None:
        config = self.workspace.config
        self.lists = KeptLists(self.store.shown)
        self.rules = EventRules(frozenset(config.domains), config.cleaning)
        self.doorkeeper = Doorkeeper(self.store.access, time.monotonic)
        self.fallbacks = Fallbacks(config.serving, self.cache, self.store.catalogue)
        self.seals = Seals(list_keys(self.workspace))
        self.bucket = TokenBucket(config.service.requests_per_second, time.monotonic)
        self.strangers = TokenBucket(STRANGERS_PER_SECOND, time.monotonic)
        self.notices = Noticeboard(self.store.webhooks, time.monotonic, lambda: self.demo)
        self.showings = Showings(self.cache)
        self.streams = Streams(config.service.most_streams)

    def keep(self, ranked: RankedList) -> None:
        """A list that somebody is shown: what is told of it will be understood, and what it gave away is counted."""
        self.lists.keep(ranked)
        if self.deployment.now.shaping is not None:
            self.deployment.now.shaping.count(ranked)

    @property
    def queued_rows(self) -> int:
        """Rows that wait to be written."""
        return self.store.queued_rows

    @property
    def demo_caller(self) -> Caller:
        """Who sends no key in demo mode."""
        return Caller("", frozenset(self.workspace.config.domains), frozenset(DEMO_SCOPES))

    async def ask(self, question: Callable[..., T], *arguments: object) -> T:
        """Run what may wait for the store in a thread.

        Raises:
            Refusal: the store refused, or took too long.
        """
        asked = asyncio.get_running_loop().run_in_executor(self.threads, question, *arguments)
        return await self.wait(asked)

    async def durable(self, future: Future[T]) -> T:
        """Wait for what was submitted.

        Raises:
            Refusal: it may not be durable.
        """
        with self.tracing.span("store write"):
            return await self.wait(self.landing.wait_for(future))

    @staticmethod
    async def wait(awaited: "asyncio.Future[T]") -> T:
        """Wait for the store, not too long.

        Raises:
            Refusal: it refused, or took too long.
        """
        try:
            async with asyncio.timeout(STORE_SECONDS):
                return await awaited
        except TimeoutError:
            late = StoreError("the store did not answer within {seconds:g} s", seconds=STORE_SECONDS)
            raise not_stored(late) from None
        except StoreError as error:
            raise not_stored(error) from None

    async def person(self, deployed: Deployed, account: Account) -> Person:
        """The person behind an account, as it is known now; a store that is slow or down is not waited for."""
        live, now = deployed.live, self.clock()
        person = live.ready(account, now)
        if person is not None:
            self.metrics.history("memory")
            return person
        if not self.tail.failing:
            self.metrics.history("store")
            with suppress(TimeoutError), self.tracing.span("history"):
                async with asyncio.timeout(SLOW_SECONDS):
                    loaded = await asyncio.get_running_loop().run_in_executor(self.threads, live.load, account, now)
                    return self.fallbacks.willing(loaded)
        self.metrics.history("no_store")
        return self.fallbacks.willing(live.without_store(account, now))

    async def learn_items(self) -> None:
        """Let the model that serves know of items that were stored; where the store fails now, the next look does.

        They are read from the store, in its order, so that of two records of one item the later one stays.
        """
        learned: Deployed | None = None
        async with self.learning:  # one of the threads at most
            while learned is not self.deployment.now:
                learned = self.deployment.now
                reading = asyncio.get_running_loop().run_in_executor(
                    self.threads, learned.read_new_items, self.store.catalogue
                )
                with suppress(StoreError):
                    await reading

    def watch(self) -> None:
        """Read the tail, again and again until the service stops: a thread."""
        pause = self.workspace.config.service.poll_seconds
        while not self.stopped.wait(pause):
            self.look()

    def look(self) -> None:
        """One look at what others wrote and at the lists that wait."""
        steps = (
            self.lists.flush,
            lambda: self.tail.read(self.deployment),
            lambda: self.deployment.now.read_new_items(self.store.catalogue),
            lambda: self.fallbacks.look(self.deployment, self.clock()),
            self.seals.refresh,
            self._restock,
            self._tell,
        )
        for step in steps:
            try:
                step()
            except StoreError:
                pass  # `tail.failing` says so; the next look goes on
            except Exception:  # the other steps go on, and so does the next look
                log.exception("a look at what has changed failed")

    def watch_models(self) -> None:
        """Look at the pointer again and again until the service stops: a thread, for loading takes a while."""
        while not self.stopped.wait(self.workspace.config.service.poll_seconds):
            try:
                if self.deployment.look():
                    with suppress(StoreError):  # the next look at the tail goes on
                        self.deployment.now.read_new_items(self.store.catalogue)  # what came while it was loaded
                    self.streams.wake()
            except Exception:  # the next look goes on
                log.exception("a look at the models failed")

    def _restock(self) -> None:
        if self.stocking is None or self.stocking.done():  # in a thread of its own: events must not wait for it
            with suppress(RuntimeError):  # it is being closed
                self.stocking = self.threads.submit(self.deployment.now.shelves.restock)

    def _tell(self) -> None:
        self.metrics.refresh(self)
        if self.looper is not None:
            self.looper.look()

    def close(self) -> None:
        """Write what is queued and let go of everything."""
        self.stopped.set()
        if self.looper is not None:
            self.looper.stop()
        self.threads.shutdown(wait=True, cancel_futures=True)
        self.lists.flush()
        self.store.close()
        self.cache.close()
        self.tracing.close()
        self.log.close()


@dataclass(frozen=True)
class Call:
    """One request, read and allowed.

    Attributes:
        service: what there is.
        caller: who asks.
        path: parameters in the path.
        query: parameters after it.
        body: as it arrived, checked to be strict JSON.
        values: the body as plain values.
        language: of titles, reasons and errors.
    """

    service: Service
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    values: Any
    language: str

    @property
    def named(self) -> frozenset[str] | None:
        """Domains whose items reasons may name; a page shows them to anybody, so it is told none."""
        if self.caller.publishable:
            return frozenset()
        return self.caller.domains

    def own(self, domain: str) -> None:
        """Refuse domains that are not the caller's.

        Raises:
            Refusal: it is somebody else's, or there is none.
        """
        if domain not in self.caller.domains:
            raise not_allowed(Text("the domain '{domain}' is not one of yours", domain=domain[:100]))

    def target(self, domain: str) -> None:
        """Refuse domains that there are not.

        Raises:
            Refusal: no such domain.
        """
        domains = self.service.deployment.now.dataset.space.domains
        if domain not in domains and not self.service.fallbacks.editors.has(domain):
            raise not_found(
                Text("there is no domain '{domain}'; there are {names}", domain=domain[:100], names=", ".join(domains))
            )


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    content: msgspec.Struct | Response
    status: int = 200
