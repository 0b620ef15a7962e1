"""Reasons: which history items carried a recommended item, and their share of its score, as records and words."""

from collections.abc import Callable, Sequence

import numpy as np

from kuajie.core.recommender import Explanation
from kuajie.core.records import Reason
from kuajie.core.texts import Translate

Name = Callable[[int], tuple[str, str, str]]
"""(domain, id, title) of a joint item number."""

LEAST_SHARE = 0.01


def reasons_of(
    explanation: Explanation, scores: Sequence[float], name: Name, translate: Translate, most: int = 3
) -> list[tuple[Reason, ...]]:
    """The strongest reasons of each explained item.

    A share is a part of the score: contribution / score. Parts below 1 % are left out, and so is everything where the
    score is not positive, since nothing then carried the item. What carried more than the whole, because other things
    took from it, counts as the whole.

    Args:
        explanation: for n items.
        scores: their n scores.
        name: names joint items.
        translate: gives the words.
        most: reasons an item.
    """
    return [
        item_reasons(explanation, place, float(score), name, translate, most) if score > 0 else ()
        for place, score in enumerate(scores)
    ]


def item_reasons(
    explanation: Explanation, place: int, score: float, name: Name, translate: Translate, most: int
) -> tuple[Reason, ...]:
    """The strongest reasons of one item, strongest first."""
    shares = explanation.contributions[place] / score
    popular = float(explanation.base[place]) / score
    reasons = []
    for column in np.argsort(-shares, kind="stable")[:most]:
        if shares[column] < LEAST_SHARE:
            break
        domain, item, title = name(int(explanation.history_items[column]))
        text = translate("Because of “{title}” in your history").format(title=title or item)
        share = min(float(shares[column]), 1.0)
        reasons.append(Reason(domain=domain, item=item, title=title, share=share, exact=explanation.exact, text=text))
    if popular >= LEAST_SHARE:
        text = translate("Popular with everybody")
        share = min(popular, 1.0)
        reasons.append(Reason(domain="", item="", title="", share=share, exact=explanation.exact, text=text))
        reasons.sort(key=lambda reason: -reason.share)
    return tuple(reasons[:most])
