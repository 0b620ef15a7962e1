"""How large a generated world is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorldSize:
    """Counts that a world is made to.

    Attributes:
        people: distinct persons over all domains.
        courses: items of the platform.
        products: items of each partner.
        events_per_account: mean number of events of an account, noise not counted.
    """

    people: int
    courses: int
    products: int
    events_per_account: float = 12.0


SIZES = {
    "small": WorldSize(people=5_000, courses=400, products=250, events_per_account=20.0),
    "seed": WorldSize(people=100_000, courses=1_000, products=500),
    "large": WorldSize(people=1_000_000, courses=10_000, products=5_000),
}
