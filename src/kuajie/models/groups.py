"""Popularity by group: what people of the same place, age band or trade use, for somebody with attributes alone.

    score(g, j) = p_j * prod_fields  share_gj / p_j

share_gj is the share of the item among what the group uses, drawn towards everybody's as strongly as the data say
(`numerics.shrinkage`): groups that do not differ, and groups of few, are told what is popular. It is no recommender of
histories: what it is asked with are attributes, which reach it as labels of people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.errors import UsageError
from kuajie.core.histories import Interactions
from kuajie.core.side import Labels
from kuajie.core.space import ItemSpace
from kuajie.numerics.shrinkage import F64, fitted_strength, shrunk_shares

LEAST_PEOPLE = 5
"""Groups of fewer people are told what is popular: a list of their own would tell what one of them does."""


@dataclass(frozen=True, eq=False)
class Group:
    """One field of attributes.

    Attributes:
        names: of the groups.
        lifts: float32 (n_groups, n_items): share in the group over everybody's; 1 where nothing is known.
        strength: how many events of its own a group needs to count half.
    """

    names: tuple[str, ...]
    lifts: npt.NDArray[np.float32]
    strength: float


@dataclass(frozen=True, eq=False)
class GroupPopularity:
    """Fitted on people whose attributes are known.

    Attributes:
        space: the joint item space.
        shares: float64 (n_items,): of each item in its domain.
        fields: name -> what its groups like.
    """

    space: ItemSpace
    shares: F64
    fields: Mapping[str, Group]

    @classmethod
    def fit(cls, interactions: Interactions, attributes: Mapping[str, Labels]) -> Self:
        """Count.

        Args:
            interactions: one history for each person.
            attributes: field -> labels of each person.

        Raises:
            UsageError: labels of another number of people.
        """
        used = interactions.matrix()
        used.data = (used.data > 0).astype(np.float32)
        support, space = np.asarray(used.sum(axis=0), np.float64).reshape(-1), interactions.space
        shares = _by_domain(support, space)
        fields = {}
        for name, labels in attributes.items():
            if labels.matrix.shape[0] != interactions.n_people:
                raise UsageError(
                    "attributes '{name}' are of {got} people, the interactions have {people}",
                    name=name,
                    got=labels.matrix.shape[0],
                    people=interactions.n_people,
                )
            fields[name] = _group(labels, used, shares, space)
        return cls(space, shares, fields)

    def score(self, attributes: Mapping[str, Labels], target: str, n_rows: int = 1) -> npt.NDArray[np.float32]:
        """Scores (n_rows, items of the target); NaN where nobody used an item.

        Args:
            attributes: field -> labels of each row; what was not seen at the fit says nothing.
            target: the domain.
            n_rows: people who are asked for.
        """
        part = self.space.slice(target)
        total = np.repeat(np.log(np.maximum(self.shares[part], 1e-300))[None, :], n_rows, axis=0)
        for name, labels in attributes.items():
            group = self.fields.get(name)
            if group is not None:
                total += _mean_log_lift(labels, group, part)
        return np.where(self.shares[part] > 0, np.exp(total), np.nan).astype(np.float32)


def _by_domain(support: F64, space: ItemSpace) -> F64:
    shares = np.zeros(space.n_items)
    for domain in space.domains:
        part = space.slice(domain)
        shares[part] = support[part] / max(support[part].sum(), 1.0)
    return shares


def _group(labels: Labels, used: sparse.csr_array, shares: F64, space: ItemSpace) -> Group:
    """Lifts of one field's groups; each domain is a question of its own, the strength is that of the surest."""
    belongs = labels.matrix.astype(np.float32)
    counts = sparse.csr_array(belongs.T @ used)
    people = np.asarray(belongs.sum(axis=0)).reshape(-1)
    lifts, strengths = np.ones(counts.shape, np.float32), []
    for domain in space.domains:
        part = space.slice(domain)
        own, usual = counts[:, part], shares[part]
        if not own.nnz:
            continue
        strengths.append(fitted_strength(own, usual))
        shrunk = shrunk_shares(own, usual, strengths[-1])
        lifts[:, part] = np.divide(shrunk, usual, out=np.ones(own.shape), where=usual > 0)
    lifts[people < LEAST_PEOPLE] = 1.0
    return Group(labels.names, lifts, min(strengths, default=float("inf")))


def _mean_log_lift(labels: Labels, group: Group, part: slice) -> F64:
    """Of the groups of each row that were seen at the fit: (n_rows, n_target)."""
    known = {name: number for number, name in enumerate(group.names)}
    place = np.array([known.get(name, -1) for name in labels.names], np.int64)
    seen = np.flatnonzero(place >= 0)
    belongs = labels.matrix.astype(np.float64)[:, seen]
    count = np.maximum(np.asarray(belongs.sum(axis=1)).reshape(-1, 1), 1.0)
    return np.asarray(belongs @ np.log(group.lifts[place[seen]][:, part].astype(np.float64)) / count)
