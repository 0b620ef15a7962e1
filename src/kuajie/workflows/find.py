"""Find: a question in words -> items of all domains and knowledge, ranked for the person who asks.

    words -> text score  +  what the person's history, or else everybody, likes  ->  the best, and why

A place in the order of the person's own scores counts, not the scores, which differ in scale between domains:

    score(d) = text(d) / best text + 0.4 * (1 - ln(1 + place of d) / ln(1 + n))

over the n items of the domain. What the model cannot place counts as the mean of all. 0.4 and the logarithm were chosen
on a generated world (`benchmarks/search.py`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.core.records import Account, Item, RankedItem, RankedList, Reason
from kuajie.core.search import LONGEST_QUERY
from kuajie.text.matching import Range, Wanted
from kuajie.text.tokens import query_terms
from kuajie.workflows.answer import generalised
from kuajie.workflows.knowledge import Thing
from kuajie.workflows.library import Library
from kuajie.workflows.reasons import reasons_of
from kuajie.workflows.recommend import FALLBACK, Engine, title_of
from kuajie.workflows.shape import Allowed

log = logging.getLogger("kuajie.find")
LIKING = 0.4
"""What the place in the person's order counts beside the text."""
MOST_THINGS = 5
MOST_CATEGORIES = 10
"""Of one domain, in its count."""
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Title = Callable[[str, str], str]
"""Domain, language -> its name for people."""


@dataclass(frozen=True)
class Search:
    """What is looked for.

    Attributes:
        query: in words.
        domains: to look in; empty: all.
        k: number of items.
        explain: whether items carry reasons.
        exclude: (domain, item) that must not be found.
        unseen: leave out what the history holds, as a recommendation does.
        owned: domains whose items reasons may name; None: all.
        allowed: what business rules allow; None: everything.
    """

    query: str
    domains: tuple[str, ...] = ()
    k: int = 10
    explain: bool = True
    exclude: frozenset[tuple[str, str]] = frozenset()
    unseen: bool = False
    owned: frozenset[str] | None = None
    allowed: Allowed | None = None


