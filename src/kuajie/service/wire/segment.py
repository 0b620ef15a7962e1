"""Calls as Segment's libraries send them."""

from typing import Annotated, Any

import msgspec

from kuajie.service.wire.base import Rows


class SegmentFields(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What every call of Segment's HTTP Tracking API may say; fields that are not named here are not read.

    `context.domain` (or `integrations.kuajie.domain`) says whose domain it is, where an organisation has several.
    """

    message_id: str | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None


class SegmentTrack(SegmentFields, frozen=True, rename="camel"):
    """Somebody did something."""

    event: str
    properties: dict[str, Any] | None = None


class SegmentPage(SegmentFields, frozen=True, rename="camel"):
    """Somebody saw a page, or a screen of an app."""

    name: str | None = None
    properties: dict[str, Any] | None = None


class SegmentIdentify(SegmentFields, frozen=True, rename="camel"):
    """Who somebody is."""

    traits: dict[str, Any] | None = None


class SegmentBatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Several calls, each with its `type`; what the batch says of all of them, a call may say otherwise."""

    batch: Annotated[list[dict[str, Any]], Rows]
    sent_at: str | None = None
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
