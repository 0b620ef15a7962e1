"""The two-stage ranker: how long learning on a million rows takes, and whether it helps beside `auto`.

    python -m benchmarks.ranker [--size small]                   # speed, on the car-parts world
    python -m benchmarks.ranker --latency [--seconds 90]         # of one answer, over the blend that `auto` chooses
    python -m benchmarks.ranker FOLDER ... [--seconds 90] [--kinds sequence]     # quality on split folders
    python -m benchmarks.ranker demo [--size small]              # quality on the demo world

Quality: `auto` chooses on validation rows; then, in the same run, the test rows are ranked by its blend, by the ranker
over that blend, and by the default ranker. Intervals are of the paired difference to `auto`, over people.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, peak_gb, show
from benchmarks.worlds import THREADS
from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.data.split_folder import open_split_folder
from kuajie.evaluation.compare import bootstrap_interval
from kuajie.evaluation.metrics import row_metrics
from kuajie.evaluation.protocols import COLD_SHARE, Split, final_split, leave_one_out, validation_split
from kuajie.evaluation.ranking import rank_task
from kuajie.models.blend import Blend
from kuajie.models.merged import merge
from kuajie.models.ranker import HELD_OUT, Ranker, RankerConfig
from kuajie.models.ranker_facts import Facts
from kuajie.models.ranker_trees import Groups, grow
from kuajie.models.registry import build
from kuajie.workflows.choose import ChooseConfig, choose
from kuajie.workflows.two_stages import MILLISECONDS, answer_milliseconds, over
from kuajie.worlds import make_world

METRIC = "ndcg@10"
ROWS = 1_000_000
PEOPLE = 300


def speed(size: str, rows: int = ROWS) -> Iterator[Row]:
    """Fit generators on the fold, make features, grow trees on a million candidates, and serve one person."""
    data, options, config = (
        make_world("car-parts", size, seed=0).interactions(),
        FitOptions(threads=THREADS),
        RankerConfig(),
    )
    target = data.space.domains[0]
    ranker = Ranker(config)
    ranker.space_, ranker.support_, ranker.ordered_ = data.space, data.support(), True
    watch = Watch()
    fold = ranker.fold(data, 0)
    fits = ranker._fit_generators(fold.known, options)
    stage = ranker._stage(fits, Facts.of(fold.known, config.labels))
    yield Row(f"four generators, {len(fold.known.histories.items):,} events", watch.lap())
    groups, _ = ranker.examples(stage, fold, target, threads=THREADS)
    yield Row(f"features of {len(groups.rows):,} candidates of {len(groups.sizes):,} examples", watch.lap())
    more = -(-rows // len(groups.rows))  # a small world is repeated
    groups = Groups(np.tile(groups.rows, (more, 1)), np.tile(groups.relevant, more), np.tile(groups.sizes, more))
    million = groups.take(np.cumsum(groups.sizes) <= rows)
    held_out = np.random.default_rng(0).random(len(million.sizes)) < HELD_OUT
    watch.lap()
    trees = grow(million.take(~held_out), million.take(held_out), config.boosting, options)
    what = f"{len(trees.roots)} trees on {len(million.rows):,} rows of {million.rows.shape[1]} features"
    yield Row(what, watch.lap(), "60 s")
    ranker.fits_, ranker.facts_, ranker.trees_ = fits, stage.facts, {target: trees}
    ranker.known_by_ = {target: ranker._known(target)}
    times = []
    for row in range(100):
        start = time.perf_counter()
        ranker.score(data.histories.take([row]), target)
        times.append(time.perf_counter() - start)
    yield Row("one person scored: generators, features, trees (median)", f"{1e3 * np.median(times):.1f} ms")
    yield Row("peak memory", f"{peak_gb():.1f} GB")


class Watch:
    """Seconds since the last look, by the clock and of processor time."""

    def __init__(self) -> None:
        self.before = time.perf_counter(), time.process_time()

    def lap(self) -> str:
        """Since the last look."""
        now = time.perf_counter(), time.process_time()
        clock, spent = (a - b for a, b in zip(now, self.before, strict=True))
        self.before = now
        return f"{clock:.1f} s ({spent:.1f} s of processor time)"


def latency(size: str, seconds: float) -> Iterator[Row]:
    """Processor time of one person's list of ten: the merged blend of `auto`, and the ranker over that blend."""
    blind, final = demo(size)
    options = FitOptions(threads=THREADS)
    blend = choose(blind.train, blind.tasks, options, config=ChooseConfig(seconds=seconds, rerank="never")).blend
    for target in blend.targets:
        print(f"{target}: {[mix.weights for mix in blend.mixes_of(target)]}", flush=True)
    models: dict[str, Recommender] = {
        "merged blend": merge(Blend(blend).fit(final.train, options)),
        "ranker over it": build(over(blend)).fit(final.train, options),
    }
    for name, model in models.items():
        for explain in (False, True):
            for target in blend.targets:
                times = answer_milliseconds(model, final.train.histories, target, people=PEOPLE, explain=explain)
                what = f"{target}, {name}{', with reasons' if explain else ''}"
                yield Row(what, f"median {np.median(times):.2f} ms, p99 {np.quantile(times, 0.99):.2f} ms",
                          f"{MILLISECONDS:g} ms" if "ranker" in name and explain else "")  # fmt: skip


