"""Content: the bridge of texts for speed; with a folder or a scenario, people that nobody links and new items.

    python -m benchmarks.content
    python -m benchmarks.content --cut-links FOLDER [--encoder PACKAGE]
    python -m benchmarks.content --cut-links FOLDER --validation
    python -m benchmarks.content --new-items FOLDER
    python -m benchmarks.content --cut-links car-parts [--size small]

A scenario's name stands for its generated world, whose people give their newest item of each domain. Sharpness and the
power of popularity were looked for on the validation rows of `urllm_art_office`; the world's rows had no part in it.
"""

import argparse
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Row, seconds, show
from kuajie.api import import_data, newest_dataset
from kuajie.core.config import Config
from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.texts import Text
from kuajie.data.rows import Rows
from kuajie.data.split_folder import SplitDomain, SplitFolder, open_split_folder
from kuajie.evaluation.metrics import mean_metrics
from kuajie.evaluation.protocols import carve, final_split, rows_of, used_once
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.settings import Setting, in_setting
from kuajie.models.als import ALSConfig
from kuajie.models.bridge import BridgeConfig
from kuajie.models.content import ContentConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.metapath import MetaPathConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.registry import build
from kuajie.models.ridge import RidgeConfig
from kuajie.numerics.likeness import Rowed, nearest
from kuajie.text.encoders import fit_encode
from kuajie.text.sentences import SentencesConfig
from kuajie.text.tfidf import TfidfConfig
from kuajie.workflows.init import init_world
from kuajie.workflows.workspace import Workspace
from kuajie.worlds import SCENARIOS

Encoders = dict[str, TfidfConfig | SentencesConfig]
Entrants = dict[str, tuple[Setting, Config]]
THREADS = 2
LINKED = "with all links"
COURSES, PRODUCTS = 1_000, 50_000
WORDS = 20_000
BRIDGE: dict[str, Any] = {"popularity_power": 1.0, "background": 0.3, "new_quantile": 0.0}
NEUTRAL: dict[str, Any] = {"popularity_power": 0.0, "background": 0.0}
METAPATH = MetaPathConfig(popularity_power=1.0)
EAGER: dict[str, Any] = {"popularity_power": 0.5, "new_quantile": 0.99, "background": 0.0}
"""New items as if they were among the most used."""


