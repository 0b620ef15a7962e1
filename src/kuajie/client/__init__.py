"""A typed client of the service. It needs nothing but the standard library and the structs that travel.

with Client("http://127.0.0.1:8000", key="kj_secret_...") as client:
    client.events([Event(event_id="1", domain="courses", user="7", item="c-1", kind="purchase")])
    ranked = client.recommend("courses", "7", target="car_parts")
"""

from kuajie.client.client import Client
from kuajie.client.errors import ServiceError, UnavailableError
from kuajie.core.records import Account, Consent, EditorList, Event, Item, Link, Traits, Triple, Verdict
from kuajie.service.wire import (
    DeliveryShown,
    ExposureRow,
    FeedbackRow,
    KeyMade,
    KeyRequest,
    KeyShown,
    Profile,
    Ready,
    RecommendResponse,
    SearchResponse,
    SimilarResponse,
    Verdicts,
    WebhookMade,
    WebhookShown,
    WhyResponse,
)

__all__ = [
    "Account",
    "Client",
    "Consent",
    "DeliveryShown",
    "EditorList",
    "Event",
    "ExposureRow",
    "FeedbackRow",
    "Item",
    "KeyMade",
    "KeyRequest",
    "KeyShown",
    "Link",
    "Profile",
    "Ready",
    "RecommendResponse",
    "SearchResponse",
    "ServiceError",
    "SimilarResponse",
    "Traits",
    "Triple",
    "UnavailableError",
    "Verdict",
    "Verdicts",
    "WebhookMade",
    "WebhookShown",
    "WhyResponse",
]
