"""Implicit ALS: factors of items, and a person's factors solved from their history, whoever they are.

Hu, Koren, Volinsky 2008, "Collaborative filtering for implicit feedback datasets", with frequency-scaled regularisation
(Zhou et al. 2008; Rendle et al. 2022). The objective stands in `als_factors`.

With `prior`, every domain has factors of its own, and a person's target factors start from a ridge mapping of their
factors in the other domains, learned on linked people:

    mu_u = sum_s [x_us, 1] M_st
    x_ut = argmin sum_observed w_uj (1 - x y_j)^2 + sum_all a_t (x y_j)^2 + prior_weight |x - mu_u|^2

so a cold person stands at the mapped taste and moves to their own with history. No person's row is kept.
"""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan, per_item, stored
from kuajie.core.space import ItemSpace
from kuajie.models.linear import mask_unknown

if TYPE_CHECKING:
    from kuajie.models.als_factors import ItemFactors, Objective

F32 = npt.NDArray[np.float32]
WARM_SHARE = 3
"""A warm start takes this part of the iterations."""


class ALSConfig(Config):
    """Implicit ALS.

    Attributes:
        factors: f.
        iterations: alternations.
        regularization: lambda, of a typical person and a typical item, when an event weighs 1.
        frequency_power: nu; 1: regularisation grows with the weight of a row, 0: it is the same for all.
        zeros: the weight of all pairs together, relative to the observed ones together.
        binary: take every entry as 1.
        absent: zeros count also in domains where a person is not known at all.
        prior: see the module.
        prior_weight: how strongly a person is held at the mapped taste.
        mapping_regularization: ridge of the mapping, for each linked person.
    """

    kind: Literal["als"] = "als"
    factors: int = pydantic.Field(64, ge=1)
    iterations: int = pydantic.Field(15, ge=1)
    regularization: float = pydantic.Field(5.0, gt=0)
    frequency_power: float = pydantic.Field(0.5, ge=0, le=1)
    zeros: float = pydantic.Field(20.0, gt=0)
    binary: bool = True
    absent: bool = True
    prior: bool = False
    prior_weight: float = pydantic.Field(5.0, gt=0)
    mapping_regularization: float = pydantic.Field(0.01, gt=0)


