"""Small worlds whose answer is known."""

from dataclasses import replace

import numpy as np

from kuajie.core.histories import Histories, Interactions
from kuajie.core.side import Labels, SideInformation, TripleGraph
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
    interactions = Interactions(space, histories, planted_side(topics))
    return interactions, np.arange(n_people) % n_topics, np.concatenate([topics, topics])


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
        {"price": 10.0 + np.arange(len(both), dtype=np.float64)},
        {"image": images},
    )


def with_topic_graph(interactions: Interactions, item_topics: np.ndarray, seed: int = 0) -> Interactions:
    """The same interactions with a graph that knows the topics.

    Items of domain "a" are about their topic; items of "b" have a category, two for each topic, which is about it. A
    maker, drawn at random, says nothing.
    """
    rng = np.random.default_rng(seed)
    space, n_topics = interactions.space, int(item_topics.max()) + 1
    topics, categories = np.arange(n_topics), np.arange(2 * n_topics)
    names = [
        *(f"topic:主题{t}" for t in topics),
        *(f"category:{c}" for c in categories),
        *(f"maker:{m}" for m in range(5)),
    ]
    first, second = space.n_items, space.n_items + n_topics
    a, b = (np.arange(space.slice(domain).start, space.slice(domain).stop) for domain in ("a", "b"))
    parts = [
        (a, 0, first + item_topics[a]),
        (b, 1, second + 2 * item_topics[b] + rng.integers(0, 2, len(b))),
        (second + categories, 0, first + categories // 2),
        (np.concatenate([a, b]), 2, second + 2 * n_topics + rng.integers(0, 5, space.n_items)),
    ]
    heads, tails = (np.concatenate([part[end] for part in parts]).astype(np.int32) for end in (0, 2))
    kinds = np.repeat([part[1] for part in parts], [len(part[0]) for part in parts]).astype(np.int32)
    graph = TripleGraph(space.n_items, tuple(names), ("about", "category", "maker"), heads, kinds, tails)
    return replace(interactions, side=SideInformation(space.n_items, graph=graph))


def described_world() -> tuple[Interactions, np.ndarray, np.ndarray]:
    """`two_domain_interactions` with all that is said of the items, and the graph of `with_topic_graph`."""
    interactions, topics, item_topics = two_domain_interactions()
    graph = with_topic_graph(interactions, item_topics).side
    assert interactions.side is not None and graph is not None  # noqa: PT018
    return replace(interactions, side=replace(interactions.side, graph=graph.graph)), topics, item_topics
