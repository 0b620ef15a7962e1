"""Quality and speed of searching: planted queries in both languages, and people who look for what they then used.

    python -m benchmarks.search [--queries 400] [--people 1000] [--seed 0]

Words: 21,000 items of all six domains. A query is a title, half of one, a title with a slip of the pen, or an attribute
with a category; right is that item, or every item of the domain with both. Beside it the plain baselines: a text that
holds the query, a text that holds its words; where rjieba is installed, the same BM25 over its words.

People: a small world, a model of everything before its last three weeks. A query is the category or the kind of an item
that a person used first in those weeks; the better the item is placed among everything that fits, the better.
"""

import argparse
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import msgspec
import numpy as np
import polars as pl

from benchmarks.measure import Row, show
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.search import Document, Found
from kuajie.data.catalog import Catalog
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.text.bm25 import Bm25Config, Bm25Index, bm25
from kuajie.text.tokens import fold, stem
from kuajie.workflows import find as finding
from kuajie.workflows.find import Search, find
from kuajie.workflows.library import FIELDS, Library, Shelves, documents
from kuajie.workflows.recommend import Engine
from kuajie.worlds import World, WorldSize, make_world

SLIPS = "的一是在不了有和人这"
MANY = WorldSize(people=500, courses=6_000, products=3_000)
TRIPLES = {"domain": pl.String(), "head": pl.String(), "relation": pl.String(), "tail": pl.String()}
Query = tuple[str, set[int]]
Find = Callable[[str], Sequence[int]]
"""The ten best documents of a query."""


def catalog_of(world: World) -> Catalog:
    """The items of a world as an import makes them: what is no column of its own is an attribute."""
    own = {"item", "title", "title_en", "category", "category_en", "brand", "brand_en", "price"}
    rows: list[dict[str, Any]] = []
    for domain in world.domains:
        for row in world.catalogues[domain].table.iter_rows(named=True):
            more = {name: str(value) for name, value in row.items() if value and name not in own and name[-3:] != "_en"}
            kept = {name: row[name] for name in ("item", "title", "title_en", "category", "brand", "price")}
            rows.append({"domain": domain, **kept, "attributes": msgspec.json.encode(more).decode()})
    return Catalog.of(pl.DataFrame(rows), world.domains)


