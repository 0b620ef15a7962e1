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
"""Where fewer people of a group used anything of a domain, it is told what is popular: a list of its own would tell
what one of them does."""


@dataclass(frozen=True, eq=False)
class Group:
    """One field of attributes.

    Attributes:
        names: of the groups.
        counts: float32 CSR (n_groups, n_items), people of the group who used the item; 0 in domains where they are few.
        strengths: of each domain: how many events of its own a group needs there to count half.
    """

    names: tuple[str, ...]
    counts: sparse.csr_array
    strengths: tuple[float, ...]

    def lifts(self, groups: npt.NDArray[np.integer], shares: F64, domain: int, part: slice) -> F64:
        """Share in some groups over everybody's, 1 where nothing is known: float64 (len(groups), items of the domain).

        Args:
            groups: their numbers.
            shares: float64 (n_items,), everybody's.
            domain: number of the domain.
            part: its slice.
        """
        own, usual, strength = self.counts[groups][:, part], shares[part], self.strengths[domain]
        if not np.isfinite(strength):
            return np.ones(own.shape)
        return np.divide(shrunk_shares(own, usual, strength), usual, out=np.ones(own.shape), where=usual > 0)


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
        part, domain = self.space.slice(target), self.space.index(target)
        total = np.repeat(np.log(np.maximum(self.shares[part], 1e-300))[None, :], n_rows, axis=0)
        for name, labels in attributes.items():
            group = self.fields.get(name)
            if group is not None:
                known = {name: number for number, name in enumerate(group.names)}
                place = np.array([known.get(name, -1) for name in labels.names], np.int64)
                seen = np.flatnonzero(place >= 0)
                total += _mean_of_row(labels, seen, np.log(group.lifts(place[seen], self.shares, domain, part)))
        return np.where(self.shares[part] > 0, np.exp(total), np.nan).astype(np.float32)


def _by_domain(support: F64, space: ItemSpace) -> F64:
    shares = np.zeros(space.n_items)
    for domain in space.domains:
        part = space.slice(domain)
        shares[part] = support[part] / max(support[part].sum(), 1.0)
    return shares


def _group(labels: Labels, used: sparse.csr_array, shares: F64, space: ItemSpace) -> Group:
    """Counts of one field's groups that are large enough; each domain is a question of its own."""
    belongs = sparse.csr_array(labels.matrix.astype(np.float32).T)
    parts, strengths = [], []
    for domain in space.domains:
        part = space.slice(domain)
        inside = used[:, part]
        people = belongs @ (np.diff(inside.indptr) > 0).astype(np.float32)
        enough = sparse.diags_array((people >= LEAST_PEOPLE).astype(np.float32), format="csr")
        counts = sparse.csr_array(enough @ belongs @ inside)
        counts.eliminate_zeros()
        strengths.append(fitted_strength(counts, shares[part]) if counts.nnz else float("inf"))
        parts.append(counts)
    return Group(labels.names, sparse.csr_array(sparse.hstack(parts, format="csr")), tuple(strengths))


def _mean_of_row(labels: Labels, seen: npt.NDArray[np.integer], values: F64) -> F64:
    """The mean of the values (n_seen, n) of each row's groups that were seen at the fit: (n_rows, n)."""
    belongs = labels.matrix.astype(np.float64)[:, seen]
    count = np.maximum(np.asarray(belongs.sum(axis=1)).reshape(-1, 1), 1.0)
    return np.asarray(belongs @ values / count)
