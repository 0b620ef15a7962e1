"""The best items for many histories at once, with any model: the one call of batch scoring."""

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.histories import Histories
from kuajie.core.recommender import Recommender
from kuajie.core.space import ItemSpace
from kuajie.models.item_weights import DenseWeights, SparseWeights
from kuajie.models.linear import LinearModel, known_items
from kuajie.numerics.threads import blocks
from kuajie.numerics.topk import Best, best_dense, best_sparse, top_k

BLOCK_BYTES = 64 * 2**20


def best_items(
    model: Recommender,
    space: ItemSpace,
    histories: Histories,
    target: str,
    k: int = 10,
    seen: Histories | None = None,
    eligible: npt.NDArray[np.bool_] | None = None,
    threads: int = 1,
) -> Best:
    """The k best items of the target domain for each history, best first; equal scores by lower number.

    Args:
        model: fitted. Linear models with a dense or sparse matrix never hold the scores of more than one person.
        space: what the model was fitted on.
        histories: rows to score.
        target: domain.
        k: places.
        seen: items to leave out, one row for each history; usually `histories` themselves.
        eligible: bool (items of the target,), false where an item must not be shown.
        threads: how many threads.

    Returns:
        numbers inside the target domain; -1 where a row has fewer than k scored items, as rows without a known item.
    """
    part = space.slice(target)
    shown = np.ones(part.stop - part.start, np.bool_) if eligible is None else eligible
    if (
        isinstance(model, LinearModel)
        and isinstance(model.weights_, DenseWeights | SparseWeights)
        and not model.has_base
    ):
        return _best_linear(model, model.weights_, histories, part, k, seen, shown, threads)
    best = Best.empty(histories.n_rows, k)
    for low, high in blocks(histories.n_rows, BLOCK_BYTES // (4 * len(shown))):
        rows = np.arange(low, high)
        scores = model.score(histories.take(rows), target)
        scores[:, ~shown] = np.nan
        found = top_k(scores, k, None if seen is None else seen.take(rows), part.start, threads)
        best.items[low:high], best.scores[low:high] = found.items, found.scores
    return best


def _best_linear(
    model: LinearModel[Config],
    weights: DenseWeights | SparseWeights,
    histories: Histories,
    part: slice,
    k: int,
    seen: Histories | None,
    shown: npt.NDArray[np.bool_],
    threads: int,
) -> Best:
    """The same, person by person in one pass over the matrix."""
    matrix = model.weighing.apply(histories, model.space_).matrix()
    shown = shown & model.known_[part]
    scale = model.column_scale(part)
    if isinstance(weights, DenseWeights):
        best = best_dense(matrix, weights.matrix, part, k, shown, seen, threads, scale)
    else:
        best = best_sparse(matrix, weights.matrix, part, k, shown, seen, threads, scale)
    unknown = known_items(histories, model.known_) == 0
    best.items[unknown], best.scores[unknown] = -1, np.nan
    return best
