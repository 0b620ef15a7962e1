"""Truncated SVD: `score(h, j) = h D^(-q/2) V f(s) V^T e_j`, V the leading right singular vectors of the scaled matrix.

Cremonesi, Koren, Turrin 2010, "Performance of recommender algorithms on top-n recommendation tasks" (PureSVD: no
scaling, f = 1); scaling by popularity after Nikolakopoulos et al. 2019, "EigenRec". A person is never decomposed: the
state is (n_items, rank) twice, and the score is linear in the history.
"""

from typing import ClassVar, Literal

import numpy as np
import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError
from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.models.item_weights import LowRankWeights
from kuajie.models.itemknn import prepared
from kuajie.models.linear import LinearModel


class SVDConfig(Config):
    """Truncated SVD.

    Attributes:
        factors: rank.
        binary: take every entry as 1.
        item_power: columns are divided by (their length)^item_power before the decomposition, so that popular items
            do not take all the factors; 0: PureSVD.
        person_power: rows are divided by (their number of entries)^(person_power / 2).
        spectrum: f(s) = (s / largest s)^spectrum; above 0 the leading vectors count more.
        popularity_power: scores are multiplied by (training entries of the item)^popularity_power.
    """

    kind: Literal["svd"] = "svd"
    factors: int = pydantic.Field(64, ge=1)
    binary: bool = True
    item_power: float = pydantic.Field(0.5, ge=0, le=1)
    person_power: float = pydantic.Field(0.5, ge=0)
    spectrum: float = pydantic.Field(1.0, ge=0)
    popularity_power: float = pydantic.Field(0.3, ge=-1, le=1)


class SVD(LinearModel[SVDConfig]):
    """People's histories, seen through the main directions of everybody's."""

    config_type: ClassVar[type[SVDConfig]] = SVDConfig

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Exact for few items, else sampled.

        Raises:
            ResourceError: the images of all people under the factors do not fit.
        """
        from kuajie.numerics.svd import EXACT_COLUMNS, OVERSAMPLING, POWER_ITERATIONS

        n_items, threads = shape.space.n_items, max(1, options.threads)
        width = self.config.factors + OVERSAMPLING
        if n_items <= EXACT_COLUMNS:
            method, memory = "exact", 32 * shape.n_entries + 40 * n_items**2
            length = shape.n_entries / max(shape.n_people, 1) + 1
            seconds = 0.05 + 1e-8 * shape.n_entries * length + 4e-10 * n_items**3 / threads
        else:
            method = "sampled"
            memory = 32 * shape.n_entries + 16 * width * (shape.n_people + 2 * n_items)
            products = 2 * POWER_ITERATIONS * shape.n_entries * width
            seconds = 0.05 + 5e-10 * products + 2e-9 * POWER_ITERATIONS * n_items * width**2 / threads
        if memory > options.memory_bytes:
            raise ResourceError(
                "svd with {factors} factors for {n_people:,} people and {n_items:,} items needs about "
                "{needed:.1f} GiB, available are {granted:.1f} GiB. Choose fewer factors or allow more "
                "memory.",
                factors=self.config.factors,
                n_people=shape.n_people,
                n_items=n_items,
                needed=memory / 2**30,
                granted=options.memory_bytes / 2**30,
            )
        return Plan(method, memory, seconds)

    def learn(self, interactions: Interactions, options: FitOptions) -> LowRankWeights:
        """Scale, decompose, and put the scaling of the history's side back."""
        from kuajie.numerics.svd import right_singular

        config = self.config
        matrix = prepared(interactions.matrix(), config.binary, config.person_power)
        lengths = np.sqrt(np.bincount(matrix.indices, matrix.data.astype(np.float64) ** 2, interactions.space.n_items))
        scale = np.where(lengths > 0, np.maximum(lengths, 1e-30) ** -config.item_power, 0).astype(np.float32)
        matrix.data *= scale[matrix.indices]
        values, vectors = right_singular(matrix, config.factors, options.seed, options.threads)
        weight = (values / values[:1]) ** config.spectrum
        return LowRankWeights(scale[:, None] * vectors * weight.astype(np.float32), vectors)