@dataclass(frozen=True)
class Match:
    """A field that the query matches.

    Attributes:
        field: "title", "category", "brand", "item", or "attributes." with its name.
        text: of the field.
        ranges: of the matching words in it.
    """

    field: str
    text: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class Hit:
    """One item that was found."""

    item: Item
    title: str
    score: float
    text_score: float
    matches: tuple[Match, ...]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Count:
    """How many items of a domain were found, and of its largest categories."""

    domain: str
    count: int
    categories: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
        hits: best first.
        counts: by domain, of everything that was found.
        things: of the knowledge graph.
        personalised: whether a history ordered the items of a domain.
        degraded: the model failed, so that what everybody likes ordered them.
    """

    hits: tuple[Hit, ...]
    counts: tuple[Count, ...]
    things: tuple[Thing, ...]
    personalised: bool
    degraded: bool = False

    def ranked(self, engine: Engine, account: Account, target: str) -> RankedList:
        """The items as a list that exposures and answers can name; `target` is empty where they are of many domains.

        Nothing in it is random, so every propensity is 1.
        """
        return RankedList(
            list_id=engine.list_id(),
            account=account,
            target=target,
            model_version=engine.model_version,
            created_at=engine.clock(),
            items=tuple(
                RankedItem(
                    domain=hit.item.domain,
                    item=hit.item.item,
                    title=hit.title,
                    score=hit.score,
                    reasons=hit.reasons,
                    propensity=1.0,
                )
                for hit in self.hits
            ),
            fallback="" if self.personalised else FALLBACK,
        )


def find(
    library: Library, engine: Engine, history: Histories | None, search: Search, title: Title = lambda domain, _: domain
) -> Findings:
    """Items and knowledge that fit a question, the best first.

    Args:
        library: where to look.
        engine: scores histories, and says in which language.
        history: one row, of the person who asks; None: nobody, or somebody who does not want theirs to be used.
        search: what is looked for.
        title: names domains in general reasons.

    Raises:
        UsageError: no such domain, or a query that is too long or holds no word.
    """
    check_query(search.query)
    domains = search.domains or library.catalog.space.domains
    wanted = np.array([library.catalog.space.index(domain) for domain in domains])
    numbers, texts = library.find(search.query)
    kept = np.isin(library.domain[numbers], wanted) & ~_left_out(library, history, search, numbers)
    kept[kept] = _allowed(library, search, numbers[kept])
    numbers, texts = numbers[kept], texts[kept]
    liked = _Liked(library, engine, history)
    relative = texts / texts.max(initial=np.float32(1e-9))
    near = _near(relative, search.k)
    counts, numbers, texts = _counts(library, numbers), numbers[near], texts[near]
    scores = relative[near] + LIKING * liked.of(numbers)
    best = np.lexsort((numbers, -scores))[: search.k]
    words = Wanted.of(search.query)
    hits = [
        _hit(library, engine, words, int(number), float(score), float(text))
        for number, score, text in zip(numbers[best], scores[best], texts[best], strict=True)
    ]
    if search.explain:
        hits = _explained(hits, numbers[best], library, liked, search, title)
    return Findings(
        hits=tuple(hits),
        counts=counts,
        things=tuple(library.things.find(search.query, domains, MOST_THINGS)),
        personalised=bool(liked.personal),
        degraded=liked.failed,
    )


def _near(relative: npt.NDArray[np.float32], k: int) -> Ints:
    """The places of what can be among the k best, however much it is liked: no domain of the others must be scored."""
    if len(relative) <= k:
        return np.arange(len(relative))
    least = np.partition(relative, len(relative) - k)[len(relative) - k] - LIKING
    return np.flatnonzero(relative >= least)


def check_query(query: str) -> None:
    """Refuse what is no question in words.

    Raises:
        UsageError: it is too long or holds no word.
    """
    if len(query) > LONGEST_QUERY:
        raise UsageError(
            "a query has at most {most} characters, got {got}. Ask with fewer words.",
            most=LONGEST_QUERY,
            got=len(query),
        )
    if not query_terms(query):
        raise UsageError("the query holds no word to look for. Write a name, a category or a question.")


@dataclass
class _Liked:
    """How much items are liked by who asks, else by everybody: 1 the most, 0 the least.

    Attributes:
        library, engine, history: see `find`.
        personal: domains that the history ordered.
        failed: whether the model did, on some domain.
    """

    library: Library
    engine: Engine
    history: Histories | None
    personal: set[str] = field(default_factory=set)
    failed: bool = False

    def of(self, numbers: Ints) -> Floats:
        """Of each number."""
        liked = np.zeros(len(numbers))
        domain_of = self.library.domain[numbers]
        space = self.library.catalog.space
        for place in np.unique(domain_of).tolist():
            domain = space.domains[place]
            part, mine = space.slice(domain), np.flatnonzero(domain_of == place)
            known = mine[numbers[mine] < space.n_items]
            curve = falling(part.stop - part.start)
            order, scores, rest = self._order(domain, part)
            worth = np.full(part.stop - part.start, rest * float(curve.mean()) if len(curve) else 0.0)
            worth[order] = of_ties(curve[: len(order)], scores)
            liked[mine] = rest * float(curve.mean()) if len(curve) else 0.0
            liked[known] = worth[numbers[known] - part.start]
        return liked

    def _order(self, domain: str, part: slice) -> tuple[Ints, Floats, float]:
        """Items of a domain, the most liked first, their scores, and what others count: 1 as the mean, 0 nothing."""
        if self.history is not None and len(self.history.items):
            try:
                answer = self.engine.answering.answer(self.history, domain, part.stop - part.start, explain=False)
            except Exception:  # a fault of the model must not hide what the words find
                log.exception("the model failed; items are ordered by what is popular")
                self.failed = True
                answer = None
            if answer is not None:
                self.personal.add(domain)
                return answer.places, answer.scores.astype(np.float64), 1.0
        popularity = self.engine.popularity[part]
        used = np.flatnonzero(popularity > 0)
        order = used[np.argsort(-popularity[used], kind="stable")]
        return order, popularity[order], 0.0


def of_ties(values: Floats, scores: Floats) -> Floats:
    """Values of places in the order of scores, those of equal scores averaged."""
    if not len(values):
        return values
    starts = np.flatnonzero(np.diff(scores, prepend=np.nan) != 0)
    sizes = np.diff(np.append(starts, len(values)))
    return np.repeat(np.add.reduceat(values, starts) / sizes, sizes)


def falling(n: int) -> Floats:
    """1 for the first place, falling with the logarithm to nearly 0 for the last of n."""
    return np.asarray(1 - np.log1p(np.arange(n)) / np.log1p(max(n, 1)))


def _left_out(library: Library, history: Histories | None, search: Search, numbers: Ints) -> npt.NDArray[np.bool_]:
    left: list[int] = []
    if search.unseen and history is not None:
        left += history.own_items.tolist()
    excluded = (library.number(domain, item) for domain, item in search.exclude)
    left += [number for number in excluded if number is not None]
    return np.isin(numbers, np.array(left, np.int64))


def _allowed(library: Library, search: Search, numbers: Ints) -> npt.NDArray[np.bool_]:
    kept = np.ones(len(numbers), bool)
    if search.allowed is not None:
        domain_of = library.domain[numbers]
        for place in np.unique(domain_of).tolist():
            mine = domain_of == place
            new = numbers[mine & (numbers >= library.catalog.space.n_items)].tolist()
            named = {number: library.item(number).item for number in new}
            kept[mine] = search.allowed(library.catalog.space.domains[place], numbers[mine], named)
    return kept


def _hit(library: Library, engine: Engine, words: Wanted, number: int, score: float, text: float) -> Hit:
    item = library.item(number)
    title = title_of(item, engine.language)
    return Hit(item, title, round(score, 6), round(text, 4), matches_of(words, item, title))


def matches_of(wanted: Wanted, item: Item, title: str) -> tuple[Match, ...]:
    """Where the words of a query are in an item: in its title as it is shown, in the other one, elsewhere."""
    fields = [("title", title)]
    fields += [("title", other) for other in (item.title, item.title_en) if other and other != title]
    fields += [("category", item.category), ("brand", item.brand)]
    fields += [(f"attributes.{name}", value) for name, value in item.attributes.items()]
    if title != item.item:
        fields.append(("item", item.item))
    for words in (wanted.whole, wanted.every):
        found = ((name, text, tuple(words.ranges(text))) for name, text in fields if text)
        matches = tuple(Match(name, text, ranges) for name, text, ranges in found if ranges)
        if matches:
            return matches
    return ()


def _counts(library: Library, numbers: Ints) -> tuple[Count, ...]:
    """By domain and category, the largest first."""
    counts = []
    domain_of = library.domain[numbers]
    for place, domain in enumerate(library.catalog.space.domains):
        mine = numbers[domain_of == place]
        if len(mine):
            sizes = np.bincount(library.category[mine], minlength=len(library.categories))
            order = np.argsort(-sizes, kind="stable")[:MOST_CATEGORIES]
            named = [(library.categories[each], int(sizes[each])) for each in order.tolist()]
            counts.append(Count(domain, len(mine), tuple((name, size) for name, size in named if name and size)))
    return tuple(sorted(counts, key=lambda each: -each.count))


def _explained(
    hits: Sequence[Hit],
    numbers: Ints,
    library: Library,
    liked: _Liked,
    search: Search,
    title: Title,
) -> list[Hit]:
    """The hits of domains that the history ordered with what in it speaks for them."""
    engine, history = liked.engine, liked.history
    space, found = library.catalog.space, list(hits)
    for domain in liked.personal:
        assert history is not None  # noqa: S101 - it ordered them
        part = space.slice(domain)
        places = [place for place, number in enumerate(numbers.tolist()) if part.start <= number < part.stop]
        if not places:
            continue
        why = _reasons(engine, history, domain, numbers[places] - part.start)
        for place, reasons in zip(places, why, strict=True):
            shown = reasons
            if search.owned is not None:
                shown = generalised(reasons, search.owned, title, engine.language, engine.translate)
            found[place] = replace(found[place], reasons=shown)
    return found


def _reasons(engine: Engine, history: Histories, domain: str, places: Ints) -> list[tuple[Reason, ...]]:
    explanation = engine.model.explain(history, domain, places)
    scores = explanation.contributions.sum(axis=1) + explanation.base

    def name(number: int) -> tuple[str, str, str]:
        return (*engine.catalog.name(number), engine.titles[number])

    return reasons_of(explanation, scores.tolist(), name, engine.translate, borrowed=history.borrowed_items)
