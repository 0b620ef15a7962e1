"""Webhooks out: an organisation registers an address, what happens is queued for it, a courier delivers it.

notice -> a delivery for each address that wants it, in the store -> taken by one courier -> signed, sent -> settled
                                    ^---- again after a wait, each longer than the one before ----v

Signed in the manner of Standard Webhooks 1.0. At least once: the id stays the same, so that receivers can tell. The
signing secret of an address is derived from one master secret, so that the database holds none.
"""

import base64
import hashlib
import hmac
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Final, Protocol

import msgspec
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.errors import UsageError
from kuajie.core.records import Delivery, Webhook
from kuajie.core.texts import Text
from kuajie.workflows.stores import WebhookStore

KINDS: Final[dict[str, str]] = {
    "model.activated": "another model version serves",
    "model.refused": "a model version that should serve was refused",
    "loop.finished": "a round of importing and training has ended",
    "consent.changed": "somebody said whether they want to be recommended what fits them",
    "quarantine.grew": "rows were refused and kept in the quarantine",
    "feedback.recorded": "a purchase was attributed to a list",
}
"""What an organisation can be told."""
MOST_WEBHOOKS = 20
"""Of one organisation."""
LONGEST_BODY = 20_000
"""Bytes of a delivery."""
WAITS: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds after each failed try; after the last one there is one more. The schedule of Standard Webhooks."""
JITTER = 0.2
"""Share by which a wait is longer or shorter, so that what failed together does not come back together."""
LEASE_SECONDS = 120.0
DELIVERED_DAYS, DEAD_DAYS = 1, 30
"""So long settled deliveries can be looked at, and their ids are known."""
PRUNE_SECONDS = 3_600.0
MOST_TOGETHER = 32
GONE = 410


class WebhooksConfig(Config):
    """The section `[webhooks]`: how organisations are told what happens.

    Attributes:
        secret_env: name of the environment variable with the master secret (32 characters or more); where it is not
            set, the file `webhooks.key` of the workspace holds one.
        ports: of addresses.
        seconds: for one try.
        disable_hours: an address that has failed for so long is told nothing more.
        loopback: whether this machine may be told, and by http; for development.
    """

    secret_env: str = "KUAJIE_WEBHOOK_SECRET"  # noqa: S105 - a name
    ports: tuple[Annotated[int, Field(ge=1, le=65_535)], ...] = (443, 8443)
    seconds: Annotated[float, Field(gt=0, le=60)] = 15.0
    disable_hours: Annotated[float, Field(gt=0)] = 120.0
    loopback: bool = False


@dataclass(frozen=True)
class Answer:
    """What became of one try.

    Attributes:
        status: of HTTP; None where there was no answer.
        problem: why not, for people.
        wait: seconds that the receiver asked for.
    """

    status: int | None
    problem: str = ""
    wait: float | None = None

    @property
    def good(self) -> bool:
        """Whether it was taken."""
        return self.status is not None and 200 <= self.status < 300


class Sender(Protocol):
    """Sends to addresses that others have named, and to public ones only."""

    def problem(self, url: str) -> Text | None:
        """Why a URL cannot be an address, or None."""

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One try; never raises for what the other side does."""


@dataclass(frozen=True)
class Outbound:
    """What a process needs to tell others.

    Attributes:
        sender: sends.
        master: gives the master secret; made where there is none.
        activated_at: when the model that should serve was made to.
    """

    sender: Sender
    master: Callable[[], bytes]
    activated_at: Callable[[], datetime | None] = lambda: None


def secret_of(master: bytes, webhook_id: str) -> str:
    """The signing secret of an address, as its receiver is told."""
    derived = hmac.digest(master, b"kuajie webhook secret\0" + webhook_id.encode(), "sha256")
    return "whsec_" + base64.b64encode(derived).decode()


