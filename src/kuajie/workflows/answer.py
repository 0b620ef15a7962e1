"""Answer: one request for recommendations -> a ranked list, whatever is broken.

live history -> scores and reasons          `fallback` is empty
nothing known, not wanted, or a fault       popular items, `fallback` is "popular"; see `workflows.fallbacks`

Reasons that name what somebody did at a company that is not the asking one are said in general: no raw behaviour
crosses.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import numpy as np

from kuajie.core.histories import Histories
from kuajie.core.records import Account, RankedItem, RankedList, Reason
from kuajie.core.texts import Translate
from kuajie.workflows.context import Viewed, naming_viewed, with_viewed
from kuajie.workflows.deploy import Deployed
from kuajie.workflows.live import Person
from kuajie.workflows.reasons import reasons_of
from kuajie.workflows.recommend import FALLBACK, Engine
from kuajie.workflows.shape import Asker

log = logging.getLogger("kuajie.answer")
MOST_PATHS = 50
"""Of one item, when somebody asks why."""
MANY = 20
"""So many excluded items may be explained in vain."""


@dataclass(frozen=True)
class Question:
    """Who asks for what.

    Attributes:
        account: who.
        target: domain to recommend from.
        k: number of items.
        exclude: items of the target that must not be in the list.
        explain: whether items carry reasons.
        personalised: whether the person's history may be used.
        language: of titles and reasons.
        owned: domains whose items reasons may name; None: all.
        viewed: the item on the page that asks.
        placement: on it; names the editor's list.
        shown: of the k, where the list that is shown is drawn from more; 0: all. Reasons of the model come later then
            (`Answer.explained`).
    """

    account: Account
    target: str
    k: int = 10
    exclude: frozenset[str] = frozenset()
    explain: bool = True
    personalised: bool = True
    language: str = "en"
    owned: frozenset[str] | None = None
    viewed: Viewed | None = None
    placement: str = ""
    shown: int = 0

    @property
    def explains(self) -> bool:
        """Whether the model says its reasons together with its scores."""
        return self.explain and not self.shown


Explain = Callable[[RankedList], RankedList]


def as_it_is(ranked: RankedList) -> RankedList:
    """The list itself: it says all that it has to."""
    return ranked


@dataclass(frozen=True)
class Answer:
    """A list, and how it came about.

    Attributes:
        ranked: the list.
        personalised: whether a history was used.
        degraded: something did not work, so that the list is less than it could be.
        explained: gives the items that stay of a list that was drawn from more their reasons.
    """

    ranked: RankedList
    personalised: bool
    degraded: bool
    explained: Explain = as_it_is


def answer(
    deployed: Deployed, person: Person, question: Question, now: datetime, title: Callable[[str, str], str]
) -> Answer:
    """The best items for a person.

    Args:
        deployed: what serves.
        person: who asks, as it is known now.
        question: what is asked.
        now: the time of the request.
        title: domain, language -> its name for people.

    Raises:
        UsageError: no such target.
    """
    engine = deployed.engines[question.language]
    wanted = question.personalised and person.personalised
    deployed.dataset.space.index(question.target)
    used, events = False, person.known() if wanted else []
    try:
        history = deployed.live.history(person, now) if wanted else nothing(deployed)
        used = bool(len(history.items))
        if question.viewed is not None:
            history = with_viewed(history, question.viewed, deployed.dataset, now.timestamp())
        ranked = _ranked(engine, history, question)
        if wanted and ranked.fallback == FALLBACK and deployed.groups is not None:
            ranked = _of_group(deployed, engine, person, question) or ranked
        if deployed.new_items:
            ranked = deployed.new_items.complete(engine, question, ranked, history, events, now)
            used = used or deployed.new_items.counts(events)
    except Exception:  # a fault of the model must not leave the page empty
        log.exception("the model failed; popular items are shown")
        return popular(deployed, person, question)

    def explained(listed: RankedList) -> RankedList:
        try:
            if deployed.new_items:
                listed = deployed.new_items.explained(engine, listed, history, events, now)
            else:
                listed = engine.explained(listed, history)
        except Exception:  # a list without reasons is better than none
            log.exception("the model cannot say its reasons")
        return _for_reader(deployed, question, listed, title)

    return Answer(
        _for_reader(deployed, question, ranked, title),
        personalised=used and not ranked.fallback,
        degraded=person.degraded,
        explained=explained if question.explain and question.shown else as_it_is,
    )


def _for_reader(
    deployed: Deployed, question: Question, ranked: RankedList, title: Callable[[str, str], str]
) -> RankedList:
    """The list with what its reader may know, and with the item on the page named as such."""
    engine = deployed.engines[question.language]
    if question.viewed is not None:
        may_name = question.owned is None or question.viewed.domain in question.owned
        ranked = naming_viewed(ranked, question.viewed, engine.translate, may_name=may_name)
    if question.owned is None or question.owned.issuperset(deployed.dataset.space.domains):
        return ranked
    items = tuple(
        msgspec.structs.replace(
            each, reasons=generalised(each.reasons, question.owned, title, question.language, engine.translate)
        )
        for each in ranked.items
    )
    return msgspec.structs.replace(ranked, items=items)


def nothing(deployed: Deployed) -> Histories:
    """The history of somebody who is not known, or does not want to be."""
    return Histories.from_lists([[]], deployed.dataset.space.n_items)


def left_out(person: Person, question: Question) -> frozenset[str]:
    """What a list that no history was asked for leaves out: what is excluded, and what a willing person has used."""
    if not (question.personalised and person.personalised):
        return question.exclude
    events = person.known()
    return question.exclude.union(event.item for event in events if event.domain == question.target)


def popular(deployed: Deployed, person: Person, question: Question) -> Answer:
    """What everybody likes, while the model cannot be asked."""
    question = replace(question, exclude=left_out(person, question))
    engine, most = deployed.engines[question.language], question.k + len(question.exclude)
    ranked = engine.popular(question.account, nothing(deployed), question.target, most)
    return Answer(_kept(ranked, question), personalised=False, degraded=True)


def _of_group(deployed: Deployed, engine: Engine, person: Person, question: Question) -> RankedList | None:
    """What is popular where the person is; None where nothing is known of that."""
    assert deployed.groups is not None  # noqa: S101 - asked for
    liked = deployed.groups.liked(person.people, question.account.domain, question.target, engine.translate)
    if liked is None:
        return None
    most = question.k + len(question.exclude)
    return _kept(engine.popular(question.account, nothing(deployed), question.target, most, liked), question)


def _ranked(engine: Engine, history: Histories, question: Question) -> RankedList:
    most = question.k + len(question.exclude)
    if question.explains and len(question.exclude) > MANY:  # explain no more than what stays
        plain = engine.recommend(question.account, history, question.target, most, explain=False)
        stays = [place for place, each in enumerate(plain.items, 1) if each.item not in question.exclude][: question.k]
        most = max(stays, default=1)
    ranked = engine.recommend(
        question.account,
        history,
        question.target,
        most,
        explain=question.explains,
        remember=question.viewed is None,  # else the history was made for this question
    )
    return _kept(ranked, question)


def _kept(ranked: RankedList, question: Question) -> RankedList:
    kept = [each for each in ranked.items if each.item not in question.exclude][: question.k]
    return msgspec.structs.replace(ranked, items=tuple(kept))


def explained(
    deployed: Deployed, person: Person, target: str, item: str, now: datetime, language: str
) -> tuple[Reason, ...]:
    """Everything in a person's history that speaks for an item, the strongest first; () where the model knows nothing.

    Raises:
        UsageError: no such domain or item.
    """
    engine, catalog = deployed.engines[language], deployed.dataset.catalog
    place = catalog.number(target, item) - catalog.space.slice(target).start
    history = deployed.live.history(person, now)
    if not len(history.items):
        return ()
    score = float(engine.model.score(history, target)[0, place])
    if not score > 0:  # also where it is not known
        return ()
    explanation = engine.model.explain(history, target, np.array([place]))

    def name(number: int) -> tuple[str, str, str]:
        return (*catalog.name(number), engine.titles[number])

    joint = np.array([catalog.number(target, item)])
    return reasons_of(
        explanation,
        [score],
        name,
        engine.translate,
        most=MOST_PATHS,
        links=engine.links,
        items=joint,
        borrowed=history.borrowed_items,
    )[0]


def generalised(
    reasons: Sequence[Reason],
    owned: Collection[str],
    title: Callable[[str, str], str],
    language: str,
    translate: Translate,
) -> tuple[Reason, ...]:
    """Reasons without the items of domains that are not the reader's: one for each domain, with their whole share."""
    kept: list[Reason] = []
    places: dict[str, int] = {}
    for reason in reasons:
        if not reason.item or reason.domain in owned:
            kept.append(reason)
        elif reason.domain in places:
            place = places[reason.domain]
            share = min(1.0, kept[place].share + reason.share)
            kept[place] = msgspec.structs.replace(kept[place], share=share)
        else:
            places[reason.domain] = len(kept)
            text = translate("Because of your activity at {domain}").format(domain=title(reason.domain, language))
            hidden = msgspec.structs.replace(reason, item="", title="", text=text, kind="history", via=())
            kept.append(hidden)
    return tuple(sorted(kept, key=lambda reason: -reason.share))


