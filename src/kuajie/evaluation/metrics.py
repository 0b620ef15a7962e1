"""Metrics of rows with one positive each, as expectations over random orders of tied candidates.

With `better` candidates above and `tied` candidates beside it, the positive's rank is uniform on
better + 1 .. better + tied + 1. No tie is ever broken by chance or in the positive's favour.

    hr@k          P(rank <= k)                  (= recall@k, for a row has one positive)
    precision@k   hr@k / k
    ndcg@k        E[1 / log2(rank + 1); rank <= k]
    map@k         E[1 / rank; rank <= k]
    mrr           E[1 / rank]
    auc           share of the negatives below the positive, ties half; NaN without negatives
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import UsageError
from kuajie.evaluation.ranking import Ranks

Floats = npt.NDArray[np.float64]
CUT = ("hr", "recall", "precision", "ndcg", "map")
WHOLE = ("mrr", "auc")


def row_metrics(ranks: Ranks, names: Iterable[str]) -> dict[str, Floats]:
    """Values of each row: name -> float64 (n_rows,).

    Args:
        ranks: of the positives.
        names: such as "ndcg@10", "mrr".

    Raises:
        UsageError: no such metric.
    """
    return {name: row_metric(ranks, name) for name in names}


def mean_metrics(ranks: Ranks, names: Iterable[str]) -> dict[str, float]:
    """Means over rows; NaN where there are none."""
    return {name: mean(values) for name, values in row_metrics(ranks, names).items()}


def mean(values: Floats) -> float:
    """The mean of what is known; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def row_metric(ranks: Ranks, name: str) -> Floats:
    """One metric of each row: float64 (n_rows,)."""
    base, k = parse_metric(name)
    if base == "auc":
        with np.errstate(invalid="ignore"):
            return np.asarray(1.0 - (ranks.better + ranks.tied / 2) / np.where(ranks.others > 0, ranks.others, np.nan))
    if base in ("hr", "recall", "precision"):
        hit = np.asarray(np.clip((k - ranks.better) / (ranks.tied + 1), 0.0, 1.0))
        return hit / k if base == "precision" else hit
    places = np.arange(1, max(k or 0, int((ranks.better + ranks.tied).max(initial=0)) + 1) + 1)
    gains = 1 / np.log2(places + 1) if base == "ndcg" else 1 / places
    if k:
        gains[k:] = 0
    return expected_gain(ranks, gains)


def expected_gain(ranks: Ranks, gains: Floats) -> Floats:
    """Mean of `gains[rank - 1]` over the possible ranks of each row."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    return np.asarray((sums[ranks.better + ranks.tied + 1] - sums[ranks.better]) / (ranks.tied + 1))


def check_metrics(names: Iterable[str]) -> None:
    """Refuse names of which there is no metric, before anything is computed.

    Raises:
        UsageError: no such metric.
    """
    for name in names:
        parse_metric(name)


def parse_metric(name: str) -> tuple[str, int]:
    """A metric's name and its k; k is 0 for metrics of the whole list.

    Raises:
        UsageError: no such metric.
    """
    base, at, k = name.partition("@")
    if (base in WHOLE and not at) or (base in CUT and k.isdecimal() and int(k) > 0):
        return base, int(k or 0)
    raise UsageError(
        "metrics are {cut}, {whole}; got '{name}'",
        cut=", ".join(f"{cut}@k" for cut in CUT),
        whole=", ".join(WHOLE),
        name=name,
    )
