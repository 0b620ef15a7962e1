"""Topics of interest: latent Dirichlet allocation over the items that people used and the words of these items.

The model is that of Blei, Ng and Jordan (2003). It is fitted by online variational inference (Hoffman, Blei and Bach
2010, algorithm 2): batches of people in random order, each moving the topics by rho_t = (tau + t) ** -kappa, from
clusters of items (`profiles.seeding`). A person is folded in from their history alone, so a click of a second ago
counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import psi

from kuajie.core.errors import DataError
from kuajie.core.recommender import Arrays
from kuajie.data.catalog import Catalog
from kuajie.numerics.dirichlet import expected_beta, expected_counts, infer
from kuajie.profiles.seeding import starting_weights
from kuajie.profiles.vocabulary import Vocabulary

F32 = npt.NDArray[np.float32]
ETA = 0.02
"""Prior of a topic's terms."""
TAU, KAPPA = 64.0, 0.7
BATCH = 2_048
UPDATES = 40
"""At least so many batches, and everybody at least once."""
STEPS, CLOSE = 15, 1e-2
"""Inside the fit an approximate inference is enough; folding in goes on to the end."""


@dataclass(frozen=True, eq=False)
class Topics:
    """Fitted topics.

    Attributes:
        vocabulary: the terms.
        weights: float32 (terms, topics), Dirichlet weights of the terms of each topic.
        alpha: prior of a person's topics.
    """

    vocabulary: Vocabulary
    weights: F32
    alpha: float

    @property
    def n_topics(self) -> int:
        """How many."""
        return int(self.weights.shape[1])

    @property
    def terms_share(self) -> npt.NDArray[np.float64]:
        """The share of each term in each topic: float64 (terms, topics), columns sum to 1."""
        weights = self.weights.astype(np.float64)
        found: npt.NDArray[np.float64] = weights / weights.sum(axis=0)
        return found

    def fold_in(self, documents: sparse.csr_array, threads: int = 1) -> F32:
        """Evidence of each topic in documents, in used items: float32 (documents, topics), >= 0.

        A row's sum is the mass of its document divided by what one item counts.
        """
        gamma = infer(documents, self.beta, self.alpha, threads)
        gamma -= np.float32(self.alpha)
        np.maximum(gamma, 0, out=gamma)
        gamma /= np.float32(1 + self.vocabulary.text_weight)
        return gamma

    def parts(self, document: sparse.csr_array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What items and what words gave as evidence of each topic, of one document: two float64 (topics,)."""
        gamma = infer(document, self.beta, self.alpha, 1)[0]
        phi = self.beta[document.indices].astype(np.float64) * np.exp(psi(gamma.astype(np.float64)))
        phi *= (document.data / phi.sum(axis=1).clip(1e-300))[:, None]
        items = document.indices < len(self.vocabulary.items)
        return phi[items].sum(axis=0), phi[~items].sum(axis=0)

    @cached_property
    def beta(self) -> F32:
        """exp(E[log beta]): float32 (terms, topics)."""
        return expected_beta(self.weights.astype(np.float64))

    def arrays(self) -> Arrays:
        """What is learned."""
        return {"topic_weights": self.weights, "rarity": self.vocabulary.rarity}


def fit_topics(
    documents: sparse.csr_array,
    vocabulary: Vocabulary,
    catalog: Catalog,
    topics: int,
    rng: np.random.Generator,
    threads: int,
) -> Topics:
    """Find topics in people's documents.

    Args:
        documents: float32 (people, terms), counts.
        vocabulary: what the terms are.
        catalog: where the items are.
        topics: how many; at most as many as items are told apart.
        rng: the start and the order.
        threads: how many.

    Raises:
        DataError: there is no document with an item.
        MissingExtraError: scikit-learn is not installed.
    """
    n_items = len(vocabulary.items)
    documents = documents[np.diff(documents.indptr) > 0]
    if not documents.shape[0] or not n_items:
        raise DataError("nobody has used anything that topics could be found in. Import events first: kuajie import")
    topics = min(topics, n_items)
    numbers = [catalog.number(*name) for name in vocabulary.items]
    words = vocabulary.terms(catalog)[numbers][:, n_items:]
    weights = ETA + starting_weights(documents, n_items, words, topics, rng, threads)
    alpha, people = 1.0 / topics, documents.shape[0]
    size = min(BATCH, max(32, people // 8))
    for step, rows in enumerate(_batches(people, size, rng)):
        counts = expected_counts(documents[rows], expected_beta(weights), alpha, threads, STEPS, CLOSE)
        rho = (TAU + step) ** -KAPPA
        weights *= 1 - rho
        weights += rho * (ETA + counts * (people / len(rows)))
    return Topics(vocabulary, weights.astype(np.float32), alpha)


def _batches(people: int, size: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Everybody in random order, in batches, as often as `UPDATES` asks for."""
    for _ in range(max(1, -(-UPDATES * size // people))):
        order = rng.permutation(people)
        for start in range(0, people, size):
            yield np.sort(order[start : start + size])
