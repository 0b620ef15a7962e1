"""Making sparse data denser before a fit: interactions in, interactions with invented entries out.

    predicted   people with few entries get the items that a model thinks likeliest, with a small weight (pseudo-labels)
    knn         the same, from the most similar people: imputation by nearest neighbours
    gp          the same, from a Gaussian process over people, each entry as heavy as the process is sure
    synthetic   new people, each a mixture of a sparse one and one of its neighbours

What is invented is trained on and never asked for, never shown as history. Whether it helps is a question to the data:
`python -m benchmarks.cold_start` asks it; the answer is in docs/cold-start.md.

Sources: Lee 2013, "Pseudo-label"; Troyanskaya et al. 2001 for imputation by neighbours; Rasmussen & Williams 2006,
"Gaussian processes for machine learning", algorithm 2.1; Chawla et al. 2002, "SMOTE", section 6.2 (SMOTE-N).
"""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.models.gaussian import GaussianProcess, fit_process
from kuajie.models.linear import known_items
from kuajie.models.registry import AnyModelConfig, build
from kuajie.models.userknn import UserKNNConfig
from kuajie.numerics.jit import I32, I64
from kuajie.numerics.topk import top_k

Count = Annotated[int, pydantic.Field(ge=1)]
Weight = Annotated[float, pydantic.Field(gt=0, le=1)]
BATCH_CELLS = 8 * 2**20


class Imputation(Config):
    """What all ways of adding entries share.

    Attributes:
        below: people with fewer entries in a domain get some there, if they have a history anywhere.
        added: how many.
        weight: of each, against 1 for what really happened.
    """

    below: Count = 5
    added: Count = 3
    weight: Weight = 0.2


class PredictedConfig(Imputation):
    """Of any model of sets; see the module."""

    kind: Literal["predicted"] = "predicted"
    model: AnyModelConfig


class KNNConfig(Imputation):
    """Of the `k` most similar people."""

    kind: Literal["knn"] = "knn"
    k: Count = 50


class GPConfig(Imputation):
    """Of a Gaussian process over at most `people` people: their number is what it costs, to the third power."""

    kind: Literal["gp"] = "gp"
    people: Count = 1_500


class SyntheticConfig(Config):
    """New people out of sparse ones.

    Attributes:
        below: people with fewer entries are mixed.
        k: of that many neighbours one is drawn.
        copies: new people for each.
        weight: of their entries.
    """

    kind: Literal["synthetic"] = "synthetic"
    below: Count = 10
    k: Count = 10
    copies: Count = 1
    weight: Weight = 0.3


AugmentConfig = Annotated[
    PredictedConfig | KNNConfig | GPConfig | SyntheticConfig, pydantic.Field(discriminator="kind")
]


def augment(
    interactions: Interactions,
    config: "PredictedConfig | KNNConfig | GPConfig | SyntheticConfig",
    options: FitOptions | None = None,
) -> Interactions:
    """The interactions with what is invented; what really happened is as it was, in the same rows.

    Invented entries stand first in their row, without a time: they are older than anything known.

    Args:
        interactions: training data.
        config: what to invent.
        options: seed, threads and memory.
    """  # fmt: skip
    options = options or FitOptions()
    if not len(interactions.histories.items):
        return interactions
    if isinstance(config, SyntheticConfig):
        return _with_mixtures(interactions, config, options)
    if isinstance(config, GPConfig):
        process = fit_process(interactions, config.people, options.seed)
        return _with_predictions(interactions, process, config, options)
    model = config.model if isinstance(config, PredictedConfig) else UserKNNConfig(k=config.k)
    return _with_predictions(interactions, build(model).fit(interactions, options), config, options)


