"""Planted people: what each likes and when each comes is known."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from kuajie.data.catalog import Catalog
from kuajie.data.kinds import KINDS
from kuajie.data.strength import Events

TOPICS = (
    ("汽车养护", ("更换机油", "刹车保养", "轮胎检查"), ("engine oil", "brake care", "tyre check")),
    ("摄影", ("人像摄影", "相机镜头", "后期修图"), ("portrait photo", "camera lens", "photo editing")),
    ("烹饪", ("川菜做法", "烘焙面包", "家常炖汤"), ("sichuan dish", "bread baking", "soup stew")),
    ("理财", ("基金定投", "保险规划", "记账方法"), ("index fund", "insurance plan", "budget ledger")),
)
DOMAINS = ("courses", "parts")
NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
DAY = 86_400.0


def catalog(per_topic: int = 8, *, words: bool = True, prices: bool = True) -> Catalog:
    """Item i of a domain is of topic i % 4."""
    rows = []
    for domain in DOMAINS:
        for number in range(per_topic * len(TOPICS)):
            category, native, english = TOPICS[number % 4]
            rows.append(
                {
                    "domain": domain,
                    "item": f"{domain}-{number:03d}",
                    "title": f"{native[number // 4 % 3]}{number}" if words else "",
                    "title_en": english[number // 4 % 3] if words else "",
                    "category": category if words else "",
                    "brand": "",
                    "price": 10.0 * (1 + number // 4) if prices else None,
                    "attributes": "",
                }
            )
    return Catalog.of(pl.DataFrame(rows, schema_overrides={"price": pl.Float64}), DOMAINS)


def events(rows: list[tuple[int, int, str, float, float]]) -> Events:
    """Of (person, item, kind, time, value), sorted as snapshots are."""
    ordered = sorted(rows, key=lambda row: (row[0], -np.inf if np.isnan(row[3]) else row[3]))
    person, item, kinds, times, values = zip(*ordered, strict=True) if ordered else ((),) * 5
    return Events(
        row=np.array(person, np.int32),
        item=np.array(item, np.int32),
        kind=np.array([KINDS.index(each) for each in kinds], np.uint8),
        time=np.array(times, np.float64),
        value=np.array(values, np.float64),
    )


def one(*rows: tuple[int, str, float, float]) -> Events:
    """The events of one person: (item, kind, time, value)."""
    return events([(0, *row) for row in rows])


@dataclass(frozen=True, eq=False)
class Planted:
    """People p like topic p % 4."""

    catalog: Catalog
    events: Events
    topic: np.ndarray

    @property
    def n(self) -> int:
        return len(self.topic)


def planted(n: int = 400, seed: int = 0, noise: float = 0.1, *, words: bool = True, timed: bool = True) -> Planted:
    """Each has six to ten items, a tenth of them of any topic; even people come in the evening, odd in the morning."""
    rng = np.random.default_rng(seed)
    items = catalog(words=words)
    of = np.arange(items.space.n_items) % 4
    rows = []
    for person in range(n):
        for _ in range(rng.integers(6, 11)):
            liked = rng.random() >= noise
            item = int(rng.choice(np.flatnonzero(of == person % 4) if liked else len(of)))
            day = rng.integers(1, 25)
            when = NOW - DAY * day + 3600 * (20 if person % 2 == 0 else 8) + rng.integers(0, 3000)
            rows.append((person, item, "view", float(when) if timed else np.nan, np.nan))
    return Planted(items, events(rows), np.arange(n) % 4)
