"""Per-domain results of several models: means, intervals over people, slices, comparison with a baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.evaluation.compare import RESAMPLES, Comparison, bootstrap_interval, compare_models
from kuajie.evaluation.metrics import mean, row_metrics
from kuajie.evaluation.ranking import Ranks

METRICS = ("hr@10", "ndcg@10", "mrr", "recall@20", "precision@10", "map@10", "auc")
MAIN = "ndcg@10"


@dataclass(frozen=True)
class SliceResult:
    """One metric on a part of the rows."""

    test_rows: int
    value: float


@dataclass(frozen=True)
class ModelSummary:
    """One model on one task.

    Attributes:
        metrics: means over rows.
        interval: 95 % interval of the main metric over people.
        slices: the main metric on parts of the rows.
    """

    metrics: Mapping[str, float]
    interval: tuple[float, float]
    slices: Mapping[str, SliceResult]


@dataclass(frozen=True)
class TaskSummary:
    """All models on one task.

    Attributes:
        test_rows: rows of the task.
        models: by name.
        baseline: the model that the others are compared with; None where there is none.
        comparison: every other model against the baseline, by the main metric.
    """

    test_rows: int
    models: Mapping[str, ModelSummary]
    baseline: str | None
    comparison: Mapping[str, Comparison]


def summarise(
    people: npt.NDArray[np.int64],
    ranks: Mapping[str, Ranks],
    slices: Mapping[str, npt.NDArray[np.bool_]],
    rng: np.random.Generator,
    *,
    baselines: Sequence[str] = (),
    metrics: Sequence[str] = METRICS,
    main: str = MAIN,
    resamples: int = RESAMPLES,
) -> TaskSummary:
    """Put together what is said about several models on one task.

    Args:
        people: int64 (n_rows,), whom each row that was asked belongs to.
        ranks: of every model.
        slices: name -> rows.
        rng: draws people and signs.
        baselines: models that may be the baseline; the best of them by the main metric is.
        metrics: names of the means.
        main: the metric of intervals, slices and comparison; one that every row has.
        resamples: of the intervals.
    """
    values = {name: row_metrics(rank, dict.fromkeys([*metrics, main])) for name, rank in ranks.items()}
    rows = {name: columns[main] for name, columns in values.items()}
    ends = bootstrap_interval(np.column_stack(list(rows.values())), people, rng, resamples=resamples)
    models = {
        name: ModelSummary(
            {metric: mean(values[name][metric]) for metric in metrics},
            (float(low), float(high)),
            {part: SliceResult(int(mask.sum()), mean(rows[name][mask])) for part, mask in slices.items()},
        )
        for (name, (low, high)) in zip(rows, ends, strict=True)
    }
    possible = [name for name in baselines if name in rows]
    baseline = max(possible, key=lambda name: mean(rows[name])) if possible and len(people) else None
    comparison = compare_models(rows, baseline, people, rng, resamples) if baseline is not None else {}
    return TaskSummary(len(people), models, baseline, comparison)