def _with_predictions(
    interactions: Interactions, model: Recommender | GaussianProcess, config: Imputation, options: FitOptions
) -> Interactions:
    """Add the best unseen items of each domain to those who have few entries there."""
    histories, space = interactions.histories, interactions.space
    counts, support = interactions.domain_counts(), interactions.support()
    added: list[tuple[I64, I64, npt.NDArray[np.float64]]] = []
    for number, domain in enumerate(space.domains):
        part = space.slice(domain)
        few = np.flatnonzero((counts[:, number] < config.below) & (known_items(histories, support) > 0))
        size = max(1, BATCH_CELLS // max(1, part.stop - part.start))
        for start in range(0, len(few), size):
            people = few[start : start + size]
            asked = histories.take(people)
            best = top_k(model.score(asked, domain), config.added, asked, part.start, options.threads).items
            rows, places = np.nonzero(best >= 0)
            items = best[rows, places].astype(np.int64)
            sure = model.certainty(asked)[rows] if isinstance(model, GaussianProcess) else np.ones(len(rows))
            added.append((people[rows], items + part.start, config.weight * sure))
    if not added:  # nobody is sparse
        return interactions
    people, numbers, weights = (np.concatenate(each) for each in zip(*added, strict=True))
    return replace(interactions, histories=_with_entries(histories, people, numbers, weights))


def _with_entries(histories: Histories, people: I64, items: I64, weights: npt.NDArray[np.float64]) -> Histories:
    """Histories with more entries at the beginning of their rows."""
    rows = np.concatenate([people, histories.rows()])
    order = np.argsort(rows, kind="stable")  # what is added comes first
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=histories.n_rows))]).astype(np.int64)
    times = histories.times
    if times is not None:
        times = np.concatenate([np.full(len(people), np.nan), times])[order]
    return replace(
        histories,
        indptr=indptr,
        items=np.concatenate([items.astype(np.int32), histories.items])[order],
        weights=np.concatenate([weights.astype(np.float32), histories.weights])[order],
        times=times,
    )


def _with_mixtures(interactions: Interactions, config: SyntheticConfig, options: FitOptions) -> Interactions:
    """Append people: of what a sparse person and a neighbour used, each thing with a chance of one half."""
    histories, rng = interactions.histories, np.random.default_rng([options.seed, 31])
    sparse_ones = np.flatnonzero((histories.lengths > 0) & (histories.lengths < config.below))
    near = _neighbours(histories, sparse_ones, config.k)
    mixing = np.tile(np.arange(len(near)), config.copies)
    # fewer neighbours than k stand first in their row: a draw falls among them
    drawn = (rng.random(len(mixing)) * np.maximum((near >= 0).sum(axis=1), 1)[mixing]).astype(np.int64)
    firsts, seconds = sparse_ones[mixing], near[mixing, drawn]
    pairs = np.stack([firsts, seconds], axis=1)[seconds >= 0].reshape(-1)
    both = histories.take(pairs)
    mixed = replace(both, indptr=both.indptr[::2], at=None if both.at is None else both.at[::2])  # two rows become one
    mixed = mixed.keep(rng.random(len(mixed.items)) < 0.5)
    mixed = mixed.with_weights(mixed.weights * np.float32(config.weight))
    return replace(interactions, histories=_stacked(histories, mixed))


def _stacked(first: Histories, second: Histories) -> Histories:
    return replace(
        first,
        indptr=np.concatenate([first.indptr, first.indptr[-1] + second.indptr[1:]]),
        items=np.concatenate([first.items, second.items]),
        weights=np.concatenate([first.weights, second.weights]),
        times=None if first.times is None or second.times is None else np.concatenate([first.times, second.times]),
        at=None if first.at is None or second.at is None else np.concatenate([first.at, second.at]),
    )


def _neighbours(histories: Histories, people: I64, k: int) -> I64:
    """The most similar people of each, themselves left out: int64 (n, <= k), -1 where there are fewer."""
    unit = histories.matrix()
    unit.data[:] = 1.0
    lengths = np.sqrt(np.maximum(np.diff(unit.indptr), 1))
    unit.data /= np.repeat(lengths, np.diff(unit.indptr)).astype(np.float32)
    found = np.full((len(people), min(k, max(1, histories.n_rows - 1))), -1, np.int64)
    size = max(1, BATCH_CELLS // max(1, histories.n_rows))
    transposed = unit.T.tocsr()
    for start in range(0, len(people), size):
        mine = people[start : start + size]
        alike = (unit[mine] @ transposed).toarray()
        alike[np.arange(len(mine)), mine] = 0.0
        alike[alike <= 0] = np.nan
        best: I32 = top_k(alike, found.shape[1]).items
        found[start : start + len(mine)] = best
    return found
