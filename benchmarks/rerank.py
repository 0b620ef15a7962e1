"""Time of re-ranking: many lists in a batch, and one list at a time as the service does it.

    python -m benchmarks.rerank [--lists 5000] [--candidates 50] [--seed 0]

20,000 generated items with 300 categories, 200 brands and vectors of 4 words; lists of ten.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
from scipy import sparse

from benchmarks.measure import Row, show
from kuajie.rerank.base import Candidates, Context, Groups, Items, Labels, People, StepConfig, kind_of, unit_rows
from kuajie.rerank.pipeline import rerank
from kuajie.rerank.registry import RERANKERS
from kuajie.rerank.rules import Band

N_ITEMS = 20_000
SETTINGS = {"rules": {"numbers": {"price": Band(at_most=80)}}, "limits": {"most": {"brand": 2, "category": 3}}}


def planted(lists: int, m: int, rng: np.random.Generator) -> tuple[Candidates, Context]:
    """Random candidates, and items and people of whom everything is known."""
    category, brand = (rng.integers(size, size=N_ITEMS).astype(np.int32) for size in (300, 200))
    names = [tuple(str(number) for number in range(size)) for size in (300, 200)]
    words = sparse.csr_array(
        (np.ones(4 * N_ITEMS), rng.integers(2_000, size=4 * N_ITEMS), 4 * np.arange(N_ITEMS + 1)), (N_ITEMS, 2_000)
    )
    words.sum_duplicates()
    popularity = np.floor(1e4 / (1 + rng.permutation(N_ITEMS)))
    tail = Labels((popularity < 5).astype(np.int32), ("head", "tail"))
    mixes = sparse.random_array((lists, 300), density=6 / 300, rng=rng, format="csr")
    categories = Labels(category, names[0])
    items = Items(
        {"content": unit_rows(words)},
        {"category": categories, "brand": Labels(brand, names[1])},
        {"tail": Groups.of_labels(tail), "category": Groups.of_labels(categories)},
        {"popularity": popularity, "price": rng.uniform(1, 100, N_ITEMS)},
    )
    own = sparse.csr_array(sparse.diags_array(1 / np.maximum(mixes.sum(axis=1), 1e-9)) @ mixes)
    context = Context(items, People({"category": own, "tail": sparse.csr_array(rng.dirichlet([1, 1], lists))}))
    scores = -np.sort(-rng.normal(size=(lists, m)), axis=1)
    return Candidates(rng.integers(N_ITEMS, size=(lists, m)).astype(np.int32), scores), context


def steps() -> Iterator[StepConfig]:
    """Every re-ranker as it comes, those without a default rule with one."""
    for kind, (config, _) in RERANKERS.items():
        yield config(**SETTINGS.get(kind, {}))


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds, the fewest of three runs; the first, which compiles, is not counted."""
    work()
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def rows(lists: int, m: int, seed: int) -> Iterator[Row]:
    """Microseconds for a list, of every re-ranker."""
    candidates, context = planted(lists, m, np.random.default_rng(seed))
    one, own = planted(1, m, np.random.default_rng(seed))
    for step in steps():
        batch = seconds(lambda step=step: rerank([step], candidates, 10, context))  # type: ignore[misc]
        alone = seconds(lambda step=step: [rerank([step], one, 10, own) for _ in range(50)]) / 50  # type: ignore[misc]
        what = f"{kind_of(step)}, 10 of {m} candidates: in a batch of {lists:,}, alone; µs of processor time a list"
        yield Row(what, f"{1e6 * batch / lists:.1f}   {1e6 * alone:.0f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=5_000)
    parser.add_argument("--candidates", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    show(rows(asked.lists, asked.candidates, asked.seed))


if __name__ == "__main__":
    main()