def quality(name: str, blind: Split, final: Split, seconds: float, kinds: tuple[str, ...], plain: bool) -> None:
    """Print NDCG@10 of the test rows under `auto`, the ranker over it, and the default ranker."""
    options = FitOptions(threads=THREADS)
    choice = choose(
        blind.train, blind.tasks, options, config=ChooseConfig(seconds=seconds, kinds=kinds, rerank="never")
    )
    print(
        f"{name}: auto chose {', '.join(member.name for member in choice.blend.members)}; {choice.skipped}", flush=True
    )
    models: dict[str, Recommender] = {}
    for label, config in (("auto", choice.blend), ("ranker over auto", over(choice.blend)), ("ranker", RankerConfig()))[
        : 3 if plain else 2
    ]:
        begun = time.perf_counter()
        models[label] = build(config).fit(final.train, options)
        print(f"{name}: {label} fitted in {time.perf_counter() - begun:.0f} s", flush=True)
    for domain, task in final.tasks.items():
        values = {label: ndcg(model, final, domain) for label, model in models.items()}
        for label, found in values.items():
            low, high = bootstrap_interval(found - values["auto"], task.people, np.random.default_rng(0))
            change = f"{low:+.4f} .. {high:+.4f}"
            print(f"{name:26} {domain:12} {label:18} {METRIC} {found.mean():.4f}   against auto {change}", flush=True)


def ndcg(model: Recommender, split: Split, domain: str) -> np.ndarray:
    """NDCG@10 of each test row."""
    ranks = rank_task(split.tasks[domain], lambda h: model.score(h, domain), threads=THREADS)
    return row_metrics(ranks, [METRIC])[METRIC]


def demo(size: str) -> tuple[Split, Split]:
    """The car-parts world: one row of each person and domain is the test, another one is for choosing."""
    data: Interactions = make_world("car-parts", size, seed=0).interactions()
    rng = np.random.default_rng(5)
    final = leave_one_out(data, rng, cold_share=COLD_SHARE)
    return leave_one_out(final.train, rng, cold_share=COLD_SHARE), final


def main() -> None:
    """Speed without arguments, else quality."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--seconds", type=float, default=90.0, help="of choosing")
    parser.add_argument("--kinds", default="", help="of models that are chosen from, with commas; left out: all")
    parser.add_argument("--over", action="store_true", help="the default ranker is left out")
    parser.add_argument("--size", default="small", help="of the demo world")
    parser.add_argument("--latency", action="store_true", help="of one answer")
    given = parser.parse_args()
    if given.latency:
        show(latency(given.size, given.seconds))
    elif not given.folders:
        show(speed(given.size))
    for folder in given.folders:
        if folder == "demo":
            blind, final = demo(given.size)
        else:
            data = open_split_folder(Path(folder))
            blind = validation_split(data, np.random.default_rng([0, 1]))
            final = final_split(data)
        quality(
            Path(folder).name, blind, final, given.seconds, tuple(filter(None, given.kinds.split(","))), not given.over
        )


if __name__ == "__main__":
    main()
