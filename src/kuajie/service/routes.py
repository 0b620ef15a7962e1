"""The one table of routes: the app, the OpenAPI document and the test of keys against routes are made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from kuajie.core.records import Event
from kuajie.service import answers, editors, intake, operations, push, searching, segment, webhooks, why, wire
from kuajie.service.calls import Call, Reply
from kuajie.service.streams import PushResponse
from kuajie.workflows.access import Scope

JSON = "application/json"


@dataclass(frozen=True)
class Route:
    """One way to ask.

    Attributes:
        method, path: of HTTP; `{id}` may hold slashes.
        handler: answers.
        response: what is answered; `str`: text that is no JSON.
        summary: for the OpenAPI document.
        scope: that a key needs; None: open to everybody.
        more: scope of a key that is told more, where it is open to everybody.
        request: what the body is; none where there is no body.
        query: parameters after the path, with what they mean.
        publishable: whether keys that stand in web pages may.
        example: a body, in JSON.
        media: type of what is answered; with a stream, `response` is the data of each event.
        aliases: other paths that lead here.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handler: Callable[[Call], Awaitable[Reply | PushResponse]]
    response: type[Any]
    summary: str
    scope: Scope | None = None
    more: Scope | None = None
    request: tuple[type[msgspec.Struct], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    publishable: bool = False
    example: Any = None
    media: str = JSON
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the operation."""
        return self.handler.__name__


EVENT = {
    "event_id": "e-1001",
    "domain": "courses",
    "user": "00000042",
    "item": "c-0007",
    "kind": "purchase",
    "occurred_at": "2026-11-01T08:00:00Z",
}
ACCOUNT = {"domain": "courses", "user": "00000042"}
WHO = {"userId": "00000042", "context": {"domain": "courses"}}
TRACK = {
    **WHO,
    "messageId": "m-1",
    "event": "Order Completed",
    "properties": {"order_id": "o-7", "products": [{"product_id": "c-0007", "price": 99.0, "quantity": 1}]},
    "timestamp": "2026-11-01T08:00:00Z",
}
LIST_ID = "0f8fad5bd9cb469fa16570867728950e"

ROUTES = (
    Route("GET", "/health/live", answers.live, wire.Alive, "The process answers"),
    Route(
        "GET", "/health/ready", answers.ready, wire.Ready,
        "Requests may be sent here. A key with the scope 'operations' is told details.", more="operations",
    ),
    Route(
        "POST", "/v1/keys", operations.make_key, wire.KeyMade,
        "A new key, which is shown this once. Not safe to send again.", scope="admin", request=(wire.KeyRequest,),
        example={"organisation": "platform", "domains": ["courses"], "scopes": ["events", "recommend"], "days": 365},
    ),
    Route("GET", "/v1/keys", operations.keys, wire.KeyList, "All keys, without their secrets.", scope="admin"),
    Route(
        "POST", "/v1/keys/{id}/rotate", operations.rotate_key, wire.KeyMade,
        "A new key like another, which opens nothing after some hours. Not safe to send again.",
        scope="admin", request=(wire.RotateRequest,), example={"hours": 24},
    ),
    Route("DELETE", "/v1/keys/{id}", operations.revoke_key, wire.KeyShown, "The key opens nothing.", scope="admin"),
    Route("GET", "/metrics", operations.metrics, str, "Metrics for Prometheus.", scope="operations"),
    Route(
        "POST", "/v1/events", intake.events, wire.Verdicts,
        "Behaviour: one event, or up to 500. Answered when it is durable; sending it again is safe.",
        scope="events", request=(wire.EventBatch, Event), publishable=True, example={"events": [EVENT]},
    ),
    Route(
        "POST", "/v1/recommend", answers.recommend, wire.RecommendResponse,
        "Ranked items of a domain for a person, with reasons; the last event is known to it.",
        scope="recommend", request=(wire.RecommendRequest,), publishable=True,
        example={**ACCOUNT, "target": "car_parts", "k": 5},
    ),
    Route(
        "POST", "/v1/recommend/stream", push.stream, wire.RecommendResponse,
        "The same list now and whenever the person's history has changed, as server-sent events.",
        scope="recommend", request=(wire.RecommendRequest,), publishable=True, media=push.MEDIA,
        query=(("seconds", "0 to 600: it ends after so long; 0: after the first list; left out: 300"),),
        example={**ACCOUNT, "target": "car_parts", "k": 5},
    ),
    Route(
        "POST", "/v1/search", searching.search, wire.SearchResponse,
        "Items and knowledge of all domains that fit a question in words, ranked for the person who asks.",
        scope="recommend", request=(wire.SearchRequest,), publishable=True,
        example={**ACCOUNT, "query": "第一次买车贷款", "k": 5},
    ),
    Route(
        "GET", "/v1/items/{domain}/{id}/similar", answers.similar_items, wire.SimilarResponse,
        "Items of any domain that go with one item.",
        scope="recommend", publishable=True,
        query=(("target", "domain of the items; left out: the same"), ("k", "how many, 1 to 100")),
    ),
    Route(
        "POST", "/v1/exposures", intake.exposures, wire.Verdicts, "Places of lists that were seen.",
        scope="events", request=(wire.ExposureBatch,), publishable=True,
        example={"exposures": [{"exposure_id": "x-1", "list_id": LIST_ID, "position": 0, "placement": "home"}]},
    ),
    Route(
        "POST", "/v1/feedback", intake.feedback, wire.Verdicts,
        "How what was seen was answered; it counts once for its exposure and kind, and the next list knows it.",
        scope="events", request=(wire.FeedbackBatch,), publishable=True,
        example={
            "feedback": [
                {"event_id": "f-1", "list_id": LIST_ID, "exposure_id": "x-1", "item": "cp-0001", "kind": "click"}
            ]
        },
    ),
    Route(
        "POST", "/v1/segment/track", segment.segment_track, wire.Verdicts,
        "A track call of Segment's HTTP Tracking API: an event for each product.",
        scope="events", request=(wire.SegmentTrack,), publishable=True, example=TRACK,
        aliases=("/v1/segment/v1/track",),
    ),
    Route(
        "POST", "/v1/segment/page", segment.segment_page, wire.Verdicts,
        "A page call of Segment's: a view, where its properties name an item.",
        scope="events", request=(wire.SegmentPage,), publishable=True,
        example={**WHO, "messageId": "m-2", "name": "机油", "properties": {"product_id": "c-0007"}},
        aliases=("/v1/segment/v1/page",),
    ),
    Route(
        "POST", "/v1/segment/screen", segment.segment_screen, wire.Verdicts,
        "A screen call of Segment's: a view, where its properties name an item.",
        scope="events", request=(wire.SegmentPage,), publishable=True,
        example={**WHO, "messageId": "m-3", "name": "机油", "properties": {"product_id": "c-0007"}},
        aliases=("/v1/segment/v1/screen",),
    ),
    Route(
        "POST", "/v1/segment/identify", segment.segment_identify, wire.Verdicts,
        "An identify call of Segment's: its traits are added to what the account has declared.",
        scope="people", request=(wire.SegmentIdentify,),
        example={**WHO, "messageId": "m-4", "traits": {"city": "上海", "plan": "pro"}},
        aliases=("/v1/segment/v1/identify",),
    ),
    Route(
        "POST", "/v1/segment/batch", segment.segment_batch, wire.Verdicts,
        "Calls of Segment's libraries, each with its type; identify needs the scope 'people', too.",
        scope="events", request=(wire.SegmentBatch,), publishable=True,
        example={"batch": [{"type": "track", **TRACK}], "sentAt": "2026-11-01T08:00:01Z"},
        aliases=("/v1/segment/v1/batch",),
    ),
    Route(
        "GET", "/v1/lists/{id}/why", why.why, wire.WhyResponse,
        "Why an item is in a list: its reasons, and every path of the history that leads to it.",
        scope="recommend", publishable=True,
        query=(("item", "of the list"),),
    ),
    Route(
        "GET", "/v1/people/{domain}/{id}/profile", answers.profile, wire.Profile,
        "What is known of a person, as far as it belongs to the caller.", scope="people",
    ),
    Route(
        "PUT", "/v1/items", intake.items, wire.Verdicts, "Items, new or changed.",
        scope="catalogue", request=(wire.ItemBatch,),
        example={"items": [{"domain": "courses", "item": "c-0007", "title": "十分钟学会换机油", "category": "养车"}]},
    ),
    Route(
        "PUT", "/v1/editor-lists", editors.put_editor_lists, wire.Verdicts,
        "Items that an editor chose, shown where nobody's behaviour says anything about their domain yet.",
        scope="catalogue", request=(wire.EditorListBatch,),
        example={"lists": [{"target": "courses", "placement": "", "items": ["c-0007", "c-0001"]}]},
    ),
    Route(
        "GET", "/v1/editor-lists", editors.editor_lists, wire.EditorListsReply, "The editor's lists of a domain.",
        scope="catalogue", query=(("target", "one of the caller's domains"),),
    ),
    Route(
        "PUT", "/v1/triples", intake.triples, wire.Verdicts, "Edges of a knowledge graph.",
        scope="catalogue", request=(wire.TripleBatch,),
        example={"triples": [{"domain": "courses", "head": "c-0007", "relation": "topic", "tail": "机油"}]},
    ),
    Route(
        "PUT", "/v1/people", intake.people, wire.Verdicts, "What accounts have declared.",
        scope="people", request=(wire.PeopleBatch,),
        example={"people": [{"account": ACCOUNT, "attributes": {"city": "上海"}}]},
    ),
    Route(
        "PUT", "/v1/links", intake.links, wire.Verdicts, "Accounts that are one person; both sides are the caller's.",
        scope="people", request=(wire.LinkBatch,),
        example={"links": [{"a": ACCOUNT, "b": {"domain": "car_parts", "user": "cp-0000042"}, "confidence": 0.95}]},
    ),
    Route(
        "PUT", "/v1/consents", intake.consents, wire.Verdicts,
        "Who wants to be recommended what fits them, and who does not.",
        scope="people", request=(wire.ConsentBatch,),
        example={"consents": [{"account": ACCOUNT, "personalised": False, "changed_at": "2026-11-01T08:00:00Z"}]},
    ),
    Route(
        "POST", "/v1/webhooks", webhooks.add_webhook, wire.WebhookMade,
        "An address that is told what happens; its signing secret is shown once.",
        scope="webhooks", request=(wire.WebhookRequest,),
        example={"url": "https://hooks.example/kuajie", "kinds": ["model.activated", "feedback.recorded"]},
    ),
    Route(
        "GET", "/v1/webhooks", webhooks.list_webhooks, wire.WebhookList,
        "Addresses of the caller, and how they do.", scope="webhooks",
    ),
    Route(
        "DELETE", "/v1/webhooks/{id}", webhooks.remove_webhook, wire.Removed,
        "An address is told nothing more; what is on its way to it is dropped.", scope="webhooks",
    ),
    Route(
        "GET", "/v1/webhooks/{id}/deliveries", webhooks.list_deliveries, wire.DeliveryList,
        "What was sent to an address lately, what waits, and what failed.", scope="webhooks",
    ),
)  # fmt: skip
