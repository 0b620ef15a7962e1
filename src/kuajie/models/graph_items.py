"""What the models of the knowledge graph share: which items they know, and the graph that they read."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.errors import UsageError
from kuajie.core.histories import Interactions
from kuajie.core.side import TripleGraph

LEARNING_PEOPLE = 20_000
"""People whose use decides how much each relation counts; of more a sample."""


def graph_of(name: str, interactions: Interactions) -> TripleGraph:
    """Triples and labels as one graph.

    Raises:
        UsageError: there are neither.
    """
    side = interactions.side
    if side is None or not side.joint.n_triples:
        raise UsageError(
            "{model} needs triples or labels of the items, and there are none. Add a source of triples (kg), or leave "
            "the model out.",
            model=name,
        )
    return side.joint


def some_used(interactions: Interactions, seed: int) -> sparse.csr_array:
    """Who used what, of at most LEARNING_PEOPLE people: (n_people, n_items), what weighs 0 left out."""
    some = interactions
    if some.n_people > LEARNING_PEOPLE:
        rng = np.random.default_rng(seed)
        some = some.take(np.sort(rng.choice(some.n_people, LEARNING_PEOPLE, replace=False)))
    used = some.matrix()
    used.eliminate_zeros()
    return used


def supported_by(graph: TripleGraph, interactions: Interactions) -> npt.NDArray[np.float64]:
    """Training entries of each item: (n_items,).

    One that nobody used and the graph knows counts as the mean of its domain: new is not unpopular.
    """
    known = np.zeros(graph.n_entities, np.bool_)
    apart = graph.heads != graph.tails
    known[graph.heads[apart]] = True
    known[graph.tails[apart]] = True
    known = known[: graph.n_items]
    support = interactions.support()
    for domain in interactions.space.domains:
        part = interactions.space.slice(domain)
        used = support[part][support[part] > 0]
        unseen = known[part] & (support[part] == 0)
        support[part][unseen] = max(float(used.mean()), 1.0) if len(used) else 1.0
    return support
