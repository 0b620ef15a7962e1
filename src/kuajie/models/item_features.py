"""Features of items from what is known of them: blocks of columns whose rows have unit length, or are zero.

    texts -> encoder -> rows          labels -> one column each, weighed by idf -> rows
    numbers -> bins of their domain's quantiles -> rows          ready-made vectors -> rows

A row of all blocks side by side, each times the root of its weight, scaled to unit length: the product of two rows is
the weighted mean of the blocks' cosines, where a block that does not know both items says 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.errors import DataError
from kuajie.core.rows import unit_rows, unit_vectors
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.text.encoders import AnyEncoderConfig, Rows, fit_encode

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Weight = Annotated[float, pydantic.Field(ge=0)]


class FeatureWeights(Config):
    """What each kind of feature counts in the likeness of two items; 0 leaves it out."""

    texts: Weight = 1.0
    labels: Weight = 0.3
    numbers: Weight = 0.1
    vectors: Weight = 1.0


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """Rows of unit length, or zero, of the items of a joint space.

    Attributes:
        scattered: float32 CSR (n_items, anything).
        full: float32 (n_items, anything).
        described: bool (n_items,), true where the row is not zero.
    """

    scattered: sparse.csr_array
    full: F32
    described: npt.NDArray[np.bool_]


def item_features(
    side: SideInformation | None,
    space: ItemSpace,
    encoder: AnyEncoderConfig,
    weights: FeatureWeights,
    fields: Sequence[str] = (),
    bins: int = 8,
    seed: int = 0,
) -> ItemFeatures:
    """The features of all items.

    Args:
        side: what is known of the items.
        space: the joint item space.
        encoder: of the texts, which are read as one text for each item.
        weights: of the kinds of features.
        fields: names of the texts, labels, numbers and vectors that are read; none: all.
        bins: of each number.
        seed: of the encoder.

    Raises:
        DataError: nothing is known of any item, or not one of the fields.
    """
    blocks = list(_blocks(_wanted(side, fields), space, encoder, weights, bins, seed))
    n_items = space.n_items
    known = np.zeros(n_items)
    for weight, rows in blocks:
        known += weight * _not_zero(rows)
    scale = 1 / np.sqrt(np.where(known > 0, known, 1))
    scattered: list[sparse.csr_array] = [sparse.csr_array((n_items, 0), dtype=np.float32)]
    full: list[F32] = [np.zeros((n_items, 0), np.float32)]
    for weight, rows in blocks:
        factor = (np.sqrt(weight) * scale).astype(np.float32)
        if isinstance(rows, np.ndarray):
            full.append(rows * factor[:, None])
        else:
            data = rows.data * np.repeat(factor, np.diff(rows.indptr))
            scattered.append(sparse.csr_array((data, rows.indices, rows.indptr), shape=rows.shape))
    joined = sparse.csr_array(sparse.hstack(scattered, format="csr"))
    return ItemFeatures(joined, np.concatenate(full, axis=1), known > 0)


def describes(side: SideInformation | None) -> bool:
    """Whether side information holds anything that features are made of."""
    return side is not None and any((side.texts, side.labels, side.numbers, side.vectors))


def _wanted(side: SideInformation | None, fields: Sequence[str]) -> SideInformation:
    if side is None or not describes(side):
        raise DataError(
            "the data say nothing of their items: no text, label, number or vector. Give items a title, category, "
            "brand or price, or leave the model 'content' out."
        )
    if not fields:
        return side
    kinds = (side.texts, side.labels, side.numbers, side.vectors)
    missing = [name for name in fields if not any(name in kind for kind in kinds)]
    if missing:
        raise DataError(
            "the data say nothing of {missing}; they know {known}. Correct the fields of the model 'content'.",
            missing=", ".join(missing),
            known=", ".join(dict.fromkeys(name for kind in kinds for name in kind)),
        )
    parts = ({name: kind[name] for name in fields if name in kind} for kind in kinds)
    return SideInformation(side.n_items, *parts)  # type: ignore[arg-type]


def _blocks(
    side: SideInformation,
    space: ItemSpace,
    encoder: AnyEncoderConfig,
    weights: FeatureWeights,
    bins: int,
    seed: int,
) -> Iterable[tuple[float, Rows]]:
    """Weight and rows of each block."""
    if side.texts and weights.texts:
        yield weights.texts, fit_encode(encoder, joined_texts(side), seed)[1]
    if weights.labels:
        yield from ((weights.labels, label_rows(labels)) for labels in side.labels.values())
    if weights.numbers:
        yield from ((weights.numbers, bin_rows(values, space, bins)) for values in side.numbers.values())
    if weights.vectors:
        yield from ((weights.vectors, unit_vectors(np.nan_to_num(rows))) for rows in side.vectors.values())


def joined_texts(side: SideInformation) -> list[str]:
    """All texts of each item as one, what is said twice once."""
    return ["\n".join(dict.fromkeys(filter(None, texts))) for texts in zip(*side.texts.values(), strict=True)]


def label_rows(labels: Labels) -> sparse.csr_array:
    """One column for each label, weighed by its idf as words are: float32 CSR (n_items, n_labels), rows of length 1."""
    matrix = labels.matrix
    frequency = np.bincount(matrix.indices, minlength=matrix.shape[1])
    idf = 1 + np.log((1 + matrix.shape[0]) / (1 + frequency))
    return unit_rows(sparse.csr_array((idf[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape))


def bin_rows(values: F64, space: ItemSpace, bins: int) -> sparse.csr_array:
    """Where a number stands among those of its domain, as weights of the two nearest of `bins` quantiles.

    Rows are float32 of length 1, so that near numbers are alike, and cheap things of one domain are like cheap things
    of another; an item whose number is not known has a zero row. Of a domain whose numbers are all equal, all stand in
    the middle.
    """
    places = np.full(len(values), np.nan)
    for domain in space.domains:
        part = space.slice(domain)
        places[part] = quantile_places(values[part])
    known = np.flatnonzero(~np.isnan(places))
    position = places[known] * (bins - 1)
    low = np.minimum(position.astype(np.int64), max(bins - 2, 0))
    above = position - low
    rows, columns = np.repeat(known, 2), np.stack([low, np.minimum(low + 1, bins - 1)], axis=1).reshape(-1)
    weights = np.stack([1 - above, above], axis=1).reshape(-1)
    matrix = sparse.csr_array(sparse.coo_array((weights, (rows, columns)), shape=(len(values), bins)))
    return unit_rows(matrix)


def quantile_places(values: F64) -> F64:
    """The middle rank of each number among all, 0..1; NaN where it is not known."""
    known = ~np.isnan(values)
    ordered = np.sort(values[known])
    ranks = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2
    return np.where(known, ranks / max(len(ordered), 1), np.nan)


def number_columns(values: F64, space: ItemSpace) -> F32:
    """A number for models that split or weigh columns: standardised logarithm, place in the domain, missing or not.

    Args:
        values: float64 (n_items,), NaN where not known. The logarithm is of 1 + the distance to the least of the
            domain, so that any number has one.
        space: where each domain lies.

    Returns:
        float32 (n_items, 3): mean 0 and deviation 1 inside each domain, and 0 where not known or where all are equal;
        the place 0..1, 0.5 where not known; 1 where not known.
    """
    columns = np.zeros((len(values), 3), np.float32)
    for domain in space.domains:
        part = space.slice(domain)
        own = values[part]
        known = ~np.isnan(own)
        columns[part, 1] = np.where(known, quantile_places(own), 0.5)
        columns[part, 2] = ~known
        if known.any():
            logs = np.log1p(own - own[known].min())
            spread = logs[known].std()
            if spread > 0:
                columns[part, 0] = np.where(known, (logs - logs[known].mean()) / spread, 0)
    return columns


def _not_zero(rows: Rows) -> npt.NDArray[np.bool_]:
    if isinstance(rows, np.ndarray):
        return np.asarray(rows.any(axis=1))
    return np.asarray(np.diff(rows.indptr) > 0)
