"""What both caches hold of a person: the newest events, each once."""

from kuajie.core.records import Account, Event

FRESH_SECONDS = 10.0
"""So long after an event, what was read from the store may be older than the event: it is not believed."""


def account_of(event: Event) -> Account:
    """Whose event it is."""
    return Account(domain=event.domain, user=event.user)


def moment_of(event: Event) -> float:
    """When it happened, in unix seconds; without a time, before everything else."""
    return event.occurred_at.timestamp() if event.occurred_at else -1e18


def newest(events: dict[str, Event], most: int) -> dict[str, Event]:
    """The newest by their time, oldest first; what has no time is the oldest."""
    ordered = sorted(events.values(), key=moment_of)
    return {event.event_id: event for event in ordered[-most:]}
