"""Not interested: what a person does not want to see is not shown again, from the next list on.

A dismissed item stays away for as long as the event is kept, also from lists that leave the history out. A wider "no"
is said by the property `scope` of the `dismiss`: "brand" or "category" of the item, inside its domain, for 90 days.
"""

from datetime import UTC, datetime, timedelta

import polars as pl

from kuajie.core import columns as c
from kuajie.core.records import Event
from kuajie.data.catalog import Catalog
from kuajie.workflows.live import SCOPE, Person

COLUMNS = {"brand": c.BRAND, "category": c.CATEGORY}
WIDE_DAYS = 90
"""So long a whole brand or category stays away."""


def said_no(person: Person, catalog: Catalog, target: str, now: datetime) -> frozenset[str]:
    """Items of the target that a person does not want to see, by the events that the store holds."""
    if person.dismissals[0] != person.version:
        person.dismissals = person.version, tuple(each for each in person.known() if each.kind == "dismiss")
    found: set[str] = set()
    for event in person.dismissals[1]:
        if event.domain == target:
            found.add(event.item)
            if event.properties.get(SCOPE) in COLUMNS and not _is_over(event, now):
                found.update(_alike(event, catalog))
    return frozenset(found)


def _alike(event: Event, catalog: Catalog) -> list[str]:
    """The items of the same brand or category, if the item has one."""
    if event.item not in catalog.ids.get(event.domain, ()):
        return []
    column = COLUMNS[str(event.properties[SCOPE])]
    value = catalog.table[column][catalog.number(event.domain, event.item)]
    if not value:
        return []
    return catalog.table.filter(pl.col(c.DOMAIN) == event.domain, pl.col(column) == value)[c.ITEM].to_list()


def _is_over(event: Event, now: datetime) -> bool:
    when = event.occurred_at
    if when is None:
        return False
    return now - (when if when.tzinfo else when.replace(tzinfo=UTC)) > timedelta(days=WIDE_DAYS)
