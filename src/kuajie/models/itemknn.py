"""Item neighbourhood: `score(h, j) = sum_i h_i s_ij`, s the joint similarity of items over all domains.

Sarwar et al. 2001, "Item-based collaborative filtering recommendation algorithms"; the shrinkage is that of Bell and
Koren 2007. Formulas in `numerics.similarity`.
"""

from typing import ClassVar, Literal

import numpy as np
import pydantic
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError
from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.core.statistics import Statistics
from kuajie.models import sums
from kuajie.models.forms import refuse_large
from kuajie.models.item_weights import SparseWeights
from kuajie.models.linear import LinearModel


class ItemKNNConfig(Config):
    """Item neighbourhood.

    Attributes:
        similarity: cosine, or Jaccard (which ignores strengths).
        k: neighbours kept for each scored item in each domain.
        shrinkage: h of n / (n + h): pairs with few shared people count less.
        alpha: of the asymmetric cosine; 0.5 is the plain one, above it popular items score higher.
        binary: take every entry as 1 when similarities are learned.
        person_power: a person's entries are divided by (their number)^(person_power / 2), so that people who use
            everything say less about each pair; 0: everybody counts the same.
        sharpness: similarities are raised to this power; above 1 near neighbours count more.
        linked: across domains, lengths of items over linked people only.
        popularity_power: scores are multiplied by (training entries of the item)^popularity_power.
    """

    kind: Literal["itemknn"] = "itemknn"
    similarity: Literal["cosine", "jaccard"] = "cosine"
    k: int = pydantic.Field(100, ge=1)
    shrinkage: float = pydantic.Field(20.0, ge=0)
    alpha: float = pydantic.Field(0.5, ge=0, le=1)
    binary: bool = True
    person_power: float = pydantic.Field(0.0, ge=0)
    sharpness: float = pydantic.Field(1.0, gt=0)
    linked: bool = True
    popularity_power: float = pydantic.Field(0.0, ge=-1, le=1)


class ItemKNN(LinearModel[ItemKNNConfig]):
    """Similar items, of any domain, are what carries a score."""

    config_type: ClassVar[type[ItemKNNConfig]] = ItemKNNConfig

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Sums over all pairs of items at once where they fit and are many, else one item's row at a time.

        Raises:
            ResourceError: the neighbours themselves do not fit.
        """
        n_items, threads = shape.space.n_items, max(1, options.threads)
        k = min(self.config.k, n_items)
        pairs = 1.7 * shape.n_entries * (shape.n_entries / max(shape.n_people, 1) + 1)  # 1.7: long tails
        neighbours = 32 * n_items * min(k * len(shape.space.domains), n_items)
        rows = neighbours + 32 * shape.n_entries + threads * 12 * n_items
        dense = rows + 4 * n_items**2 * (2 if self.config.shrinkage and not self._binary else 1)
        if dense <= options.memory_bytes and (n_items <= 2_000 or n_items**2 <= pairs / 2):
            return Plan("dense", dense, 0.02 + (6e-9 * n_items**2 + 1e-9 * pairs) / threads)
        if rows <= options.memory_bytes:
            return Plan("row-blocks", rows, 0.02 + (5e-9 * pairs + 1e-8 * n_items * k) / threads)
        raise ResourceError(
            "itemknn with {k} neighbours in each domain for {n_items:,} items needs about {needed:.1f} "
            "GiB, available are {granted:.1f} GiB. Choose a smaller k or allow more memory.",
            k=k,
            n_items=n_items,
            needed=rows / 2**30,
            granted=options.memory_bytes / 2**30,
        )

    @property
    def _binary(self) -> bool:
        """Whether products are counts."""
        return self.config.similarity == "jaccard" or (self.config.binary and not self.config.person_power)

    def learn(self, interactions: Interactions, options: FitOptions) -> SparseWeights:
        """Similarity of each pair of items, the k best of each column and domain."""
        from kuajie.numerics.similarity import Similarity, item_neighbours

        config = self.config
        matrix = prepared(interactions.matrix(), config.binary, config.person_power)
        weights = item_neighbours(
            matrix,
            interactions.space,
            Similarity(
                kind=config.similarity,
                k=min(config.k, interactions.space.n_items),
                shrinkage=config.shrinkage,
                alpha=config.alpha,
                linked=config.linked,
            ),
            options.threads,
            dense=self.plan(DataShape.of(interactions), options).method == "dense",
        )
        if config.sharpness != 1:
            weights.data **= np.float32(config.sharpness)
        return SparseWeights(weights)

    @property
    def binary(self) -> bool:
        """Whether strengths do not matter."""
        return self.config.similarity == "jaccard" or self.config.binary

    @property
    def statistics_name(self) -> str:
        """What goes into the products, and whose lengths count."""
        power = 0.0 if self.config.similarity == "jaccard" else self.config.person_power
        return f"itemknn binary={self.binary} counts={self._binary} power={power} linked={self.config.linked}"

    def statistics(self, interactions: Interactions) -> Statistics:
        """Products and numbers of shared people for each pair, and the lengths of items over who is known where."""
        config, space = self.config, interactions.space
        matrix = prepared(
            interactions.matrix(), self.binary, 0.0 if config.similarity == "jaccard" else config.person_power
        )
        matrix = matrix.astype(np.float64)
        pairs = {"dots": sums.gram(matrix)}
        if not self._binary:
            pairs["counts"] = sums.gram(sums.used(interactions, binary=True))
        known = sums.known_in(matrix, space) if config.linked else np.ones((matrix.shape[0], len(space.domains)))
        items = {"support": interactions.support(), "mass": np.asarray(matrix.power(2).T @ known)}
        return Statistics(space, pairs, items)

    def learn_statistics(self, statistics: Statistics, options: FitOptions) -> SparseWeights:
        """The same as `learn`, from sums.

        Raises:
            ResourceError: the sums over all pairs do not fit.
        """
        from kuajie.numerics.similarity import Similarity, neighbours_of_sums

        config, space = self.config, statistics.space
        refuse_large("itemknn", 8 * space.n_items**2 * len(statistics.pairs), options)
        dots = sums.full(statistics.pairs["dots"])
        counts = sums.full(statistics.pairs["counts"]) if "counts" in statistics.pairs else dots
        similarity = Similarity(config.similarity, min(config.k, space.n_items), config.shrinkage, config.alpha)
        mass = statistics.items["mass"].astype(np.float32)
        weights = neighbours_of_sums(dots, counts, mass, space, similarity, options.threads)
        if config.sharpness != 1:
            weights.data **= np.float32(config.sharpness)
        return SparseWeights(weights)


def prepared(matrix: sparse.csr_array, binary: bool, person_power: float) -> sparse.csr_array:
    """The training matrix without zeros, entries as 1 if `binary`, rows divided by length^(person_power / 2)."""
    matrix.eliminate_zeros()
    if binary:
        matrix.data[:] = 1
    if person_power:
        lengths = np.diff(matrix.indptr)
        matrix.data *= np.repeat(np.maximum(lengths, 1) ** (-person_power / 2), lengths).astype(np.float32)
    return matrix
