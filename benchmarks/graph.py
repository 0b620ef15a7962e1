"""The knowledge graph: speed, new items, and domains that share nobody.

    python -m benchmarks.graph                      speed on 1,000,000 triples, new items, cut links
    python -m benchmarks.graph --new-items FOLDER   hide all behaviour of a tenth of the items of a split folder
    python -m benchmarks.graph --cut-links [--scenario car-parts] [--size small|seed]

New items: rows that ask for a hidden item, ranked among all items; beside it the same rows where nothing was hidden.
Cut links: half of the people keep one domain alone, the others the other one; who kept the first is asked for what they
used in the second. Candidates are all items of the target. Seed 0 decides everything.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measure import Row, show
from benchmarks.worlds import THREADS
from kuajie.core import columns as c
from kuajie.core.config import Config
from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.side import SideInformation, TripleGraph
from kuajie.core.space import ItemSpace
from kuajie.data.catalog import Catalog
from kuajie.data.side import graph_of
from kuajie.data.split_folder import open_split_folder
from kuajie.evaluation.metrics import mean_metrics
from kuajie.evaluation.protocols import Split, final_split, leave_one_out, rows_of
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tasks import RankingTask, build_task, interactions_of
from kuajie.graph.nodes import Knowledge
from kuajie.graph.paths import PathFinder
from kuajie.models.ease import EASEConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.kge import KGEConfig
from kuajie.models.metapath import MetaPathConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.registry import build
from kuajie.models.walk import WalkConfig
from kuajie.numerics.network import Network
from kuajie.numerics.push import Space, Walker
from kuajie.worlds import World, make_world
from kuajie.worlds.knowledge import knowledge_graph

METRIC = "ndcg@10"
OPTIONS = FitOptions(threads=THREADS)
GRAPH: dict[str, Config] = {
    "walk": WalkConfig(popularity_power=0.5),
    "walk on knowledge alone": WalkConfig(behaviour=0.0, popularity_power=0.5),
    "metapath": MetaPathConfig(),
    "metapath with all of popularity": MetaPathConfig(popularity_power=1.0),
    "kge on knowledge alone": KGEConfig(neighbours=0, popularity_power=0.5),
}
BEHAVIOUR: dict[str, Config] = {"itemknn": ItemKNNConfig(), "ease": EASEConfig()}


def described(world: World, interactions: Interactions) -> Interactions:
    """Behaviour with the triples of the world's catalogues, and nothing else that is known of the items."""
    named = {name: pl.lit(name).alias(c.DOMAIN) for name in world.domains}
    items = [world.catalogues[name].table.select(named[name], c.ITEM) for name in world.domains]
    triples = [knowledge_graph(world.catalogues[name]).with_columns(named[name]) for name in world.domains]
    graph = graph_of(pl.concat(triples), Catalog.of(pl.concat(items), world.domains))
    return replace(interactions, side=SideInformation(world.space.n_items, graph=graph))


def value(config: Config, train: Interactions, task: RankingTask) -> float:
    """NDCG@10 of a model on some rows."""
    model = build(config).fit(train, OPTIONS)
    ranks = rank_task(task, lambda h: model.score(h, task.domain), threads=THREADS)
    return mean_metrics(ranks, [METRIC])[METRIC]


