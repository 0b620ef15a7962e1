"""Where a new item starts from, on validation rows: brand and category alone, or texts too.

    python -m benchmarks.new_items [car-parts|FOLDER ...] [--size small]
    python -m benchmarks.new_items --speed

A tenth of the items of each domain is hidden: their training entries are taken away, and they are not in the catalogue
that texts are fitted on. They score as `workflows.new_items` has it, beside what two models say of the others. NDCG@10:
of rows that ask for a new item, among the new ones alone and among all items; and of the other rows among all items.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from benchmarks.cold_start import METRIC, OPTIONS, some
from benchmarks.measure import Row, show
from benchmarks.worlds import THREADS
from kuajie.api import import_data, newest_dataset
from kuajie.core.config import Config
from kuajie.core.histories import Histories
from kuajie.core.recommender import Recommender
from kuajie.core.records import Item
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace
from kuajie.data.catalog import Catalog
from kuajie.data.split_folder import open_split_folder
from kuajie.data.starts import Starts
from kuajie.evaluation.compare import bootstrap_interval
from kuajie.evaluation.metrics import row_metrics
from kuajie.evaluation.protocols import COLD_SHARE, Split, leave_one_out, validation_split
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tasks import RankingTask
from kuajie.models.als import ALSConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.registry import build
from kuajie.workflows.init import init_world
from kuajie.workflows.new_groups import Group, Groups, Kinds
from kuajie.workflows.new_items import NewItemsConfig
from kuajie.workflows.workspace import Workspace
from kuajie.worlds import SCENARIOS

HIDDEN = 0.1
MODELS: tuple[Config, ...] = (ItemKNNConfig(k=200), ALSConfig(iterations=8))
RULES = {
    "brand and category": NewItemsConfig(nearest=0),
    "texts too": NewItemsConfig(),
    "texts alone": NewItemsConfig(kind_weight=0.0),
}


def items_of(side: SideInformation, space: ItemSpace) -> list[Item]:
    """What is said of the items of a joint space; labels are attributes."""
    said = {name: side.texts.get(name, [""] * space.n_items) for name in ("title", "title_en", "category", "brand")}
    told: list[dict[str, str]] = [{} for _ in range(space.n_items)]
    for name, labels in side.labels.items():
        for item, label in zip(*labels.matrix.nonzero(), strict=True) if name not in said else ():
            told[item][name] = f"{told[item].get(name, '')} {labels.names[label]}".strip()
    for item, text in enumerate(side.texts.get("description", ())):
        told[item]["description"] = text
    domains = space.domain_of(np.arange(space.n_items))
    return [
        Item(domain=space.domains[domain], item=str(number), attributes=told[number],
             **{name: texts[number] for name, texts in said.items()})
        for number, domain in enumerate(domains.tolist())
    ]  # fmt: skip


def catalogue(items: list[Item], domains: tuple[str, ...], hidden: np.ndarray) -> Catalog:
    """The catalogue in which of the hidden items nothing is said."""
    rows = [
        {"domain": item.domain, "item": item.item} | ({} if gone else {
            "title": item.title, "title_en": item.title_en, "category": item.category, "brand": item.brand,
            "attributes": msgspec.json.encode(item.attributes).decode()})
        for item, gone in zip(items, hidden.tolist(), strict=True)
    ]  # fmt: skip
    return Catalog.of(pl.DataFrame(rows, infer_schema_length=None), domains)


def without(histories: Histories, hidden: np.ndarray) -> Histories:
    """The histories without some items."""
    return histories.keep(~hidden[histories.items])


def scores(model: Recommender, kinds: Kinds, new: np.ndarray, h: Histories, domain: str, alone: bool) -> np.ndarray:
    """What a model says, and beside it, or alone, what new items score."""
    found = np.array(model.score(h, domain), np.float32)
    bounds = np.stack([kinds.bounds(row, NewItemsConfig().optimism) for row in found])
    if alone:
        found[:] = np.nan
    found[:, new] = bounds
    return found


def opened(name: str, size: str) -> Split:
    """The validation rows of a split folder; of the world of a scenario, one row of each person and domain."""
    if name not in SCENARIOS:
        return validation_split(open_split_folder(Path(name)), np.random.default_rng([0, 1]))
    with tempfile.TemporaryDirectory() as folder:
        init_world(Path(folder) / "world", name, size)
        workspace = Workspace.open(Path(folder) / "world")
        import_data(workspace)
        data = newest_dataset(workspace).interactions()
    return leave_one_out(data, np.random.default_rng(5), cold_share=COLD_SHARE)


def compare(name: str, size: str) -> None:
    """Print each rule's NDCG@10 beside each model, and the interval of what texts change."""
    split = opened(name, size)
    space, side = split.train.space, split.train.side or SideInformation(split.train.space.n_items)
    hidden = hide(split.train.support(), space)
    train = replace(split.train, histories=without(split.train.histories, hidden))
    support, items = train.support(), items_of(side, space)
    catalog = catalogue(items, space.domains, hidden)
    models = {config.kind: build(config).fit(train, OPTIONS) for config in MODELS}  # type: ignore[attr-defined]
    print(f"\n{Path(name).name}: {int(hidden.sum())} of {space.n_items:,} items are hidden")
    for domain in space.domains:
        part = space.slice(domain)
        new = np.flatnonzero(hidden[part])
        task = replace(split.tasks[domain], histories=without(split.tasks[domain].histories, hidden))
        asks_new = hidden[part][task.positives]
        asked = {"new": some(task.take(asks_new)), "known": some(task.take(~asks_new))}
        first: dict[tuple[str, str], np.ndarray] = {}
        for rule, config in RULES.items():
            starts = Starts(catalog, support, config.nearest, config.kind_weight).of(
                [items[part.start + n] for n in new]
            )
            told = np.array([start is not None for start in starts])
            kinds = Kinds.of([Group(start) for start in starts if start is not None], part)
            for kind, model in models.items():
                line = f"{domain:10} {kind:8} {rule:19} {told.sum():5d} of {len(new)}"
                for rows, alone in (("new", True), ("new", False), ("known", False)):
                    found = ndcg(asked[rows], model, kinds, new[told], alone)
                    before = first.setdefault((kind, f"{rows}{alone}"), found)
                    low, high = bootstrap_interval(found - before, asked[rows].people, np.random.default_rng(0))
                    line += f" | {rows}{' alone' if alone else ''} {found.mean():.4f} ({low:+.4f} .. {high:+.4f})"
                print(line, flush=True)
        print(f"{domain:10} rows: {asked['new'].n_rows} that ask for a new item, {asked['known'].n_rows} others")