class ALS:
    """Implicit ALS with fold-in.

    Attributes:
        space_: the joint item space.
        support_: float64 (n_items,), training entries of each item.
        learned_: the items' factors.
        mapping_: float32 (n_domains, n_domains, f + 1, f), [source, target]: M; None without prior.
    """

    config_type: ClassVar[type[ALSConfig]] = ALSConfig
    contains_histories: bool = False
    space_: ItemSpace
    support_: npt.NDArray[np.float64]
    learned_: "ItemFactors"
    mapping_: F32 | None

    def __init__(self, config: ALSConfig | None = None) -> None:
        self.config = config or ALSConfig()

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Factors of all people while fitting, of items afterwards.

        Raises:
            ResourceError: the people's factors do not fit.
        """
        config, n_items = self.config, shape.space.n_items
        memory = 48 * shape.n_entries + 12 * config.factors * (shape.n_people + n_items)
        if config.prior:
            memory += 8 * config.factors * shape.n_people * len(shape.space.domains)
        if memory > options.memory_bytes:
            raise ResourceError(
                "als with {factors} factors for {people:,} people needs some {needed:.1f} GiB, available are "
                "{available:.1f} GiB. Choose fewer factors or allow more memory.",
                factors=config.factors,
                people=shape.n_people,
                needed=memory / 2**30,
                available=options.memory_bytes / 2**30,
            )
        work = 4 * config.factors**2 * (shape.n_people + n_items) + 16 * config.factors * shape.n_entries
        return Plan("conjugate gradients", memory, 0.1 + 1e-10 * work * config.iterations / max(1, options.threads))

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Alternate; then learn the mapping.

        Raises:
            ResourceError: the plan does not fit into the memory given.
        """
        return self._fit(interactions, options or FitOptions(), self.config.iterations, None)

    def fit_from(
        self, previous: "ALS", numbers: npt.NDArray[np.integer], interactions: Interactions, options: FitOptions
    ) -> Self:
        """See `WarmStart.fit_from`: a third of the iterations, from the items' factors before.

        Raises:
            ResourceError: the plan does not fit into the memory given.
        """
        if previous.config.factors != self.config.factors:
            return self.fit(interactions, options)
        start = np.zeros((interactions.space.n_items, self.config.factors), np.float32)
        there = np.flatnonzero(numbers >= 0)
        start[numbers[there]] = previous.learned_.factors[there]
        return self._fit(interactions, options, max(2, self.config.iterations // WARM_SHARE), start)

    def _fit(self, interactions: Interactions, options: FitOptions, iterations: int, start: F32 | None) -> Self:
        self.plan(DataShape.of(interactions), options)
        self.space_, self.support_ = interactions.space, interactions.support()
        matrix = self._weights(interactions.histories)
        if self.config.prior:
            self._fit_domains(matrix, options, iterations, start)
        else:
            self._fit_joint(matrix, options, iterations, start)
        return self

    def _fit_joint(self, matrix: sparse.csr_array, options: FitOptions, iterations: int, start: F32 | None) -> None:
        from kuajie.models.als_factors import train

        _, self.learned_ = train(matrix, self.space_, self._objective, self.config.factors, iterations, options, start)
        self.mapping_ = None

    def _fit_domains(self, matrix: sparse.csr_array, options: FitOptions, iterations: int, start: F32 | None) -> None:
        """Factors of each domain by itself, and the mappings between them."""
        from kuajie.models.als_factors import ItemFactors, Scales, active_domains, train

        config, space = self.config, self.space_
        people, items, scales = [], [], []
        for name, size in zip(space.domains, space.sizes, strict=True):
            own, part = ItemSpace((name,), (size,)), space.slice(name)
            before = None if start is None else start[part]
            x, learned = train(matrix[:, part], own, self._objective, config.factors, iterations, options, before)
            people.append(x)
            items.append(learned.factors)
            scales.append(learned.scales)
        joined = Scales(
            np.concatenate([part.unobserved for part in scales]), np.concatenate([part.typical for part in scales])
        )
        self.learned_ = ItemFactors.of(space, np.concatenate(items), self._objective, joined)
        self.mapping_ = learn_mapping(people, active_domains(matrix, space), config.mapping_regularization)

    def score(self, histories: Histories, target: str) -> F32:
        """Scores (n_rows, items of the target domain); NaN without training support."""
        part = self.space_.slice(target)
        people = self._people(self._weights(histories), target)
        scores = np.asarray(people @ self.learned_.factors[part].T, dtype=np.float32)
        return mask_unknown(scores, histories, self.support_, part)

    def _people(self, matrix: sparse.csr_array, target: str) -> F32:
        """X of each history for one target domain."""
        if self.mapping_ is None:
            return self.learned_.fold_in(matrix)
        mean = np.zeros((matrix.shape[0], self.config.factors), np.float32)
        for source in self.space_.others(target):
            own = only(matrix, self.space_.slice(source))
            mapping = self.mapping_[self.space_.index(source), self.space_.index(target)]
            known = (np.diff(own.indptr) > 0)[:, None]
            mean += known * (self.learned_.fold_in(own) @ mapping[:-1] + mapping[-1])
        own = only(matrix, self.space_.slice(target))
        return self.learned_.fold_in(own, mean, self.config.prior_weight)

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """The terms of `y_j A^-1 sum_i w_i y_i`, and through the mapping those of the other domains.

        They sum to the score; marked approximate, because removing an entry changes A as well.
        """
        row = self._weights(histories)
        y = self.learned_.factors[self.space_.slice(target)][items].astype(np.float64)
        contributions, base = np.zeros((len(items), row.nnz)), np.zeros(len(items))
        if self.mapping_ is None:
            contributions[:] = self._terms(row, y)
            return Explanation(row.indices.astype(np.int32), contributions, base, exact=False)
        domains = self.space_.domain_of(row.indices)
        number, weight = self.space_.index(target), self.config.prior_weight
        own = only(row, self.space_.slice(target))
        if own.nnz:
            contributions[:, domains == number] = self._terms(own, y, ridge=weight)
            y = np.asarray(weight * np.linalg.solve(self.learned_.system(own, ridge=weight), y.T).T)
        for source in self.space_.others(target):
            place = self.space_.index(source)
            other = only(row, self.space_.slice(source))
            if other.nnz:
                mapping = self.mapping_[place, number].astype(np.float64)
                contributions[:, domains == place] = self._terms(other, y @ mapping[:-1].T)
                base += y @ mapping[-1]
        return Explanation(row.indices.astype(np.int32), contributions, base, exact=False)

    def _terms(
        self, row: sparse.csr_array, y: npt.NDArray[np.float64], ridge: float | None = None
    ) -> npt.NDArray[np.float64]:
        """w_i y A^-1 y_i for each entry i of a single row: (len(y), entries)."""
        if not row.nnz:
            return np.zeros((len(y), 0))
        solved = np.linalg.solve(self.learned_.system(row, ridge), y.T)
        own = self.learned_.factors[row.indices].astype(np.float64)
        return np.asarray((own @ solved).T * row.data)

    def _weights(self, histories: Histories) -> sparse.csr_array:
        """The weights of trained items, without zeros."""
        matrix = histories.keep((self.support_[histories.items] > 0) & (histories.weights > 0)).matrix()
        if self.config.binary:
            matrix.data[:] = 1
        return matrix

    @property
    def _objective(self) -> "Objective":
        from kuajie.models.als_factors import Objective

        c = self.config
        return Objective(c.zeros, c.regularization, c.frequency_power, c.absent and not c.prior)

    def arrays(self) -> Arrays:
        """Support, factors of the items, scales, mapping."""
        scales = self.learned_.scales
        arrays: Arrays = {
            "support": self.support_,
            "factors": self.learned_.factors,
            "unobserved": scales.unobserved,
            "typical": scales.typical,
        }
        return arrays if self.mapping_ is None else {**arrays, "mapping": self.mapping_}

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again."""
        from kuajie.models.als_factors import ItemFactors, Scales

        model = cls(config)  # type: ignore[arg-type]
        model.space_ = space
        model.support_ = np.asarray(per_item(arrays, "support", space), np.float64)
        n_domains, rank = len(space.domains), model.config.factors
        scales = Scales(*(stored(arrays, name, (n_domains,)).astype(np.float64) for name in ("unobserved", "typical")))
        factors = stored(arrays, "factors", (space.n_items, rank)).astype(np.float32)
        model.learned_ = ItemFactors.of(space, factors, model._objective, scales)
        model.mapping_ = None
        if model.config.prior:
            model.mapping_ = stored(arrays, "mapping", (n_domains, n_domains, rank + 1, rank)).astype(np.float32)
        return model


def only(matrix: sparse.csr_array, part: slice) -> sparse.csr_array:
    """The same rows and columns with the entries of some columns alone."""
    mask = (matrix.indices >= part.start) & (matrix.indices < part.stop)
    kept = np.concatenate([[0], np.cumsum(mask)])
    return sparse.csr_array((matrix.data[mask], matrix.indices[mask], kept[matrix.indptr]), shape=matrix.shape)


def learn_mapping(people: list[F32], active: npt.NDArray[np.bool_], regularization: float) -> F32:
    """Ridge from the factors of all other domains at once to each domain's, on people known in it and another.

    Args:
        people: for each domain float32 (n_people, f).
        active: bool (n_people, n_domains), who is known where.
        regularization: ridge for each linked person, relative to the mean square of the factors.

    Returns:
        float32 (n_domains, n_domains, f + 1, f), [source, target]; the last line is added for who is known in source.
    """
    n_domains, rank = len(people), people[0].shape[1]
    mapping = np.zeros((n_domains, n_domains, rank + 1, rank), np.float32)
    for target in range(n_domains):
        sources = [source for source in range(n_domains) if source != target]
        linked = np.flatnonzero(active[:, target] & active[:, sources].any(axis=1))
        if not len(linked):
            continue
        known = active[linked].astype(np.float64)
        features = np.concatenate(
            [np.column_stack([people[source][linked] * known[:, [source]], known[:, source]]) for source in sources],
            axis=1,
        )
        ridge = regularization * len(linked) * np.mean(features**2) * np.eye(features.shape[1])
        solved = np.linalg.solve(features.T @ features + ridge, features.T @ people[target][linked].astype(np.float64))
        for place, source in enumerate(sources):
            mapping[source, target] = solved[place * (rank + 1) : (place + 1) * (rank + 1)]
    return mapping
