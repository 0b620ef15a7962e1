"""Reasons: which history items carried a recommended item, and their share of its score, as records and words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kuajie.core.names import plain_name
from kuajie.core.recommender import Explanation
from kuajie.core.records import Reason, ReasonKind
from kuajie.core.texts import Translate
from kuajie.numerics.single import strongest_of
from kuajie.workflows.links import Link, Links

Name = Callable[[int], tuple[str, str, str]]
"""(domain, id, title) of a joint item number."""

LEAST_SHARE = 0.01
BORROWED = -1
"""Stands for all items that others used: what one of them did is not told."""


@dataclass(frozen=True)
class Wording:
    """The words of reasons in one language."""

    history: str
    path: str
    words: str
    popular: str
    borrowed: str
    separator: str
    names: Mapping[str, str]

    @classmethod
    def of(cls, translate: Translate, names: Mapping[str, str]) -> "Wording":
        """In the language of a translation; `names` of things in that language, where they have others."""
        return cls(
            history=translate("Because of “{title}” in your history"),
            path=translate("Because of “{title}” in your history, by way of {things}"),
            words=translate("Because of “{title}” in your history: both say {things}"),
            popular=translate("Popular with everybody"),
            borrowed=translate("Because of what people you know like"),
            separator=translate(", "),
            names=names,
        )

    def text(self, title: str, link: Link | None) -> str:
        """What a history item is named with."""
        if link is None:
            return self.history.format(title=title)
        things = self.separator.join(f"“{self.names.get(thing) or plain_name(thing)}”" for thing in link.things)
        return (self.path if link.kind == "path" else self.words).format(title=title, things=things)


def reasons_of(
    explanation: Explanation,
    scores: Sequence[float],
    name: Name,
    translate: Translate,
    most: int = 3,
    *,
    links: Links | None = None,
    items: npt.NDArray[np.integer] | None = None,
    borrowed: npt.NDArray[np.integer] | None = None,
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
        links: say how a history item is connected with the explained one.
        items: (n,) joint numbers of the explained items, which links need.
        borrowed: joint items that are in the history only because others used them (`Histories.borrowed_items`): all of
            them together are one reason, which names none.
    """
    wording = Wording.of(translate, {} if links is None else links.names)
    if borrowed is not None and len(borrowed):
        explanation = folded(explanation, borrowed)
    named = {BORROWED: ("", "", "", wording.borrowed)}  # one entry carries many items
    columns, strongest = strongest_of(explanation.contributions, most)
    numbers, exact = explanation.history_items[columns], explanation.exact
    linked = _linked(links, numbers, items)
    found = []
    rows = zip(scores, strongest.tolist(), numbers.tolist(), linked, explanation.base.tolist(), strict=True)
    for score, parts, entries, ways, base in rows:
        least = LEAST_SHARE * score
        reasons: list[Reason] = []
        if score > 0:
            for part, number, link in zip(parts, entries, ways, strict=True):
                if part < least:
                    break
                known = named.get(number)
                if known is None:
                    domain, item, title = name(number)
                    known = named[number] = (domain, item, title, wording.text(title or item, None))
                domain, item, title, text = known
                share = part / score
                if share > 1 or link is not None:
                    text = text if link is None else wording.text(title or item, link)
                    reasons.append(reason(domain, item, title, share, text, exact=exact, link=link))
                else:  # some thirty times a list: without a call in between
                    reasons.append(Reason(domain=domain, item=item, title=title, share=share, exact=exact, text=text))
            if base >= least:
                place = sum(part >= base for part in parts[: len(reasons)])
                reasons.insert(place, reason("", "", "", base / score, wording.popular, exact=exact, kind="popular"))
        found.append(tuple(reasons[:most]))
    return found


def folded(explanation: Explanation, borrowed: npt.NDArray[np.integer]) -> Explanation:
    """An explanation in which borrowed items are one, `BORROWED`, which carried what all of them did."""
    hidden = np.isin(explanation.history_items, borrowed)
    together = explanation.contributions[:, hidden].sum(axis=1, keepdims=True)
    return replace(
        explanation,
        history_items=np.append(explanation.history_items[~hidden], BORROWED).astype(np.int32),
        contributions=np.hstack([explanation.contributions[:, ~hidden], together]),
    )


def _linked(
    links: Links | None, used: npt.NDArray[np.int32], items: npt.NDArray[np.integer] | None
) -> list[list[Link | None]]:
    """The link of each history item (n, most) to the item that it carried."""
    n_rows, most = used.shape
    if links is None or items is None or not used.size:
        return [[None] * most] * n_rows
    flat: list[Link | None] = [None] * used.size
    shown = np.repeat(items, most).astype(np.int32)
    known = (used >= 0) & (used < len(links.titles))  # not what is borrowed, or newer than the model
    places = np.flatnonzero(known.ravel() & (used.ravel() != shown))  # nor an item that comes back: it is itself
    found = links.between(used.ravel()[places], shown[places])
    for place, link in zip(places.tolist(), found, strict=True):
        flat[place] = link
    return [flat[row * most : (row + 1) * most] for row in range(n_rows)]


def reason(
    domain: str,
    item: str,
    title: str,
    share: float,
    text: str,
    *,
    exact: bool,
    kind: ReasonKind = "history",
    link: Link | None = None,
) -> Reason:
    """One reason; what carried more than the whole counts as the whole, and no longer exactly."""
    cut = min(share, 1.0)
    exact = exact and cut == share
    if link is not None:
        return Reason(
            domain=domain, item=item, title=title, share=cut, exact=exact, text=text, kind=link.kind, via=link.via
        )
    return Reason(domain=domain, item=item, title=title, share=cut, exact=exact, text=text, kind=kind)
