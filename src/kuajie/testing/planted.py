"""Small worlds whose answer is known."""

import numpy as np

from kuajie.core.histories import Histories, Interactions
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace

TOPICS = ("涡轮增压 turbo", "口红 lipstick", "基金 fund", "纪录片 film")


def two_domain_interactions(
    n_people: int = 400, n_topics: int = 4, items_per_topic: int = 5, seed: int = 0, order: bool = True
) -> tuple[Interactions, np.ndarray, np.ndarray]:
    """A world where taste is a topic that both domains share.

    Person p likes topic p % n_topics; item i of either domain belongs to topic i % n_topics. Everybody has
    three to five items of their topic in each domain, so which items of domain b fit a person is told by domain a.
    What is said of an item names its topic, beside words that say nothing.

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
    return (
        Interactions(space, histories, planted_side(topics)),
        np.arange(n_people) % n_topics,
        np.concatenate([topics, topics]),
    )


def planted_side(topics: np.ndarray) -> SideInformation:
    """What is said of the items of two domains with these topics: title, category, price and an image's vector."""
    names = [TOPICS[topic] if topic < len(TOPICS) else f"话题{topic} topic{topic}" for topic in topics.tolist()]
    titles = [
        f"{kind} {name} {number}" for kind in ("课程 course", "产品 product") for number, name in enumerate(names)
    ]
    both = np.concatenate([topics, topics])
    images = np.eye(int(topics.max()) + 1, dtype=np.float32)[both] + np.float32(0.1)
    return SideInformation(
        len(both),
        {"title": titles},
        {"category": Labels.of([name.split()[1] for name in names] * 2)},
        {"price": np.arange(10, 10 + len(both), dtype=np.float64)},
        {"image": images},
    )
