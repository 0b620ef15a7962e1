"""Reasons: which history items carried a recommended item, and their share of its score, as records and words."""

from collections.abc import Callable, Sequence

from kuajie.core.recommender import Explanation
from kuajie.core.records import Reason
from kuajie.core.texts import Translate
from kuajie.numerics.single import strongest_of

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
    because, popular = translate("Because of “{title}” in your history"), translate("Popular with everybody")
    said: dict[int, tuple[str, str, str, str]] = {}  # one entry carries many items
    columns, strongest = strongest_of(explanation.contributions, most)
    numbers, exact = explanation.history_items[columns].tolist(), explanation.exact
    found = []
    for score, parts, items, base in zip(scores, strongest.tolist(), numbers, explanation.base.tolist(), strict=True):
        least = LEAST_SHARE * score
        reasons: list[Reason] = []
        if score > 0:
            for part, number in zip(parts, items, strict=True):
                if part < least:
                    break
                words = said.get(number)
                if words is None:
                    domain, item, title = name(number)
                    words = said[number] = (domain, item, title, because.format(title=title or item))
                domain, item, title, text = words
                share = part / score
                if share > 1:
                    reasons.append(reason(domain, item, title, share, text, exact=exact))
                else:  # nearly always, some thirty times a list: without a call in between
                    reasons.append(Reason(domain=domain, item=item, title=title, share=share, exact=exact, text=text))
            if base >= least:
                place = sum(part >= base for part in parts[: len(reasons)])
                reasons.insert(place, reason("", "", "", base / score, popular, exact=exact))
        found.append(tuple(reasons[:most]))
    return found


def reason(domain: str, item: str, title: str, share: float, text: str, *, exact: bool) -> Reason:
    """One reason; what carried more than the whole counts as the whole, and no longer exactly."""
    cut = min(share, 1.0)
    return Reason(domain=domain, item=item, title=title, share=cut, exact=exact and cut == share, text=text)
