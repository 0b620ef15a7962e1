"""How well an item fits somebody's interests, and the reason that this gives.

    affinity(person, item) = sum over topics of share of the person's interests x share of the item's

the chance that a topic drawn from the one is the topic drawn from the other; its terms are the explanation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.texts import Text
from kuajie.profiles.audience import Audience
from kuajie.profiles.features import F32

LEAST_SHARE = 0.1
"""An interest that is a smaller part of the person's is no reason."""


@dataclass(frozen=True)
class InterestReason:
    """Why an item fits somebody.

    Attributes:
        topic: that carries most.
        share: its part of the affinity, 0..1.
        text: for people.
    """

    topic: int
    share: float
    text: Text


def item_topics(audience: Audience, terms: sparse.csr_array, threads: int = 1) -> F32:
    """Topics of items, as shares: float32 (items, topics); rows of an item without any term are 0.

    Args:
        audience: the topics.
        terms: rows of `audience.terms(catalog)`.
        threads: how many.
    """
    return shares(audience.topics.fold_in(terms, threads))


def shares(evidence: F32) -> F32:
    """Rows that sum to 1; those without evidence stay 0."""
    total = evidence.sum(axis=1, keepdims=True)
    found: F32 = np.divide(evidence, total, out=np.zeros_like(evidence), where=total > 0)
    return found


def affinity(interests: F32, topics: F32) -> F32:
    """How well each item fits each person: float32 (people, items), 0..1.

    Args:
        interests: evidence of topics (people, topics), see `Audience.interests`.
        topics: of items (items, topics), see `item_topics`.
    """
    found: F32 = shares(interests) @ topics.T
    return found


def interest_reasons(
    audience: Audience, interests: npt.NDArray[np.float32], topics: F32, language: str
) -> Sequence[InterestReason | None]:
    """The interest that carries the affinity of one person to each item; None where no interest is large enough.

    Args:
        audience: names the topics.
        interests: evidence of the person's topics (topics,).
        topics: of items (items, topics), see `item_topics`.
        language: of the names.
    """
    mine = shares(interests[None, :])[0]
    parts = mine * topics
    total = parts.sum(axis=1)
    found: list[InterestReason | None] = []
    for row, whole in zip(parts, total, strict=True):
        topic = int(np.argmax(row))
        if whole <= 0 or mine[topic] < LEAST_SHARE:
            found.append(None)
            continue
        name = audience.about.topics[topic].name(language)
        text = Text("Because you are interested in {interest}", interest=name)
        found.append(InterestReason(topic, round(float(row[topic] / whole), 4), text))
    return found
