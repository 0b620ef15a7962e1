"""Segment's calls as our events and people: track -> events, identify -> what an account has declared.

one call -> (name of the event -> kind, properties -> items, clock of the sender -> ours) -> rows of `receive`

A call that names several products is several events, `MESSAGE:0`, `MESSAGE:1` and so on. Names that nobody has mapped
go to the quarantine with the whole call. A page or screen that names no item, a group and an alias say nothing that
could be stored: they are refused and not kept. The fields are those of Segment's HTTP Tracking API.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.ids import id_problem
from kuajie.core.records import Account, BadEvent, Event, Kind, Traits
from kuajie.core.texts import Text
from kuajie.workflows.described import MOST_ATTRIBUTES
from kuajie.workflows.receive import EventRules

KINDS: Final[dict[str, Kind | Literal["ignore"]]] = {
    "Product Clicked": "click",
    "Product Viewed": "view",
    "Product Added": "cart",
    "Product Added to Wishlist": "collect",
    "Wishlist Product Added to Cart": "cart",
    "Order Completed": "purchase",
    "Product Shared": "share",
    "Product Reviewed": "rate",
    "Video Playback Started": "view",
    "Video Content Completed": "play",
}
"""Names of Segment's own specifications that say which item somebody did what with."""
ITEMS = ("product_id", "sku", "asset_id", "content_asset_id", "item_id")
SEVERAL = ("products", "content_asset_ids")
"""Properties that list items: as objects, or as ids."""
PERSONAL = (
    "email", "phone", "name", "firstName", "lastName", "username", "avatar", "birthday", "address.street",
)  # fmt: skip
"""Traits that say who somebody is; nothing here needs them."""


class SegmentConfig(Config):
    """The section `[segment]`: how calls of Segment's libraries are read.

    Attributes:
        events: kinds of more event names, or other kinds of the known ones; "ignore": refused and not kept.
        items: properties that may hold the item's id; the first that is there counts.
        left_out: traits that are not stored.
    """

    events: dict[str, Kind | Literal["ignore"]] = Field(default_factory=dict)
    items: tuple[str, ...] = Field(default=ITEMS, min_length=1)
    left_out: tuple[str, ...] = PERSONAL

    def kind(self, name: str) -> Kind | Literal["ignore"] | None:
        """The kind of an event name."""
        return self.events.get(name) or KINDS.get(name)