def run() -> list[Row]:
    """The bridge between 1,000 courses and 50,000 products: texts in, neighbours out."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{number:x}" for number in range(WORDS)])
    common = 1 / np.arange(10, WORDS + 10)  # Zipf's law
    drawn = rng.choice(words, (COURSES + PRODUCTS, 12), p=common / common.sum())
    texts = [" ".join(row) for row in drawn.tolist()]

    def bridge(config: TfidfConfig) -> None:
        rows = fit_encode(config, texts)[1]
        empty = np.zeros((len(texts), 0), np.float32)
        left, right = Rowed(rows[:COURSES], empty[:COURSES]), Rowed(rows[COURSES:], empty[COURSES:])
        nearest(left, right, np.array([0, PRODUCTS]), 200, THREADS)

    return [
        Row(f"TF-IDF bridge of {COURSES:,} x {PRODUCTS:,} items, {name}", f"{seconds(work, 2):.1f} s", "10 s")
        for name, work in (
            ("words", lambda: bridge(TfidfConfig())),
            ("n-grams of characters", lambda: bridge(TfidfConfig(unit="characters"))),
        )
    ]


def opened(name: str, size: str) -> SplitFolder:
    """A split folder, or the world of a scenario as one."""
    if name not in SCENARIOS:
        return open_split_folder(name)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "world"
        init_world(root, name, size)
        workspace = Workspace.open(root)
        import_data(workspace)
        return as_folder(newest_dataset(workspace).interactions())


def as_folder(interactions: Interactions) -> SplitFolder:
    """A split folder that asks everybody for their newest item of each domain where they have three."""
    rows, space = rows_of(interactions), interactions.space
    none = Rows.joined([])
    domains = []
    for domain in space.domains:
        own = rows.within(space.slice(domain))
        once = np.flatnonzero(used_once(own, space))  # a repeat that stays would give the row away
        asked = np.zeros(len(own), dtype=bool)
        asked[once[carve(own.take(once), interactions.histories.order, np.random.default_rng(0))]] = True
        ids = np.arange(space.sizes[space.index(domain)])
        domains.append(SplitDomain(domain, ids, own.take(~asked), none, own.take(asked), none, none))
    people = np.arange(interactions.n_people)
    order = interactions.histories.order
    return SplitFolder("world", space, people, tuple(domains), order, Text(""), side=interactions.side)


def on_validation(folder: SplitFolder) -> SplitFolder:
    """The folder with its validation rows in the place of test rows: what settings may be chosen on."""
    domains = tuple(replace(each, test=each.valid, test_history=each.valid_history) for each in folder.domains)
    return replace(folder, domains=domains)


def ndcg(folder: SplitFolder, setting: Setting, config: Config, linked: bool = False) -> dict[str, tuple[float, int]]:
    """NDCG@10 and test rows of each domain; `linked`: what is asked in the setting, of a model that knows all links."""
    asked = final_split(in_setting(folder, setting))
    train = final_split(folder).train if linked else asked.train
    model = build(config).fit(train, FitOptions(threads=THREADS))
    found = {}
    for domain, task in asked.tasks.items():
        ranks = rank_task(task, partial(model.score, target=domain), threads=THREADS)
        found[domain] = mean_metrics(ranks, ["ndcg@10"])["ndcg@10"], task.n_rows
    return found


def compare(folder: SplitFolder, entrants: Entrants, goal: str) -> list[Row]:
    """One row for each model and domain, with its ratio to the first model."""
    rows, first = [], None
    for name, (setting, config) in entrants.items():
        found = ndcg(folder, setting, config, linked=name.endswith(LINKED))
        first = first or found
        for domain, (value, count) in found.items():
            ratio = value / first[domain][0] if first[domain][0] else float("nan")
            rows.append(Row(f"{domain}, {count:,} rows, {setting}: {name}", f"{value:.4f} ({ratio:.2f} x)", goal))
    return rows


def across(encoders: Encoders) -> Entrants:
    """What leads across cut links; beside it models of behaviour that know all of them."""
    contents = {f"content, {name}": ContentConfig(encoder=encoder, **BRIDGE) for name, encoder in encoders.items()}
    linked = {"als": ALSConfig(), "itemknn": ItemKNNConfig(k=200), "ridge": RidgeConfig()}
    configs: dict[str, Config] = {
        "popularity": PopularityConfig(),
        **contents,
        "bridge": BridgeConfig(),
        "metapath": METAPATH,
        **{f"{name} {LINKED}": config for name, config in linked.items()},
    }
    return {name: ("cut-links", config) for name, config in configs.items()}


def about_new_items(encoders: Encoders) -> Entrants:
    """Behaviour that knows the items, and content that does not."""
    entrants: Entrants = {
        "itemknn": ("known-items", ItemKNNConfig(k=200)),
        "content": ("known-items", ContentConfig(**NEUTRAL)),
    }
    for name, encoder in encoders.items():
        for how, settings in (("", NEUTRAL), (", new ones favoured", EAGER)):
            entrants[f"content, {name}{how}"] = "new-items", ContentConfig(encoder=encoder, **settings)
    return entrants


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cut-links", metavar="FOLDER|SCENARIO")
    parser.add_argument("--new-items", metavar="FOLDER|SCENARIO")
    parser.add_argument(
        "--validation", action="store_true", help="ask for the folder's validation rows, not its test rows"
    )
    parser.add_argument("--size", default="small")
    parser.add_argument("--encoder", help="folder or package of a sentence encoder, beside TF-IDF")
    asked = parser.parse_args()
    encoders: Encoders = {"TF-IDF of words": TfidfConfig()}
    if asked.encoder:
        encoders[asked.encoder] = SentencesConfig(model=asked.encoder)
    if asked.cut_links:
        folder = opened(asked.cut_links, asked.size)
        show(compare(on_validation(folder) if asked.validation else folder, across(encoders), "2 x"))
    if asked.new_items:
        show(compare(opened(asked.new_items, asked.size), about_new_items(encoders), "0.5 x"))
    if not asked.cut_links and not asked.new_items:
        show(run())


if __name__ == "__main__":
    main()
