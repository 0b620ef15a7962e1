"""Deep models on a public split folder: each alone on validation rows, and what one of them adds to `auto`.

    python -m benchmarks.deep FOLDER --models sequence sasrec       one line for each model, on validation rows
    python -m benchmarks.deep FOLDER --auto both --budget 12m       auto without and with deep models, in one budget

A model may be followed by settings as JSON: 'sasrec={"dim": 32}'. Choices are made on validation rows; the test rows of
the second form are read once, after everything was chosen.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from kuajie.core.durations import seconds_of
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.data.split_folder import SplitFolder, open_split_folder
from kuajie.evaluation.candidates import Candidates, parse_candidates
from kuajie.evaluation.metrics import mean_metrics
from kuajie.evaluation.protocols import Split, final_split, validation_split
from kuajie.evaluation.ranking import rank_task
from kuajie.models.blend import Blend
from kuajie.models.registry import build, parse_config
from kuajie.workflows.choose import ChooseConfig, choose
from kuajie.workflows.families import families, kind_of

METRIC = "ndcg@10"


def ndcg(model: Recommender, split: Split, options: FitOptions) -> dict[str, float]:
    """Mean NDCG@10 of each domain."""
    return {
        domain: mean_metrics(
            rank_task(task, lambda histories, domain=domain: model.score(histories, domain), threads=options.threads),
            [METRIC],
        )[METRIC]
        for domain, task in split.tasks.items()
    }


def alone(split: Split, text: str, options: FitOptions) -> dict[str, Any]:
    """One model, fitted without the validation rows."""
    kind, _, settings = text.partition("=")
    config = parse_config({"kind": kind, **json.loads(settings or "{}")})
    begun = time.process_time()
    model = build(config).fit(split.train, options)
    return {"model": text, "cpu_seconds": time.process_time() - begun, "validation": ndcg(model, split, options)}


def within_auto(
    data: SplitFolder, mode: Candidates, kinds: tuple[str, ...], seconds: float, options: FitOptions
) -> dict[str, Any]:
    """Choose among some kinds, fit on everything, and measure on the test rows."""
    blind = validation_split(data, np.random.default_rng([0, 1]), mode, 0)
    begun = time.monotonic()
    choice = choose(blind.train, blind.tasks, options, config=ChooseConfig(seconds=seconds, kinds=kinds))
    chosen = time.monotonic()
    blend = Blend(choice.config).fit(final_split(data, mode, 0).train, options)
    fitted = time.monotonic()
    best: dict[str, float] = {}
    for family, scope, target, _, value in choice.trials:
        name = f"{family}/{scope}/{target}"
        best[name] = max(best.get(name, 0.0), value)
    return {
        "validation": {target: mix.ndcg for target, mix in choice.mixes.items()},
        "test": ndcg(blend, final_split(data, mode, 0), options),
        "weights": {target: [mix.weights for mix in choice.config.mixes_of(target)] for target in choice.mixes},
        "settings": {m.name: m.model.model_dump(mode="json", exclude_defaults=True) for m in choice.config.members},
        "trials": best,
        "skipped": [str(sentence) for sentence in choice.skipped],
        "choose_seconds": chosen - begun,
        "fit_seconds": fitted - chosen,
    }


def main() -> None:
    """Print one JSON line for each result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--auto", choices=("without", "with", "both"), help="deep families")
    parser.add_argument("--budget", default="12m")
    parser.add_argument("--candidates", default="sampled-999")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    data, mode, options = (
        open_split_folder(given.folder),
        parse_candidates(given.candidates),
        FitOptions(0, given.threads),
    )
    if given.models:
        split = validation_split(data, np.random.default_rng([0, 1]), mode, 0)
        for text in given.models:
            print(json.dumps(alone(split, text, options)), flush=True)
    known = families(data.space, data.order)
    shallow = tuple(dict.fromkeys(kind_of(family) for family in known if not family.least_seconds))
    for name, kinds in (("without", shallow), ("with", ())):
        if given.auto in {name, "both"}:
            found = within_auto(data, mode, kinds, seconds_of(given.budget), options)
            print(json.dumps({"auto": f"{name} deep models"} | found), flush=True)


if __name__ == "__main__":
    main()