def ndcg(task: RankingTask, model: Recommender, kinds: Kinds, new: np.ndarray, alone: bool) -> np.ndarray:
    """NDCG@10 of each row."""
    ranks = rank_task(task, lambda h: scores(model, kinds, new, h, task.domain, alone), threads=THREADS)
    return row_metrics(ranks, [METRIC])[METRIC]


def hide(support: np.ndarray, space: ItemSpace) -> np.ndarray:
    """A random tenth of the used items of each domain: bool (n_items,)."""
    rng, hidden = np.random.default_rng(7), np.zeros(space.n_items, bool)
    for domain in space.domains:
        used = np.flatnonzero(support[space.slice(domain)]) + space.slice(domain).start
        hidden[rng.choice(used, round(HIDDEN * len(used)), replace=False)] = True
    return hidden


def speed() -> list[Row]:
    """Processor time of what texts cost, for catalogues of made-up words."""
    rows, rng = [], np.random.default_rng(0)
    words = np.array([f"w{number:x}" for number in range(20_000)])
    common = 1 / np.arange(10, len(words) + 10)  # Zipf's law
    for count in (2_000, 20_000, 50_000):
        texts = [" ".join(row) for row in words[rng.choice(len(words), (count, 12), p=common / common.sum())].tolist()]
        items = [Item(domain="a", item=str(n), title=t, category=f"c{n % 100}") for n, t in enumerate(texts)]
        catalog, support = catalogue(items, ("a",), np.zeros(count, bool)), np.ones(count)
        watch = Watch()
        starts = Starts(catalog, support)
        rows.append(Row(f"{count:,} items of twelve words: vocabulary", watch.lap()))
        arriving = [
            Item(domain="a", item=f"n{n}", title=f"{texts[n]} new{n}", category=f"c{n % 100}") for n in range(1_000)
        ]
        starts.of(arriving[:1])
        watch.lap()
        starts.of(arriving[:1])
        rows.append(Row("    one that arrives", watch.lap()))
        found = starts.of(arriving)
        rows.append(Row("    1,000 that arrive together", watch.lap()))
        kinds = Kinds.of([Group(start) for start in found if start is not None] * 20, slice(0, count))
        rows.append(Row("    averages of 20,000 are made", watch.lap()))
        kinds.bounds(np.ones(count), 1.0)
        rows.append(Row("    and of one history asked", watch.lap()))
    return [*rows, *unused(words, common / common.sum(), rng)]