def new_items(split: Split, what: str) -> list[Row]:
    """Hide a tenth of the items from the training data, and ask for them."""
    rng = np.random.default_rng([0, 5])
    space = split.train.space
    asked = np.unique(np.concatenate([task.positives + task.first_item for task in split.tasks.values()]))
    trained = np.flatnonzero(split.train.support() > 0)
    hidden = rng.choice(np.intersect1d(asked, trained), len(trained) // 10, replace=False)
    gone = np.isin(split.train.histories.items, hidden)
    without = replace(split.train, histories=split.train.histories.keep(~gone))
    rows = [Row(f"{what}: {len(hidden):,} of {len(trained):,} items without behaviour, {METRIC} of who used them", "")]
    for domain, task in split.tasks.items():
        mine = task.take(np.isin(task.positives + space.slice(domain).start, hidden))
        histories = mine.histories.keep(~np.isin(mine.histories.items, hidden))
        blind = replace(mine, histories=histories)
        known = {name: value(config, split.train, mine) for name, config in (BEHAVIOUR | GRAPH).items()}
        best = max(known[name] for name in BEHAVIOUR)
        rows.append(Row(f"  {domain}: {mine.n_rows:,} rows; best of behaviour alone, nothing hidden", f"{best:.4f}"))
        for name, config in (BEHAVIOUR | GRAPH).items():
            got = value(config, without, blind)
            shown = f"{got:.4f} ({known[name]:.4f} with)"
            rows.append(Row(f"  {domain}: {name}, hidden", shown, f"{best / 2:.4f}" if name in GRAPH else ""))
    return rows


def cut(interactions: Interactions, source: str, target: str) -> tuple[Interactions, Interactions, RankingTask]:
    """Nobody in two domains: half keep the source alone and are asked for what they used in the target.

    Returns:
        training data, the same where the other half keep both domains, and the rows.
    """
    rng = np.random.default_rng([0, 6])
    rows, space = rows_of(interactions), interactions.space
    asked_people = rng.random(interactions.n_people) < 0.5
    part = space.slice(target)
    inside = (rows.items >= part.start) & (rows.items < part.stop)
    train = rows.take(inside != asked_people[rows.people])
    linked_train = rows.take(~(inside & asked_people[rows.people]))
    held = np.flatnonzero(inside & asked_people[rows.people])
    _, first = np.unique(rows.people[held], return_index=True)
    linked = np.isin(rows.people[held[first]], rows.people[~inside])
    asked = rows.take(held[first][linked])
    used = rows.take(inside)  # what they used besides is no negative
    task = build_task(space, target, asked, train, "none", interactions.n_people, (used,))
    how = (space, "none", interactions.n_people, interactions.side)
    return interactions_of(train, *how), interactions_of(linked_train, *how), task


def cut_links(world: World) -> list[Row]:
    """Zero shared people."""
    interactions = described(world, world.interactions())
    rows = []
    for source, target in (world.space.domains[:2], world.space.domains[1::-1]):
        train, linked, task = cut(interactions, source, target)
        task = task.take(np.arange(min(task.n_rows, 5_000)))
        base = value(PopularityConfig(), train, task)
        rows.append(
            Row(f"{source} to {target}, nobody in both, {task.n_rows:,} rows: popularity, {METRIC}", f"{base:.4f}")
        )
        for name, config in BEHAVIOUR.items():
            got = value(config, linked, task)
            rows.append(Row(f"  {name}, with everybody else in both", f"{got:.4f} ({got / base:.2f} times)"))
        for name, config in GRAPH.items():
            got = value(config, train, task)
            goal = f"{2 * base:.4f}" if name in GRAPH else ""
            rows.append(Row(f"  {name}", f"{got:.4f} ({got / base:.2f} times)", goal))
    return rows


def large_graph(n_triples: int = 1_000_000) -> tuple[TripleGraph, ItemSpace]:
    """20,000 items and 200,000 entities with long tails, planted at random."""
    rng = np.random.default_rng(0)
    space, n_others = ItemSpace(("a", "b"), (12_000, 8_000)), 200_000
    heads = np.where(
        rng.random(n_triples) < 0.6,
        rng.integers(0, space.n_items, n_triples),
        rng.integers(space.n_items, space.n_items + n_others, n_triples),
    )
    tails = space.n_items + np.minimum((n_others * rng.random(n_triples) ** 3).astype(np.int64), n_others - 1)
    kinds = rng.integers(0, 20, n_triples)
    names = tuple(f"e{number}" for number in range(n_others))
    relations = tuple(f"r{number}" for number in range(20))
    return TripleGraph(
        space.n_items, names, relations, heads.astype(np.int32), kinds.astype(np.int32), tails.astype(np.int32)
    ), space


def processor_seconds(work: Callable[[], None]) -> float:
    """The least of three runs after one that compiles, of this process alone: others may share the machine."""
    work()
    times = []
    for _ in range(3):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def speed() -> list[Row]:
    """One person's walk and paths on 1,000,000 triples."""
    graph, space = large_graph()
    begun = time.perf_counter()
    network = Network.of(graph)
    walker = Walker.of(network.matrix(network.weights({}, 0.5)), 0.3, 1e-5, space.n_items)
    built = time.perf_counter() - begun
    rng = np.random.default_rng(1)
    histories = [np.unique(rng.integers(0, space.n_items, 30)).astype(np.int32) for _ in range(200)]
    memory, out = Space.of(network.n_nodes), np.zeros(space.n_items, np.float32)

    def walks() -> None:
        for items in histories:
            out[:] = 0
            walker.walk(items, np.full(len(items), 1 / len(items)), memory, out)

    each = processor_seconds(walks) / len(histories)
    ids = [str(number) for number in range(space.n_items)]
    finder = PathFinder(Knowledge.of(graph, space, ids, ids))
    aims = rng.integers(0, space.n_items, len(histories)).tolist()

    def reasons() -> None:
        for items, aim in zip(histories, aims, strict=True):
            finder.paths(items[:10].tolist(), aim, 3)

    found = processor_seconds(reasons) / len(histories)
    return [
        Row(f"a graph of {graph.n_triples:,} triples and {network.n_nodes:,} nodes made ready", f"{built:.1f} s"),
        Row("walk of one person with 30 items, processor time", f"{1_000 * each:.2f} ms", "5 ms"),
        Row("paths from ten items of a history to one item, processor time", f"{1_000 * found:.2f} ms", "1 ms"),
    ]


def main() -> None:
    """Print what was asked for, or everything that needs no data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--new-items", type=Path, metavar="FOLDER")
    parser.add_argument("--cut-links", action="store_true")
    parser.add_argument("--scenario", default="car-parts")
    parser.add_argument("--size", choices=("small", "seed"), default="small")
    given = parser.parse_args()
    if given.new_items:
        show(new_items(final_split(open_split_folder(given.new_items)), given.new_items.name))
        return
    world = make_world(given.scenario, given.size, seed=0)
    if not given.cut_links:
        show(speed())
        split = leave_one_out(described(world, world.interactions()), np.random.default_rng(0))
        show(new_items(split, f"{given.scenario}, {given.size}"))
    show(cut_links(world))


if __name__ == "__main__":
    main()
