"""What travels: requests and responses as structs. Unknown fields are refused."""

from kuajie.service.wire.base import MOST_ITEMS, MOST_LISTS, MOST_ROWS, Failure, Language, Removed, Wire
from kuajie.service.wire.catalogue import (
    ConsentBatch,
    EditorListBatch,
    EditorListsReply,
    ItemBatch,
    LinkBatch,
    PeopleBatch,
    TripleBatch,
)
from kuajie.service.wire.events import EventBatch, ExposureBatch, ExposureRow, FeedbackBatch, FeedbackRow, Verdicts
from kuajie.service.wire.health import Alive, Ready
from kuajie.service.wire.keys import KeyList, KeyMade, KeyRequest, KeyShown, RotateRequest
from kuajie.service.wire.lists import (
    Context,
    ItemRef,
    RecommendRequest,
    RecommendResponse,
    SimilarResponse,
    WhyResponse,
)
from kuajie.service.wire.profiles import Elsewhere, Profile, TasteShare, UsedItem
from kuajie.service.wire.search import (
    CategoryCount,
    DomainCount,
    FoundItem,
    KnowledgeHit,
    Matched,
    SearchRequest,
    SearchResponse,
)
from kuajie.service.wire.segment import SegmentBatch, SegmentIdentify, SegmentPage, SegmentTrack
from kuajie.service.wire.webhooks import (
    DeliveryList,
    DeliveryShown,
    WebhookList,
    WebhookMade,
    WebhookRequest,
    WebhookShown,
)

__all__ = [
    "MOST_ITEMS",
    "MOST_LISTS",
    "MOST_ROWS",
    "Alive",
    "CategoryCount",
    "ConsentBatch",
    "Context",
    "DeliveryList",
    "DeliveryShown",
    "DomainCount",
    "EditorListBatch",
    "EditorListsReply",
    "Elsewhere",
    "EventBatch",
    "ExposureBatch",
    "ExposureRow",
    "Failure",
    "FeedbackBatch",
    "FeedbackRow",
    "FoundItem",
    "ItemBatch",
    "ItemRef",
    "KeyList",
    "KeyMade",
    "KeyRequest",
    "KeyShown",
    "KnowledgeHit",
    "Language",
    "LinkBatch",
    "Matched",
    "PeopleBatch",
    "Profile",
    "Ready",
    "RecommendRequest",
    "RecommendResponse",
    "Removed",
    "RotateRequest",
    "SearchRequest",
    "SearchResponse",
    "SegmentBatch",
    "SegmentIdentify",
    "SegmentPage",
    "SegmentTrack",
    "SimilarResponse",
    "TasteShare",
    "TripleBatch",
    "UsedItem",
    "Verdicts",
    "WebhookList",
    "WebhookMade",
    "WebhookRequest",
    "WebhookShown",
    "WhyResponse",
    "Wire",
]
