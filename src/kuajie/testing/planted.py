"""Small worlds whose answer is known."""

import numpy as np

from kuajie.core.histories import Histories, Interactions
from kuajie.core.space import ItemSpace


def two_domain_interactions(
    n_people: int = 400, n_topics: int = 4, items_per_topic: int = 5, seed: int = 0, order: bool = True
) -> tuple[Interactions, np.ndarray, np.ndarray]:
    """A world where taste is a topic that both domains share.

    Person p likes topic p % n_topics; item i of either domain belongs to topic i % n_topics. Everybody has
    three to five items of their topic in each domain, so which items of domain b fit a person is told by domain a.

    Returns:
        the interactions over domains "a" and "b"; the topic of each person; the topic of each joint item.
    """
    rng = np.random.default_rng(seed)
    size = n_topics * items_per_topic
    space = ItemSpace(("a", "b"), (size, size))
    topics = np.arange(size) % n_topics
    rows, times = [], []
    for person in range(n_people):
        fitting = np.flatnonzero(topics == person % n_topics)
        chosen = [
            rng.choice(fitting, size=rng.integers(3, items_per_topic + 1), replace=False) + d * size for d in (0, 1)
        ]
        row = rng.permutation(np.concatenate(chosen))
        rows.append(row.tolist())
        times.append((1_700_000_000 + 86_400.0 * np.arange(len(row))).tolist())
    at = [row[-1] + 86_400 for row in times] if order else None
    histories = Histories.from_lists(
        rows, space.n_items, times=times if order else None, at=at, order="joint" if order else "none"
    )
    return Interactions(space, histories), np.arange(n_people) % n_topics, np.concatenate([topics, topics])