def unused(words: np.ndarray, common: np.ndarray, rng: np.random.Generator) -> list[Row]:
    """The same of a catalogue with 200,000 items that nobody has used, of 5,000 brands and categories."""
    count, used, config = 200_000, 50_000, NewItemsConfig()
    texts = [" ".join(row) for row in words[rng.choice(len(words), (used, 12), p=common)].tolist()]
    texts += [f"{texts[n % used]} new{n}" for n in range(count)]
    numbers = range(used + count)
    table = pl.DataFrame({
        "domain": "a", "item": [str(n) for n in numbers], "title": texts,
        "category": [f"c{n % 100}" for n in numbers], "brand": [f"b{n % 5_000}" for n in numbers],
    })  # fmt: skip
    catalog, support = Catalog.of(table, ("a",)), (np.arange(used + count) < used).astype(float)
    watch, groups = Watch(), Groups(slice(0, used + count))
    starts = Starts(catalog, support, most_texts=config.read_used)
    rows = [Row(f"{count:,} unused items beside {used:,}: vocabulary", watch.lap())]
    items = catalog.items(np.arange(used, used + count))
    read = starts.of(items[: config.read_new])
    rows.append(Row(f"    starts, {config.read_new:,} by their texts", watch.lap()))
    found = [*read, *starts.of(items[config.read_new :], texts=False)]
    rows.append(Row("    starts of the others", watch.lap()))
    for item, start in zip(items, found, strict=True):
        if start is not None:
            groups.put(item.item, start, arrived=False)
    groups.settle()
    rows.append(Row(f"    {len(groups.kinds):,} groups are made", watch.lap()))
    (arrived,) = starts.of([Item(domain="a", item="n", title=f"{texts[0]} {texts[1]}", category="c0")])
    rows.append(Row("    start of one that arrives", watch.lap()))
    assert arrived is not None
    groups.put("n", arrived, arrived=True)
    groups.settle()
    rows.append(Row("    and its group beside the others", watch.lap()))
    scores = rng.random(used + count)
    watch.lap()
    groups.kinds.bounds(scores, 1.0)
    rows.append(Row("    one history asked", watch.lap()))
    return rows


class Watch:
    """Milliseconds of processor time since the last look."""

    def __init__(self) -> None:
        self.before = time.process_time()

    def lap(self) -> str:
        """Since the last look."""
        spent, self.before = time.process_time() - self.before, time.process_time()
        return f"{1e3 * spent:,.1f} ms"


def main() -> None:
    """One table for each world or folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=["car-parts"])
    parser.add_argument("--size", default="small")
    parser.add_argument("--speed", action="store_true", help="what texts cost, instead")
    given = parser.parse_args()
    if given.speed:
        show(speed())
    for name in () if given.speed else given.folders:
        compare(name, given.size)


if __name__ == "__main__":
    main()