def planted(catalog: Catalog, count: int, rng: random.Random) -> dict[str, list[Query]]:
    """Queries by kind, with the documents that are right."""
    items = [catalog.item(number) for number in range(catalog.space.n_items)]
    made: dict[str, list[Query]] = {
        name: []
        for name in (
            "title, zh",
            "title, en",
            "half, zh",
            "half, en",
            "slip, zh",
            "slip, en",
            "attribute + category, zh",
        )
    }
    for number in rng.sample(range(len(items)), count):
        item, own = items[number], {number}
        zh, en = list(item.title), item.title_en
        made["title, zh"].append((item.title, own))
        made["title, en"].append((en, own))
        half = max(4, len(zh) // 2)
        start = rng.randrange(max(1, len(zh) - half + 1))
        made["half, zh"].append(("".join(zh[start : start + half]), own))
        words = en.split()
        made["half, en"].append((" ".join(rng.sample(words, max(2, len(words) // 2)) if words[1:] else words), own))
        zh[rng.randrange(len(zh))] = rng.choice(SLIPS)
        made["slip, zh"].append(("".join(zh), own))
        place = rng.randrange(len(en) - 1)
        made["slip, en"].append((en[:place] + en[place + 1] + en[place] + en[place + 2 :], own))
        if item.attributes:
            name, value = rng.choice(sorted(item.attributes.items()))
            alike = {
                other
                for other, each in enumerate(items)
                if (each.domain, each.category, each.attributes.get(name)) == (item.domain, item.category, value)
            }
            made["attribute + category, zh"].append((f"{value} {item.category}", alike))
    return made


def quality(queries: Sequence[Query], look: Find) -> tuple[float, float]:
    """Mean reciprocal rank, and the share of what is right among the first ten."""
    ranks, recalls = [], []
    for query, right in queries:
        top = list(look(query))[:10]
        ranks.append(next((1 / (place + 1) for place, each in enumerate(top) if each in right), 0.0))
        recalls.append(len(right & set(top)) / min(10, len(right)))
    return float(np.mean(ranks)), float(np.mean(recalls))


def best(found: Found) -> list[int]:
    """Ten documents, best first."""
    return found.documents[np.argsort(-found.scores, kind="stable")[:10]].tolist()


def holding(texts: Sequence[str], words: bool) -> Find:
    """The baseline: texts that hold the query, or most of its words."""

    def look(query: str) -> list[int]:
        parts = fold(query).split() if words else [fold(query)]
        counts = np.array([sum(part in text for part in parts) for text in texts])
        order = np.argsort(-counts, kind="stable")[:10]
        return order[counts[order] > 0].tolist()

    return look


def segmented(rows: Sequence[Document]) -> Bm25Index:
    """The same BM25 over the words of rjieba."""
    import rjieba

    def terms(text: str) -> list[str]:
        return [stem(word) for word in rjieba.cut(fold(text)) if re.search(r"\w", word)]

    return Bm25Index.build(
        rows, Bm25Config(FIELDS, terms=terms, query_terms=lambda query: dict.fromkeys(terms(query), 1.0))
    )


def by_words(count: int, seed: int) -> Iterator[Row]:
    """Quality of the words alone."""
    catalog = catalog_of(make_world("all", MANY, seed=seed))
    rows = documents(catalog.table)
    start, busy = time.perf_counter(), time.process_time()
    index = bm25(rows, FIELDS)
    value = f"{time.perf_counter() - start:.2f}  {time.process_time() - busy:.2f}"
    yield Row(f"building the index of {len(rows):,} items: seconds, of processor time", value)
    texts = [fold(" ".join(row.values())) for row in rows]
    ways: dict[str, Find] = {
        "BM25": lambda query: best(index.find(query)),
        "text holds query": holding(texts, words=False),
        "text holds words": holding(texts, words=True),
    }
    if find_spec("rjieba"):
        words = segmented(rows)
        ways["BM25 over rjieba"] = lambda query: best(words.find(query))
    queries = planted(catalog, count, random.Random(seed))
    for kind, asked in queries.items():
        told = [quality(asked, look) for look in ways.values()]
        yield Row(f"{kind}: MRR / recall@10 of {', '.join(ways)}", "  ".join(f"{a:.3f}/{b:.3f}" for a, b in told))
    yield from latencies(catalog, [query for asked in queries.values() for query, _ in asked])


def latencies(catalog: Catalog, queries: Sequence[str]) -> Iterator[Row]:
    """Milliseconds of whole answers: without a person, and with one who has used twenty items of every domain."""
    library = Shelves(catalog, lambda: pl.DataFrame(schema=TRIPLES)).library()
    rng = np.random.default_rng(0)
    space = catalog.space
    used = [int(rng.integers(part.start, part.stop)) for part in map(space.slice, space.domains) for _ in range(20)]
    rows = [rng.choice(space.n_items, 10, replace=False).tolist() for _ in range(20_000)]
    people = Interactions(space, Histories.from_lists(rows, space.n_items))
    engine = Engine(
        model=ItemKNN(ItemKNNConfig()).fit(people, FitOptions()),
        catalog=catalog,
        popularity=people.support(),
        model_version="bench",
    )
    history = Histories.from_lists([used], space.n_items)
    for name, who in (("nobody", None), ("a person, with reasons", history)):
        times, busy = [], []
        for query in queries:
            start, used_before = time.perf_counter(), time.process_time()
            find(library, engine, who, Search(query))
            times.append(1_000 * (time.perf_counter() - start))
            busy.append(1_000 * (time.process_time() - used_before))
        value = f"{np.median(times):.2f}  {np.quantile(times, 0.99):.2f}  {np.median(busy):.2f}"
        what = f"search of {space.n_items:,} items for {name}: p50, p99, p50 of processor time, in ms"
        yield Row(what, value, "p50 5 ms")


@dataclass(frozen=True)
class Asked:
    """One person who looks for what they use next: their history before, the item, the words."""

    history: Histories
    item: int
    query: str


def asked(world: World, catalog: Catalog, people: int, rng: random.Random) -> tuple[Interactions, list[Asked]]:
    """What is known before the last three weeks, and people who use something new in them."""
    everything = world.interactions()
    histories = everything.histories
    assert histories.times is not None
    cut = float(histories.times.max()) - 21 * 86_400
    owner = histories.rows()
    before = histories.times < cut
    order = np.searchsorted(owner, np.arange(histories.n_rows + 1))
    rows = [
        histories.items[a:b][before[a:b]].tolist() for a, b in zip(order[:-1].tolist(), order[1:].tolist(), strict=True)
    ]
    known = Interactions(everything.space, Histories.from_lists(rows, catalog.space.n_items))
    late = [place for place in np.flatnonzero(~before).tolist() if histories.items[place] not in rows[owner[place]]]
    found = []
    for place in rng.sample(late, min(people, len(late))):
        item = catalog.item(int(histories.items[place]))
        kinds = [item.attributes.get("noun") or item.attributes.get("subject") or item.category, item.category]
        who = Histories.from_lists([rows[owner[place]]], catalog.space.n_items)
        found.append(Asked(who, int(histories.items[place]), rng.choice(kinds)))
    return known, found


def by_people(people: int, seed: int) -> Iterator[Row]:
    """What the person adds to the words, and how much of it is good."""
    world = make_world("all", "small", seed=seed)
    catalog = catalog_of(world)
    known, questions = asked(world, catalog, people, random.Random(seed))
    engine = Engine(
        model=ItemKNN(ItemKNNConfig()).fit(known, FitOptions()),
        catalog=catalog,
        popularity=known.support(),
        model_version="bench",
    )
    library = Shelves(catalog, lambda: pl.DataFrame(schema=TRIPLES)).library()
    weight = finding.LIKING
    try:
        for liking in (0.0, 0.1, 0.2, 0.4, 0.8, 1.6):
            finding.LIKING = liking
            told = [reciprocal(library, engine, questions, personal=personal) for personal in (False, True)]
            what = f"the item used next, {len(questions)} people, liking counts {liking}: MRR for nobody, the person"
            yield Row(what, "  ".join(f"{each:.3f}" for each in told))
    finally:
        finding.LIKING = weight


def reciprocal(library: Library, engine: Engine, questions: Sequence[Asked], *, personal: bool) -> float:
    """Mean reciprocal rank of the item among those of its domain."""
    ranks = []
    for each in questions:
        domain, item = library.catalog.name(each.item)
        search = Search(each.query, (domain,), k=100, explain=False)
        found = find(library, engine, each.history if personal else None, search)
        ranks.append(next((1 / (place + 1) for place, hit in enumerate(found.hits) if hit.item.item == item), 0.0))
    return float(np.mean(ranks))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    show(by_words(told.queries, told.seed))
    show(by_people(told.people, told.seed))


if __name__ == "__main__":
    main()
