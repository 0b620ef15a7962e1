"""The client: one method for each thing that the service does."""

import http.client
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from kuajie.client.decoding import decoded
from kuajie.client.errors import ServiceError, UnavailableError
from kuajie.client.transport import Answer, Transport
from kuajie.core.records import Consent, EditorList, Event, Item, Link, Traits, Triple
from kuajie.service.wire import (
    MOST_LISTS,
    MOST_ROWS,
    DeliveryList,
    DeliveryShown,
    EditorListsReply,
    ExposureRow,
    Failure,
    FeedbackRow,
    KeyList,
    KeyMade,
    KeyRequest,
    KeyShown,
    Profile,
    Ready,
    RecommendRequest,
    RecommendResponse,
    Removed,
    RotateRequest,
    SearchRequest,
    SearchResponse,
    SimilarResponse,
    Verdicts,
    WebhookList,
    WebhookMade,
    WebhookRequest,
    WebhookShown,
    WhyResponse,
)

T = TypeVar("T")
AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may be sent again."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
MOST_BYTES = 900_000
"""Of one request; the service takes 1 MiB."""


class Client:
    """Asks a service.

    A request that changes nothing twice (all but making and rotating keys, and adding webhooks) is sent again where the
    service did not answer or has too much to do: after a random time that grows, and never before the service's own
    `Retry-After`.
    Threads may share a client.

    Args:
        url: of the service, such as `https://kuajie.example`.
        key: a key of it; left out: demo mode.
        timeout: seconds that one step of a request may take.
        attempts: how often a request is sent at most.
        patience: seconds after which it is not sent again.
        language: of titles, reasons and errors: `zh` or `en`; left out: the service's.
        sleep, monotonic: waiting and its clock; tests replace them.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = 10.0,
        attempts: int = 4,
        patience: float = 30.0,
        language: Literal["zh", "en"] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        headers = {"Accept": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if language is not None:
            headers["Accept-Language"] = language
        self.url = url
        self._transport = Transport(url, headers, timeout)
        self._attempts, self._patience = max(1, attempts), patience
        self._sleep, self._monotonic = sleep, monotonic

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connection."""
        self._transport.close()

    # behaviour

    def events(self, events: Iterable[Event]) -> Verdicts:
        """Send events in as many requests as they need; returns when all are durable, refused or duplicates.

        Raises:
            ServiceError: sending all of them again is safe.
        """
        return self._rows("POST", "/v1/events", "events", events)

    def exposures(self, exposures: Iterable[ExposureRow]) -> Verdicts:
        """Say which places of lists were seen."""
        return self._rows("POST", "/v1/exposures", "exposures", exposures)

    def feedback(self, feedback: Iterable[FeedbackRow]) -> Verdicts:
        """Say how what was seen was answered."""
        return self._rows("POST", "/v1/feedback", "feedback", feedback)

    # answers

    def recommend(
        self,
        domain: str,
        user: str,
        target: str,
        k: int = 10,
        **more: Any,  # noqa: ANN401 # fields of `RecommendRequest`, checked there
    ) -> RecommendResponse:
        """A ranked list for a person; `more` are further fields of `RecommendRequest`."""
        asked = RecommendRequest(domain=domain, user=user, target=target, k=k, **more)
        return self._typed("POST", "/v1/recommend", RecommendResponse, asked)

    def similar(self, domain: str, item: str, target: str | None = None, k: int = 10) -> SimilarResponse:
        """Items of a domain that go with one item."""
        query = urlencode({"k": k} | ({} if target is None else {"target": target}))
        return self._typed("GET", f"/v1/items/{_part(domain)}/{_part(item)}/similar?{query}", SimilarResponse)

    def search(
        self,
        query: str,
        domain: str = "",
        user: str = "",
        k: int = 10,
        **more: Any,  # noqa: ANN401 # fields of `SearchRequest`, checked there
    ) -> SearchResponse:
        """Items and knowledge for a question in words, ranked for a person where one is named.

        `more` are further fields of `SearchRequest`, such as the `targets` to look in.
        """
        asked = SearchRequest(query=query, domain=domain, user=user, k=k, **more)
        return self._typed("POST", "/v1/search", SearchResponse, asked)

    def why(self, list_id: str, item: str) -> WhyResponse:
        """Why an item is in a list that was answered."""
        return self._typed("GET", f"/v1/lists/{_part(list_id)}/why?{urlencode({'item': item})}", WhyResponse)

    def profile(self, domain: str, user: str) -> Profile:
        """What is known of a person, as far as it is the caller's."""
        return self._typed("GET", f"/v1/people/{_part(domain)}/{_part(user)}/profile", Profile)

    # what the sides describe

    def items(self, items: Iterable[Item]) -> Verdicts:
        """Insert or replace items."""
        return self._rows("PUT", "/v1/items", "items", items)

    def triples(self, triples: Iterable[Triple]) -> Verdicts:
        """Insert edges of a knowledge graph."""
        return self._rows("PUT", "/v1/triples", "triples", triples)

    def people(self, people: Iterable[Traits]) -> Verdicts:
        """Insert or replace what accounts have declared."""
        return self._rows("PUT", "/v1/people", "people", people)

    def links(self, links: Iterable[Link]) -> Verdicts:
        """Say which accounts are one person."""
        return self._rows("PUT", "/v1/links", "links", links)

    def consents(self, consents: Iterable[Consent]) -> Verdicts:
        """Say who wants to be recommended what fits them."""
        return self._rows("PUT", "/v1/consents", "consents", consents)

    def put_editor_lists(self, lists: Iterable[EditorList]) -> Verdicts:
        """Say what is shown of a domain of one's own while nobody has used anything of it."""
        return self._rows("PUT", "/v1/editor-lists", "lists", lists, MOST_LISTS)

    def editor_lists(self, target: str) -> list[EditorList]:
        """The editor's lists of a domain of one's own."""
        return self._typed("GET", f"/v1/editor-lists?{urlencode({'target': target})}", EditorListsReply).lists

    # who is told what happens

    def add_webhook(self, url: str, kinds: Sequence[str] = (), description: str = "") -> WebhookMade:
        """An address to be told what happens, without kinds everything; its secret is shown this once. Sent once."""
        asked = WebhookRequest(url=url, kinds=list(kinds), description=description)
        return self._typed("POST", "/v1/webhooks", WebhookMade, asked, again=False)

    def webhooks(self) -> list[WebhookShown]:
        """The addresses of the caller, and how they do."""
        return self._typed("GET", "/v1/webhooks", WebhookList).webhooks

    def remove_webhook(self, webhook_id: str) -> str:
        """An address is told nothing more; returns its id."""
        return self._typed("DELETE", f"/v1/webhooks/{_part(webhook_id)}", Removed).removed

    def deliveries(self, webhook_id: str) -> list[DeliveryShown]:
        """What was sent to an address lately, what waits, and what failed; the newest first."""
        return self._typed("GET", f"/v1/webhooks/{_part(webhook_id)}/deliveries", DeliveryList).deliveries

    # operations

    def ready(self) -> Ready:
        """Whether requests may be sent there, and what serves."""
        answer = self._once("GET", "/health/ready", None)
        return self._read(answer, Ready) if answer.status in {200, 503} else self._refused(answer)

    def metrics(self) -> str:
        """Metrics for Prometheus; needs the scope `operations`."""
        return self._ask("GET", "/metrics", None).body.decode()

    def make_key(self, wish: KeyRequest) -> KeyMade:
        """Make a key, which is shown this once; needs the scope `admin`. Never sent twice."""
        return self._typed("POST", "/v1/keys", KeyMade, wish, again=False)

    def keys(self) -> list[KeyShown]:
        """All keys, without their secrets; needs the scope `admin`."""
        return self._typed("GET", "/v1/keys", KeyList).keys

    def revoke_key(self, key_id: str) -> KeyShown:
        """From now on the key opens nothing; needs the scope `admin`."""
        return self._typed("DELETE", f"/v1/keys/{_part(key_id)}", KeyShown)

    def rotate_key(self, key_id: str, hours: int = 24) -> KeyMade:
        """Make a key like another, which opens nothing after some hours; needs the scope `admin`. Never sent twice."""
        asked = RotateRequest(hours=hours)
        return self._typed("POST", f"/v1/keys/{_part(key_id)}/rotate", KeyMade, asked, again=False)

    # how

    def _rows(
        self, method: str, path: str, name: str, rows: Iterable[msgspec.Struct], most: int = MOST_ROWS
    ) -> Verdicts:
        told = [
            self._typed(method, path, Verdicts, body, status={200, 422})
            for body in batches(name, [msgspec.json.encode(row) for row in rows], most)
        ]
        return Verdicts.of([verdict for each in told for verdict in each.verdicts])

    def _typed(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: msgspec.Struct | bytes | None = None,
        *,
        status: frozenset[int] | set[int] = frozenset({200}),
        again: bool = True,
    ) -> T:
        encoded = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        answer = self._ask(method, path, encoded, again=again)
        return self._read(answer, kind) if answer.status in status else self._refused(answer)

    def _ask(self, method: str, path: str, body: bytes | None, *, again: bool = True) -> Answer:
        """Send a request, again where that may help.

        Raises:
            UnavailableError: it never did.
            ServiceError: the service said no.
        """
        begun = self._monotonic()
        for attempt in range(1, self._attempts + 1):
            try:
                answer = self._once(method, path, body)
                if answer.status < 400 or answer.status == 422:
                    return answer
                self._refused(answer)
            except UnavailableError as error:
                wait = max(_backoff(attempt), error.wait or 0.0)
                late = self._monotonic() - begun + wait > self._patience
                if not again or late or attempt == self._attempts:
                    raise
                self._sleep(wait)
        raise AssertionError  # the last attempt returns or raises

    def _once(self, method: str, path: str, body: bytes | None) -> Answer:
        try:
            return self._transport.send(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
            raise UnavailableError(self.url, 0, reason) from None

    def _read(self, answer: Answer, kind: type[T]) -> T:
        try:
            return decoded(answer.body, kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ServiceError(self.url, answer.status, str(error), request_id=_id_of(answer)) from None

    def _refused(self, answer: Answer) -> Any:  # noqa: ANN401 # it never returns
        """Raise what the service said.

        Raises:
            ServiceError: always.
        """
        try:
            said = decoded(answer.body, Failure)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # a proxy, perhaps
            said = Failure(error=http.client.responses.get(answer.status, ""), do="")
        kind = UnavailableError if answer.status in AGAIN else ServiceError
        wait = answer.headers.get("retry-after", "")
        seconds = float(wait) if wait.isdecimal() and len(wait) < 6 else None
        raise kind(self.url, answer.status, said.error, said.do, said.request_id or _id_of(answer), seconds)


def batches(name: str, rows: Sequence[bytes], most: int = MOST_ROWS) -> Iterator[bytes]:
    """Bodies of at most as many rows and bytes as the service takes."""
    some: list[bytes] = []
    size = 0
    for row in rows:
        if some and (len(some) == most or size + len(row) > MOST_BYTES):
            yield _batch(name, some)
            some, size = [], 0
        some.append(row)
        size += len(row) + 1
    if some:
        yield _batch(name, some)


def _batch(name: str, rows: Sequence[bytes]) -> bytes:
    return b'{"%s":[%s]}' % (name.encode(), b",".join(rows))


def _backoff(attempt: int) -> float:
    """A random part of a time that doubles, so that those who were refused together do not come back together."""
    return random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**attempt))


def _part(text: str) -> str:
    """A part of a path."""
    return quote(text, safe="")


def _id_of(answer: Answer) -> str:
    return answer.headers.get("x-request-id", "")
