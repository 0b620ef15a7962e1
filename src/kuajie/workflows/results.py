"""Results as plain values: the stable format of `domains` in the JSON of benchmark and evaluate."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from kuajie.evaluation.summary import MAIN, ModelSummary, TaskSummary
from kuajie.workflows.arena import Run


def domain_results(
    summaries: Mapping[str, TaskSummary], runs: Mapping[tuple[str, str], Run]
) -> dict[str, dict[str, Any]]:
    """Test rows, models with metrics, interval, slices and what was chosen, and the comparison, by domain.

    Args:
        summaries: by domain.
        runs: by (model, domain).
    """
    found = {}
    for domain, summary in summaries.items():
        models = {name: _model(runs[name, domain], model) for name, model in summary.models.items()}
        found[domain] = {"test_rows": summary.test_rows, "models": models}
        if summary.comparison:
            compared = {"baseline": summary.baseline, "metric": MAIN, "models": summary.comparison}
            found[domain]["comparison"] = compared
    return plain(found)  # type: ignore[no-any-return]


def _model(run: Run, model: ModelSummary) -> dict[str, Any]:
    slices = {name: {"test_rows": part.test_rows, MAIN: part.value} for name, part in model.slices.items()}
    how = asdict(run)
    if not how["labelled"]:
        del how["labelled"]
    return {**model.metrics, "ci95": {MAIN: list(model.interval)}, **how, "slices": slices}


def plain(value: Any) -> Any:  # noqa: ANN401 # any plain value
    """Mappings, sequences and records as JSON knows them; NaN and infinity become None."""
    if hasattr(value, "__dataclass_fields__"):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