def similar(
    deployed: Deployed, domain: str, item: str, target: str, k: int, language: str
) -> tuple[tuple[RankedItem, ...], str]:
    """Items of a domain that go with one item of any domain: what a person who used it alone would be shown.

    Business rules hold as for somebody of whom nothing is known.

    Returns:
        The items, and "popular" where the model knows nothing of the item.

    Raises:
        UsageError: no such domain or item.
    """
    if deployed.shaping is None:
        return _similar(deployed, domain, item, target, k, language)
    most = deployed.shaping.config.candidates(target, k)
    items, fallback = _similar(deployed, domain, item, target, most, language)
    named = {-1 - place: each.item for place, each in enumerate(items)}
    allowed = deployed.shaping.allowed(target, np.array(list(named), np.int64), Asker(), named).tolist()
    return tuple(each for each, may in zip(items, allowed, strict=True) if may)[:k], fallback


def _similar(
    deployed: Deployed, domain: str, item: str, target: str, k: int, language: str
) -> tuple[tuple[RankedItem, ...], str]:
    engine, account = deployed.engines[language], Account(domain=domain, user="")
    if deployed.new_items:
        question = Question(account, target, k, explain=False)
        found = deployed.new_items.similar(engine, question, domain, item)
        if found is not None:
            return found, ""
    number = deployed.dataset.catalog.number(domain, item)
    moment = deployed.dataset.now
    one = Histories(
        indptr=np.array([0, 1], np.int64),
        items=np.array([number], np.int32),
        weights=np.ones(1, np.float32),
        n_items=deployed.dataset.space.n_items,
        times=np.array([moment]),
        at=np.array([moment]),
        order=deployed.dataset.order,
    )
    ranked = engine.recommend(account, one, target, k, explain=False)
    return ranked.items, ranked.fallback