class SegmentCall(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One call of Segment's HTTP Tracking API; fields that are not named here are not read.

    `context.domain` or `integrations.kuajie.domain` says whose domain it is, where the key's organisation has several.
    """

    type: str = ""
    message_id: str | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    event: str | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None


@dataclass(frozen=True)
class Sender:
    """What is known of who sends, and of the request that a call came in.

    Attributes:
        domains: that it may write.
        at: when the request arrived.
        sent_at: of the whole batch.
        context, integrations: of the whole batch; those of a call go before.
    """

    domains: Collection[str]
    at: datetime
    sent_at: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    integrations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mapped:
    """What a call says.

    Attributes:
        message_id: of the call.
        rows: to be stored, or quarantined.
        traits: to be merged; None in a value removes one.
        refused: why nothing of it is kept.
    """

    message_id: str
    rows: Sequence[Event | BadEvent] = ()
    traits: tuple[Account, Mapping[str, str | None]] | None = None
    refused: str = ""


def mapped(raw: bytes, kind: str, sender: Sender, rules: EventRules, config: SegmentConfig) -> Mapped:
    """One call -> what it says; never raises.

    Args:
        raw: the call as JSON.
        kind: track, identify, ...; empty: the call says it itself.
        sender: of the request.
        rules: what is an event.
        config: names and properties.
    """
    try:
        call = msgspec.json.decode(raw, type=SegmentCall)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Mapped("", [rules.bad(raw, str(error), sender.domains)])
    kind = kind or call.type
    message_id = call.message_id or _own_id(call, kind)
    if kind == "track":
        return _tracked(call, message_id, raw, sender, rules, config)
    if kind == "identify":
        return _identified(call, message_id, sender, config)
    if kind in {"page", "screen"}:
        if not any(_items(call.properties or {}, config)):
            return Mapped(message_id, refused=Text("a {kind} that names no item is not kept", kind=kind))
        return Mapped(message_id, _events(call, "view", message_id, sender, rules, config))
    if kind in {"group", "alias"}:
        return Mapped(message_id, refused=Text("a call of the type {kind} is not kept", kind=kind))
    return Mapped(message_id, refused=Text("type must be track, identify, page, screen, group or alias"))


def merged(known: Traits | None, account: Account, told: Mapping[str, str | None]) -> Traits:
    """What an account has declared, after it said more."""
    attributes: dict[str, str | None] = {**(known.attributes if known else {}), **told}
    return Traits(account=account, attributes={name: value for name, value in attributes.items() if value is not None})


def _tracked(
    call: SegmentCall, message_id: str, raw: bytes, sender: Sender, rules: EventRules, config: SegmentConfig
) -> Mapped:
    kind = config.kind(call.event or "")
    if kind == "ignore":
        return Mapped(message_id, refused=Text("this event name is ignored by [segment] of kuajie.toml"))
    if kind is None:
        reason = Text(
            "the event name '{event}' stands for no kind; [segment] of kuajie.toml can say it",
            event=(call.event or "")[:100],
        )
        return Mapped(message_id, [_kept(call, message_id, raw, sender, rules, reason)])
    if not any(_items(call.properties or {}, config)):
        return Mapped(message_id, [_kept(call, message_id, raw, sender, rules, Text("the properties name no item"))])
    return Mapped(message_id, _events(call, kind, message_id, sender, rules, config))


def _events(
    call: SegmentCall, kind: Kind, message_id: str, sender: Sender, rules: EventRules, config: SegmentConfig
) -> list[Event | BadEvent]:
    """An event for each item, checked."""
    properties = call.properties or {}
    found = list(_items(properties, config))
    common = {name: value for name, value in properties.items() if name not in SEVERAL}
    occurred_at, wrong = _moment(call, sender)
    rows: list[Event | BadEvent] = []
    for place, (item, own) in enumerate(found):
        event = Event(
            event_id=message_id if len(found) == 1 else f"{message_id}:{place}",
            domain=_domain(call, sender),
            user=_user(call),
            item=item,
            kind=kind,
            occurred_at=occurred_at,
            value=_value(kind, own if own is not None else common),
            properties={**common, **(own or {})},
        )
        checked = rules.check(event, sender.at, sender.domains)
        if wrong and isinstance(checked, Event):
            checked = rules.bad(msgspec.json.encode(event), wrong, sender.domains)
        rows.append(checked)
    return rows


def _identified(call: SegmentCall, message_id: str, sender: Sender, config: SegmentConfig) -> Mapped:
    domain, user = _domain(call, sender), _user(call)
    if domain not in sender.domains:
        return Mapped(message_id, refused=Text("domain is not one of yours"))
    problem = id_problem(user)
    if problem is not None:
        return Mapped(message_id, refused=Text("{name} {problem}", name="user", problem=problem))
    told = dict(_flat(call.traits or {}, frozenset(config.left_out)))
    if len(told) > MOST_ATTRIBUTES:
        return Mapped(message_id, refused=Text("{name} are more than {most}", name="attributes", most=MOST_ATTRIBUTES))
    return Mapped(message_id, traits=(Account(domain=domain, user=user), told))


def _kept(call: SegmentCall, message_id: str, raw: bytes, sender: Sender, rules: EventRules, reason: str) -> BadEvent:
    """The whole call for the quarantine, under the domain and id that its event would have had."""
    bad = rules.bad(raw, reason, sender.domains)
    domain = _domain(call, sender)
    return msgspec.structs.replace(
        bad,
        domain=domain if domain in rules.domains and domain in sender.domains else "",
        event_id=message_id if id_problem(message_id) is None else "",
    )


def _items(properties: Mapping[str, Any], config: SegmentConfig) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """(item, its own properties) of everything that is named; what names no item is left out."""
    for name in SEVERAL:
        listed = properties.get(name)
        if isinstance(listed, list) and listed:
            for each in listed:
                own = each if isinstance(each, dict) else None
                item = _item(own, config) if own is not None else _text(each)
                yield item or "", own
            return
    item = _item(properties, config)
    if item:
        yield item, None


def _item(properties: Mapping[str, Any], config: SegmentConfig) -> str | None:
    return next((found for name in config.items if (found := _text(properties.get(name)))), None)


def _text(value: object) -> str | None:
    """An id: text, or a whole number."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _value(kind: Kind, properties: Mapping[str, Any]) -> float | None:
    """The rating, the seconds, or what was paid."""
    match kind:
        case "rate":
            return _number(properties.get("rating"))
        case "play" | "read" | "listen":
            return _number(properties.get("total_length"))
        case "purchase":
            price, quantity = _number(properties.get("price")), _number(properties.get("quantity"))
            return price if price is None or quantity is None else price * quantity
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _user(call: SegmentCall) -> str:
    return _text(call.user_id) or _text(call.anonymous_id) or ""


def _domain(call: SegmentCall, sender: Sender) -> str:
    """Whose it is: as the call says, as its batch says, or the only one that the sender has."""
    integrations = {**sender.integrations, **(call.integrations or {})}
    options = integrations.get("kuajie")
    named = options.get("domain") if isinstance(options, dict) else None
    named = named or {**sender.context, **(call.context or {})}.get("domain")
    if isinstance(named, str) and named:
        return named
    return next(iter(sender.domains)) if len(sender.domains) == 1 else ""


def _moment(call: SegmentCall, sender: Sender) -> tuple[datetime | None, str]:
    """When it happened by our clock: received - (sent - happened), both by the sender's clock; and what is wrong."""
    told, sent = call.original_timestamp or call.timestamp, call.sent_at or sender.sent_at
    try:
        happened = _time(told)
    except (msgspec.ValidationError, ValueError):
        return None, Text("{name} is not an ISO-8601 time", name="timestamp")
    try:
        left = _time(sent)
    except (msgspec.ValidationError, ValueError):
        return None, Text("{name} is not an ISO-8601 time", name="sentAt")
    if happened is None or left is None:
        return happened, ""
    try:
        return sender.at - (left - happened), ""
    except OverflowError:
        return None, Text("{name} is not an ISO-8601 time", name="timestamp")


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = msgspec.convert(text, datetime)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _flat(traits: Mapping[str, Any], left_out: Collection[str], before: str = "") -> Iterator[tuple[str, str | None]]:
    """(name, text) of traits; those inside others by `outer.inner`, lists of plain values in a row."""
    for name, value in traits.items():
        full = f"{before}{name}"
        if full in left_out:
            continue
        if isinstance(value, dict):
            yield from _flat(value, left_out, f"{full}.")
        elif isinstance(value, list):
            yield full, ", ".join(filter(None, (_plain(each) for each in value)))
        else:
            yield full, _plain(value)


def _plain(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, int | float | bool) else ""


def _own_id(call: SegmentCall, kind: str) -> str:
    """An id for a call without one: of what it says where it says when, so that sending it again is safe."""
    happened = call.original_timestamp or call.timestamp
    if happened is None:
        return secrets.token_hex(16)
    said = msgspec.json.encode([kind, _user(call), call.event, call.properties, call.traits, happened])
    return hashlib.blake2b(said, digest_size=16).hexdigest()
