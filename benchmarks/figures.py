"""`auto` on public split folders: the mean over sampled candidates of several seeds, beside tuned target-only models.

    python -m benchmarks.figures FOLDER [--candidates sampled-999] [--seeds 5] [--json FILE]

Choices are made once, on validation rows, with seed 0; test candidates are drawn with seeds 0, 1, ... The baselines are
the best settings of target-only ALS, item neighbourhood and popularity that the same search found.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import peak_gb
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.data.split_folder import SplitFolder, open_split_folder
from kuajie.evaluation.candidates import parse_candidates
from kuajie.evaluation.compare import bootstrap_interval
from kuajie.evaluation.metrics import row_metrics
from kuajie.evaluation.protocols import Split, final_split, validation_split
from kuajie.evaluation.ranking import rank_task
from kuajie.models.blend import Blend, fit_scoped, scoped
from kuajie.models.registry import parse_config
from kuajie.workflows.arena import CHOOSING_SECONDS
from kuajie.workflows.choose import Choice, ChooseConfig, choose

METRIC = "ndcg@10"
BASELINES = ("als", "als-wide", "itemknn", "popularity")


def values_of(model: Recommender, splits: list[Split], domain: str, scope: str) -> np.ndarray:
    """NDCG@10 of each test row and seed: (n_seeds, n_rows)."""
    space = splits[0].train.space
    rows = []
    for split in splits:
        ranks = rank_task(
            split.tasks[domain], lambda h: model.score(scoped(h, space, scope, domain), domain), threads=2
        )  # type: ignore[arg-type]
        rows.append(row_metrics(ranks, [METRIC])[METRIC])
    return np.stack(rows)


def baseline(choice: Choice, splits: list[Split], domain: str, options: FitOptions) -> tuple[str, float]:
    """The target-only model that validation likes best, and its mean on the test rows."""
    found = [t for t in choice.trials if t[0] in BASELINES and t[1] == "target" and t[2] == domain]
    if not found:
        return "none", float("nan")
    family, _, _, settings, _ = max(found, key=lambda trial: trial[4])
    kind = "als" if family.startswith("als") else family
    config = parse_config({"kind": kind, **settings})
    model = fit_scoped(config, domain, splits[0].train, options)
    return family, float(values_of(model, splits, domain, "target").mean())


def figures(data: SplitFolder, candidates: str, seeds: int, seconds: float) -> dict[str, object]:
    """Choose, fit, and measure one folder."""
    mode, options = parse_candidates(candidates), FitOptions()
    start = time.monotonic()
    blind = validation_split(data, np.random.default_rng([0, 1]), mode, 0)
    choice = choose(blind.train, blind.tasks, options, config=ChooseConfig(seconds=seconds, rerank="never"))
    chosen = time.monotonic() - start
    splits = [final_split(data, mode, seed) for seed in range(seeds if mode.startswith("sampled") else 1)]
    begun = time.monotonic()
    blend = Blend(choice.blend).fit(splits[0].train, options)
    fitted = time.monotonic() - begun
    domains = {}
    for domain, task in splits[0].tasks.items():
        begun = time.monotonic()
        values = values_of(blend, splits, domain, "joint")
        scored = (time.monotonic() - begun) / len(splits)
        low, high = bootstrap_interval(values.mean(axis=0), task.people, np.random.default_rng(0))
        name, best = baseline(choice, splits, domain, options)
        domains[domain] = {
            METRIC: float(values.mean()),
            "sd_of_seeds": float(values.mean(axis=1).std()),
            "ci95": [float(low), float(high)],
            "people": len(np.unique(task.people)),
            "validation": choice.mixes[domain].ndcg,
            "baseline": name,
            "baseline_ndcg": best,
            "ratio": float(values.mean()) / best,
            "score_seconds": scored,
            "mixes": [mix.weights for mix in choice.blend.mixes_of(domain)],
            "members": {m.name: m.model.model_dump(mode="json", exclude_defaults=True) for m in choice.blend.members},
        }
    return {
        "folder": data.name,
        "candidates": candidates,
        "domains": domains,
        "choose_seconds": chosen,
        "fit_seconds": fitted,
        "peak_gb": peak_gb(),
        "skipped": list(choice.skipped),
    }


def main() -> None:
    """Print one line for each domain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--candidates", default="sampled-999")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=CHOOSING_SECONDS, help="of choosing")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    result = figures(open_split_folder(given.folder), given.candidates, given.seeds, given.seconds)
    for domain, found in result["domains"].items():  # type: ignore[attr-defined]
        low, high = found["ci95"]
        print(
            f"{result['folder']:28} {domain:12} {METRIC} {found[METRIC]:.4f} [{low:.4f}, {high:.4f}] "
            f"validation {found['validation']:.4f}  {found['baseline']}:target {found['baseline_ndcg']:.4f} "
            f"ratio {found['ratio']:.3f}"
        )
    print(
        f"choose {result['choose_seconds']:.0f} s, fit {result['fit_seconds']:.0f} s, peak {result['peak_gb']:.1f} GB"
    )
    for sentence in result["skipped"]:  # type: ignore[attr-defined]
        print(f"  {sentence}")
    if given.json:
        given.json.write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
