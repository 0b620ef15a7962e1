"""How long exploration learns from a list that people were shown: read from the store, and counted.

    python -m benchmarks.learning [--lists 5000] [--items 20000] [--database sqlite] [--seed 0]

Lists of ten items, all of them seen, one in ten answered, an hour ago; each of the two steps that learn, on a store of
its own. Processor time is of this process: that of a database server is not in it, the clock says what it adds.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measure import Row, show
from benchmarks.stores import database
from kuajie.core.records import Account, Event, Exposure, RankedItem, RankedList
from kuajie.data.catalog import Catalog
from kuajie.rerank.base import Items, kind_of
from kuajie.rerank.linucb import LinUCBConfig
from kuajie.rerank.thompson import ThompsonConfig
from kuajie.storage.learned import LearnedFile
from kuajie.storage.sql.address import address
from kuajie.storage.sql.store import SqlStore
from kuajie.workflows.learned import TAG, Learner, relevance_tag
from kuajie.workflows.stores import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = 10
ANSWERED = 0.1
TOGETHER = 200
"""Lists of one transaction while the store is filled."""


def fill(store: Store, kind: str, lists: int, items: int, rng: np.random.Generator) -> None:
    """Lists of one step, a millisecond apart, with their exposures and answers."""
    relevance = relevance_tag(np.linspace(1, 0, PLACES).tolist())
    for first in range(0, lists, TOGETHER):
        shown, seen, answers = [], [], []
        for number in range(first, min(first + TOGETHER, lists)):
            name, made = f"l{number}", NOW + timedelta(milliseconds=number)
            chosen = [f"i{item}" for item in rng.choice(items, PLACES, replace=False)]
            ranked = tuple(RankedItem(domain="car", item=item, title="", score=1.0) for item in chosen)
            shown.append(
                RankedList(
                    list_id=name, account=Account(domain="car", user=f"u{number}"), target="car", model_version="v",
                    created_at=made, items=ranked, tags=(TAG + kind, relevance),
                )
            )  # fmt: skip
            for place, item in enumerate(chosen):
                exposure = f"{name}-{place}"
                seen.append(
                    Exposure(exposure_id=exposure, list_id=name, placement="", position=place, occurred_at=made,
                             domain="car", item=item)
                )  # fmt: skip
                if rng.random() < ANSWERED:
                    answers.append(Event(event_id=exposure, domain="car", user=f"u{number}", item=item, kind="click",
                                         occurred_at=made, exposure_id=exposure))  # fmt: skip
        store.shown.save_lists(shown)
        store.shown.save_exposures(seen)
        store.events.append(answers, NOW)


def rows(lists: int, items: int, kind: str, seed: int) -> Iterator[Row]:
    """Milliseconds for a list, of each step that learns."""
    names = {"domain": ["car"] * items, "item": [f"i{number}" for number in range(items)]}
    catalog = Catalog.of(pl.DataFrame(names), ("car",))
    for step in (ThompsonConfig(), LinUCBConfig()):
        rng = np.random.default_rng(seed)
        facts = Items(numbers={"popularity": rng.integers(0, 1_000, items).astype(np.float64)})
        with tempfile.TemporaryDirectory() as folder, database(kind, Path(folder)) as url:
            store = SqlStore.open(address(url, None, Path(folder)))
            try:
                fill(store, kind_of(step), lists, items, rng)
                learner = Learner(step, 60, 365, store.shown, LearnedFile.of(Path(folder)))
                learner.learned.until = NOW  # what comes before is empty, hour after hour
                begun = time.perf_counter(), time.process_time()
                while learner.round(catalog, facts, NOW + timedelta(hours=2)):
                    pass
                clock, spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
            finally:
                store.close()
        counted = sum(shown for shown, _ in learner.learned.answers.get("car", {}).values())
        counted += sum(ridge.shown for ridge in learner.learned.ridges.values())
        assert counted == PLACES * lists, counted
        what = f"{kind_of(step)}, {kind}: a list of {PLACES} that were seen, of {lists:,} over {items:,} items"
        yield Row(what, f"{1e3 * clock / lists:.2f} ms ({1e3 * spent / lists:.2f} ms of processor time)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lists", type=int, default=5_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--database", default="sqlite", choices=("sqlite", "mariadb", "postgresql"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    show(rows(given.lists, given.items, given.database, given.seed))


if __name__ == "__main__":
    main()
