"""Where the topics start: clusters of the items by who used them together with what words.

Variational inference only finds a near optimum, and from a random start topics melt into each other. Items lie near
each other in the leading singular vectors of people's documents (latent semantic analysis, Deerwester et al. 1990,
terms weighed by their rarity); K-means of their directions gives every topic items of its own to begin with.
"""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.numerics.svd import right_singular
from kuajie.profiles.kmeans import k_means

PEOPLE = 10_000
"""A sample of so many documents shows which items go together."""
SOFT = 0.5
"""Part of the start that is shared out by what people use together, so that an item may change its topic."""


def starting_weights(
    documents: sparse.csr_array, n_items: int, words_of_items: sparse.csr_array, topics: int, rng: np.random.Generator,
    threads: int,
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Expected counts of each term in each topic to start from: float64 (terms, topics).

    Args:
        documents: float32 (people, terms), every row with a term.
        n_items: the first so many terms are items.
        words_of_items: (n_items, terms - n_items), the words that each item brings.
        topics: at most as many as items.
        rng: the sample, and the starts of K-means.
        threads: how many.
    """
    labels = _groups_of_items(documents, n_items, topics, rng, threads)
    own = np.zeros((n_items, topics), np.float32)
    own[np.arange(n_items), labels] = 1
    used = documents[:, :n_items]
    share = used @ own
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
    soft = (documents.T @ share).astype(np.float64)
    own *= np.asarray(used.sum(axis=0), np.float32)[:, None]
    hard = np.concatenate([own, words_of_items.T @ own]).astype(np.float64)
    found: npt.NDArray[np.float64] = (1 - SOFT) * hard + SOFT * soft
    return found


def _groups_of_items(
    documents: sparse.csr_array, n_items: int, topics: int, rng: np.random.Generator, threads: int
) -> npt.NDArray[np.int32]:
    n = documents.shape[0]
    sample = documents[np.sort(rng.choice(n, min(n, PEOPLE), replace=False))]
    frequency = np.bincount(sample.indices, minlength=sample.shape[1])
    rarity = np.log((1 + sample.shape[0]) / np.maximum(frequency, 1)).astype(np.float32)
    weighed = sparse.csr_array(
        (np.sqrt(sample.data * rarity[sample.indices]), sample.indices, sample.indptr), shape=sample.shape
    )
    seed = int(rng.integers(2**31))
    values, vectors = right_singular(weighed, topics, seed, threads)
    places = vectors[:n_items] * values.astype(np.float32)
    places /= np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-9)
    return k_means(places, topics, seed)[1]
