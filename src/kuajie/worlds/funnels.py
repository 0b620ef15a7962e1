"""What a visit leaves behind: kinds of behaviour, how likely each is, and what its value says."""

from typing import Literal, NamedTuple

from kuajie.core.records import Kind

ValueRule = Literal["none", "seconds", "price", "rating"]


class Step(NamedTuple):
    """One kind of behaviour that may follow from a visit.

    Attributes:
        kind: the behaviour.
        fitting: its probability where the item answers an interest of the person.
        passing: its probability on a visit to what is popular.
        delay: mean seconds since the visit.
        value: what the event's value says.
        after: the earlier step (by position) that must have happened; -1: none.
        only: the format of items that know this behaviour; empty: all.
    """

    kind: Kind
    fitting: float
    passing: float
    delay: float
    value: ValueRule = "none"
    after: int = -1
    only: str = ""


_LEARNING = (
    Step("view", 1.0, 1.0, 0),
    Step("play", 0.26, 0.06, 40, "seconds", only="course"),
    Step("listen", 0.26, 0.06, 40, "seconds", only="audio"),
    Step("read", 0.26, 0.06, 40, "seconds", only="book"),
    Step("collect", 0.05, 0.02, 90),
    Step("purchase", 0.06, 0.01, 300, "price"),
    Step("play", 0.8, 0.6, 50_000, "seconds", after=5, only="course"),
    Step("rate", 0.3, 0.2, 400_000, "rating", after=5),
    Step("share", 0.03, 0.01, 200),
    Step("dismiss", 0.0, 0.04, 15),
)
_SHOPPING = (
    Step("view", 1.0, 1.0, 0),
    Step("collect", 0.06, 0.02, 60),
    Step("cart", 0.16, 0.05, 90),
    Step("purchase", 0.5, 0.3, 900, "price", after=2),
    Step("rate", 0.3, 0.3, 500_000, "rating", after=3),
    Step("view", 0.06, 0.03, 5_000),
    Step("share", 0.03, 0.01, 120),
    Step("dismiss", 0.0, 0.04, 15),
)
_ADVICE = (
    Step("view", 1.0, 1.0, 0),
    Step("view", 0.18, 0.08, 30_000),
    Step("collect", 0.08, 0.03, 120),
    Step("register", 0.1, 0.02, 600, "price"),
    Step("rate", 0.2, 0.2, 700_000, "rating", after=3),
    Step("share", 0.04, 0.01, 200),
    Step("dismiss", 0.0, 0.04, 15),
)
_WATCHING = (
    Step("view", 1.0, 1.0, 0),
    Step("play", 0.28, 0.1, 60, "seconds"),
    Step("rate", 0.25, 0.2, 9_000, "rating", after=1),
    Step("collect", 0.08, 0.03, 45),
    Step("share", 0.04, 0.01, 4_000),
    Step("dismiss", 0.0, 0.04, 15),
)

FUNNELS: dict[str, tuple[Step, ...]] = {
    "learning": _LEARNING,
    "shopping": _SHOPPING,
    "advice": _ADVICE,
    "watching": _WATCHING,
}


def events_per_visit(steps: tuple[Step, ...], passing: float, formats: dict[str, float]) -> float:
    """Expected events of a visit, where a share `passing` of visits goes to what is popular."""
    chances: list[tuple[float, float]] = []
    total = 0.0
    for step in steps:
        share = formats.get(step.only, 0.0) if step.only else 1.0
        before = chances[step.after] if step.after >= 0 else (1.0, 1.0)
        chances.append((before[0] * step.fitting * share, before[1] * step.passing * share))
        total += (1 - passing) * chances[-1][0] + passing * chances[-1][1]
    return total
