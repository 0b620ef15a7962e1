"""What is asked, over many people of a world: files with one JSON body a line."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kuajie.data.dataset import JointDataset
from kuajie.data.snapshot import latest_snapshot

UNUSED = "@@"
"""Load generators put an id here that was never used, so that no event is a duplicate."""
LINES = 20_000


@dataclass(frozen=True)
class Kind:
    """One kind of request.

    Attributes:
        name: for people.
        path: of the route.
        bodies: the file.
        rows: events in each request; 0: none.
        goal: requests a second.
    """

    name: str
    path: str
    bodies: Path
    rows: int
    goal: float


def kinds(world: Path, folder: Path, people: int, seed: int = 0) -> dict[str, Kind]:
    """Write the bodies.

    Args:
        world: the workspace that is served.
        folder: where files may be written.
        people: who asks, drawn at random.
        seed: of the draw.
    """
    dataset = JointDataset.open(latest_snapshot(world / "warehouse").path)
    rng = random.Random(seed)
    domains = dataset.space.domains
    accounts = list(dataset.accounts.select("domain", "user").sample(people, seed=seed).iter_rows())

    def recommend() -> dict[str, object]:
        domain, user = rng.choice(accounts)
        target = rng.choice([name for name in domains if name != domain])
        return {"domain": domain, "user": user, "target": target, "k": 10}

    def anew() -> object:
        """Nine lengths of lists for each person: of so many, few are remembered (`workflows.recommend`)."""
        return {**recommend(), "k": rng.randint(6, 14)}

    def event() -> dict[str, str]:
        domain, user = rng.choice(accounts)
        item = rng.choice(dataset.catalog.ids[domain].all)
        return {"event_id": UNUSED, "domain": domain, "user": user, "item": item, "kind": "view"}

    def batch() -> object:
        return {"events": [event() for _ in range(20)]}

    def written(name: str, make: Callable[[], object], lines: int) -> Path:
        path = folder / f"{name.replace(' ', '_')}.jsonl"
        rows = (json.dumps(make(), ensure_ascii=False, separators=(",", ":")) for _ in range(lines))
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return {
        "recommend": Kind("recommend", "/v1/recommend", written("recommend", recommend, LINES), 0, 2_500),
        "anew": Kind("recommend, ranked anew", "/v1/recommend", written("anew", anew, LINES), 0, 2_500),
        "event": Kind("event", "/v1/events", written("event", event, LINES), 1, 2_500),
        "batch": Kind("batch of 20 events", "/v1/events", written("batch", batch, LINES // 20), 20, 750),
    }
