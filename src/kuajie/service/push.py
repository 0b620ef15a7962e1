"""Push: a person's list now, and again whenever their history has changed, as server-sent events.

    person listens -> list -> ... an event of theirs, from any process ... -> list -> ...

Each list is what `/v1/recommend` would answer at that moment. What happens within `push_seconds` is in one list, and a
list that says the same as the last one is not sent. Comments keep the connection alive.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec

from kuajie.core.errors import KuajieError
from kuajie.core.records import Account
from kuajie.core.texts import Text
from kuajie.service import answers
from kuajie.service.bodies import decoded
from kuajie.service.calls import Call
from kuajie.service.ids import checked_id
from kuajie.service.refusals import Refusal, wrong
from kuajie.service.streams import Pulse, PushResponse
from kuajie.service.wire import RecommendRequest, RecommendResponse

MEDIA = "text/event-stream"
SECONDS, MOST_SECONDS = 300, 600
"""A stream ends after so long, and its reader comes again: with a key that still opens it, to any process."""
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b":\n\n"
RETRY_MILLISECONDS = 3_000


async def stream(call: Call) -> PushResponse:
    """The same list as `recommend`, whenever it changes."""
    asked, seconds = decoded(call.body, RecommendRequest), _seconds(call.query.get("seconds", str(SECONDS)))
    call.own(asked.domain)
    if asked.user:
        checked_id(asked.user, "user")
    streams = call.service.streams
    pulse = streams.enter(call.caller.key_id)
    lists = Lists(call, Account(domain=asked.domain, user=asked.user), pulse)

    def left() -> None:
        lists.close()
        streams.leave(pulse)

    try:
        first = await lists.next()
    except BaseException:
        left()
        raise
    parts = _parts(lists, first, pulse, time.monotonic() + seconds)
    return PushResponse(parts, pulse, left, seconds + HEARTBEAT_SECONDS)


class Lists:
    """The lists of one stream.

    Args:
        call: the request, asked again for each list.
        account: who listens; without a user nobody does, and only another model changes the list.
        pulse: is woken when a list may have changed.
    """

    def __init__(self, call: Call, account: Account, pulse: Pulse) -> None:
        self.call, self.account, self.pulse = call, account, pulse
        self.pause = call.service.workspace.config.service.push_seconds
        self._stop: Callable[[], None] = lambda: None

    async def next(self, latest: RecommendResponse | None = None) -> RecommendResponse:
        """The list as it is now, kept to be sent, or the latest where it says the same.

        It listens before it asks, so that nothing falls between.
        """
        service = self.call.service
        deployed = service.deployment.now
        self.close()
        if self.account.user:
            person = await service.person(deployed, self.account)
            self._stop = deployed.live.listeners.listen({self.account, *person.accounts}, self.pulse.wake)
        ranked, content = await answers.composed(self.call)
        if latest is not None and gist(content) == gist(latest):
            return latest
        service.keep(ranked)
        return content

    def close(self) -> None:
        """Listen no more."""
        self._stop()


async def _parts(lists: Lists, first: RecommendResponse, pulse: Pulse, end: float) -> AsyncIterator[bytes]:
    latest, sent = first, time.monotonic()
    yield f"retry: {RETRY_MILLISECONDS}\n".encode() + told(first)
    while (left := end - time.monotonic()) > 0:
        if not await pulse.woken(min(HEARTBEAT_SECONDS, left)):
            yield HEARTBEAT
            continue
        await asyncio.sleep(sent + lists.pause - time.monotonic())
        if pulse.ended:
            return
        try:
            fresh = await lists.next(latest)
        except (Refusal, KuajieError):  # the reader comes again, and is told why
            return
        if fresh is not latest:
            latest, sent = fresh, time.monotonic()
            yield told(fresh)


def told(content: RecommendResponse) -> bytes:
    """A list as one event."""
    return b"event: list\nid: " + content.list_id.encode() + b"\ndata: " + msgspec.json.encode(content) + b"\n\n"


def gist(content: RecommendResponse) -> object:
    """What a reader sees of a list."""
    seen = tuple((each.item, each.title, tuple(reason.text for reason in each.reasons)) for each in content.items)
    return content.personalised, content.fallback, seen


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) <= MOST_SECONDS):
        raise wrong(Text("seconds must be between 0 and {most}", most=MOST_SECONDS))
    return int(text)