def key_check(master: bytes) -> str:
    """Tells two master secrets apart and nothing else about them."""
    return hmac.digest(master, b"kuajie webhook check", "sha256").hex()[:16]


def signed(secret: str, message_id: str, at: int, body: bytes) -> str:
    """The header `webhook-signature` (Standard Webhooks 1.0, symmetric).

    Args:
        secret: `whsec_` and the key in Base64.
        message_id: the header `webhook-id`.
        at: the header `webhook-timestamp`, unix seconds.
        body: byte by byte.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message_id}.{at}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def register(
    store: WebhookStore,
    sender: Sender,
    master: bytes,
    organisation_id: str,
    url: str,
    kinds: Sequence[str],
    description: str,
    now: datetime,
) -> Webhook | Text:
    """A new address, or why it cannot be one."""
    unknown = next((kind for kind in kinds if kind not in KINDS), None)
    if unknown is not None:
        return Text("there is no notice '{kind}'; there are {names}", kind=unknown[:100], names=", ".join(KINDS))
    problem = sender.problem(url)
    if problem is not None:
        return problem
    if len(store.webhooks(organisation_id)) >= MOST_WEBHOOKS:
        return Text("an organisation has at most {most} webhooks", most=MOST_WEBHOOKS)
    webhook = Webhook(
        webhook_id="wh_" + secrets.token_hex(16),
        organisation_id=organisation_id,
        url=url,
        kinds=tuple(dict.fromkeys(kinds)) or tuple(KINDS),
        created_at=now,
        key_check=key_check(master),
        description=description,
    )
    store.add_webhook(webhook)
    return webhook


@dataclass(frozen=True)
class Notice:
    """Something that happened.

    Attributes:
        kind: one of `KINDS`.
        subject: tells it from all others of its kind; the same notice told twice is one.
        at: when.
        data: JSON of the organisation's own.
        organisation_id: who is told; None: everybody.
    """

    kind: str
    subject: str
    at: datetime
    data: Mapping[str, object]
    organisation_id: str | None = None


def delivery_of(notice: Notice, webhook: Webhook) -> Delivery:
    """The notice for one address; its id is made of what it says, so that it is queued once."""
    body = msgspec.json.encode({"type": notice.kind, "timestamp": notice.at, "data": notice.data})
    if len(body) > LONGEST_BODY:
        raise UsageError("a notice is longer than {most} bytes", most=LONGEST_BODY)
    names = "\0".join((webhook.webhook_id, notice.kind, notice.subject))
    return Delivery(
        delivery_id="msg_" + hashlib.sha256(names.encode("utf-8", "backslashreplace")).hexdigest()[:32],
        webhook_id=webhook.webhook_id,
        kind=notice.kind,
        created_at=notice.at,
        body=body.decode(),
        next_at=notice.at,
    )


@dataclass(eq=False)
class Courier:
    """Delivers what waits; several processes may have one each.

    Attributes:
        store: the queue.
        sender: sends.
        master: gives the master secret.
        clock: now.
        disable_hours: an address that has failed for so long is disabled.
        chance: numbers in [0, 1) for the waits.
        threads: that send at once.
    """

    store: WebhookStore
    sender: Sender
    master: Callable[[], bytes]
    clock: Callable[[], datetime]
    disable_hours: float = 120.0
    chance: Callable[[], float] = random.random
    threads: int = 8
    pruned_at: datetime | None = None
    _pool: ThreadPoolExecutor | None = field(default=None, init=False, repr=False)

    def round(self) -> int:
        """Deliver what is due; returns how many deliveries were tried.

        Raises:
            StoreError: the store does not answer; what was taken is tried again after a while.
        """
        now = self.clock()
        taken = self.store.take(now, now + timedelta(seconds=LEASE_SECONDS), MOST_TOGETHER)
        if taken:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, "kuajie-courier")
            webhooks = {name: self.store.webhook(name) for name in {each.webhook_id for each in taken}}
            tried = list(self._pool.map(lambda each: self._try(each, webhooks[each.webhook_id]), taken))
            self.store.settle([delivery for delivery, _ in tried])
            for webhook in filter(None, webhooks.values()):
                self._note(webhook, [answer for each, answer in tried if each.webhook_id == webhook.webhook_id])
        if self.pruned_at is None or (now - self.pruned_at).total_seconds() > PRUNE_SECONDS:
            self.store.prune(now - timedelta(days=DELIVERED_DAYS), now - timedelta(days=DEAD_DAYS))
            self.pruned_at = now
        return len(taken)

    def close(self) -> None:
        """Let what is being sent end."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _try(self, delivery: Delivery, webhook: Webhook | None) -> tuple[Delivery, Answer | None]:
        """The delivery as it is after one try, and the answer; None where nothing was sent."""
        now = self.clock()
        if webhook is None or webhook.disabled_at is not None:
            return self._dead(delivery, None, "the webhook is disabled or removed"), None
        master = self.master()
        if key_check(master) != webhook.key_check:
            later = now + timedelta(seconds=WAITS[1])
            said = "this process has another master secret than the one that registered the webhook"
            held = msgspec.structs.replace(delivery, next_at=later, tries=delivery.tries - 1, problem=said)
            return held, None
        body, at = delivery.body.encode(), int(now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "kuajie-webhooks",
            "Webhook-Id": delivery.delivery_id,
            "Webhook-Timestamp": str(at),
            "Webhook-Signature": signed(secret_of(master, webhook.webhook_id), delivery.delivery_id, at, body),
        }
        try:
            answer = self.sender.send(webhook.url, headers, body)
        except Exception as error:  # whatever it is, the other deliveries are settled
            answer = Answer(None, f"it could not be sent ({type(error).__name__})")
        return self._after(delivery, answer), answer

    def _after(self, delivery: Delivery, answer: Answer) -> Delivery:
        now = self.clock()
        if answer.good:
            return msgspec.structs.replace(
                delivery, state="delivered", settled_at=now, next_at=now, status=answer.status, problem=""
            )
        problem = str(answer.problem) or f"it answered {answer.status}"
        if delivery.tries > len(WAITS) or answer.status == GONE:
            return self._dead(delivery, answer.status, problem)
        wait = WAITS[delivery.tries - 1] * (1 + JITTER * (2 * self.chance() - 1))
        wait = max(wait, min(answer.wait or 0.0, WAITS[-1]))
        return msgspec.structs.replace(
            delivery, next_at=now + timedelta(seconds=wait), status=answer.status, problem=problem
        )

    def _dead(self, delivery: Delivery, status: int | None, problem: str) -> Delivery:
        now = self.clock()
        return msgspec.structs.replace(
            delivery, state="dead", settled_at=now, next_at=now, status=status, problem=problem
        )

    def _note(self, webhook: Webhook, answers: Sequence[Answer | None]) -> None:
        """Remember since when an address fails; one that has for too long, or wants no more, is disabled."""
        heard, now = [answer for answer in answers if answer is not None], self.clock()
        if not heard or webhook.disabled_at is not None:
            return
        if any(answer.status == GONE for answer in heard):
            self._disable(webhook, now, "it answered 410: it wants no more")
        elif any(answer.good for answer in heard):
            if webhook.failing_since is not None:
                self.store.change_webhook(msgspec.structs.replace(webhook, failing_since=None))
        elif webhook.failing_since is None:
            self.store.change_webhook(msgspec.structs.replace(webhook, failing_since=now))
        elif now - webhook.failing_since > timedelta(hours=self.disable_hours):
            self._disable(webhook, now, f"it has failed for {self.disable_hours:g} hours")

    def _disable(self, webhook: Webhook, now: datetime, why: str) -> None:
        self.store.change_webhook(msgspec.structs.replace(webhook, disabled_at=now, disabled_because=why))
