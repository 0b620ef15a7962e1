"""Answer: one request for recommendations -> a ranked list, whatever is broken.

live history -> scores and reasons          `fallback` is empty
nothing known, not wanted, or a fault       popular items, `fallback` is "popular"

Reasons that name what somebody did at a company that is not the asking one are said in general: no raw behaviour
crosses.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np

from kuajie.core.histories import Histories
from kuajie.core.records import Account, RankedItem, RankedList, Reason
from kuajie.core.texts import Translate
from kuajie.workflows.deploy import Deployed
from kuajie.workflows.live import Person
from kuajie.workflows.recommend import Engine

log = logging.getLogger("kuajie.answer")


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
    """

    account: Account
    target: str
    k: int = 10
    exclude: frozenset[str] = frozenset()
    explain: bool = True
    personalised: bool = True
    language: str = "en"
    owned: frozenset[str] | None = None


@dataclass(frozen=True)
class Answer:
    """A list, and how it came about.

    Attributes:
        ranked: the list.
        personalised: whether a history was used.
        degraded: something did not work, so that the list is less than it could be.
    """

    ranked: RankedList
    personalised: bool
    degraded: bool


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
    degraded = person.degraded
    deployed.dataset.space.index(question.target)
    try:
        history = deployed.live.history(person, now) if wanted else nothing(deployed)
        ranked = _ranked(engine, history, question)
        if deployed.new_items:
            events = list(person.events.values()) if wanted else []
            ranked = deployed.new_items.complete(engine, question, ranked, history, events, now)
    except Exception:  # a fault of the model must not leave the page empty
        log.exception("the model failed; popular items are shown")
        degraded, ranked = True, _ranked(engine, nothing(deployed), question)
    if question.owned is not None:
        items = tuple(
            msgspec.structs.replace(
                each, reasons=generalised(each.reasons, question.owned, title, question.language, engine.translate)
            )
            for each in ranked.items
        )
        ranked = msgspec.structs.replace(ranked, items=items)
    return Answer(ranked, personalised=wanted and not ranked.fallback, degraded=degraded)


def nothing(deployed: Deployed) -> Histories:
    """The history of somebody who is not known, or does not want to be."""
    return Histories.from_lists([[]], deployed.dataset.space.n_items)


def _ranked(engine: Engine, history: Histories, question: Question) -> RankedList:
    most = question.k + len(question.exclude)
    ranked = engine.recommend(question.account, history, question.target, most, explain=question.explain)
    kept = [each for each in ranked.items if each.item not in question.exclude][: question.k]
    return msgspec.structs.replace(ranked, items=tuple(kept))


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
            kept.append(msgspec.structs.replace(reason, item="", title="", text=text))
    return tuple(sorted(kept, key=lambda reason: -reason.share))


def similar(
    deployed: Deployed, domain: str, item: str, target: str, k: int, language: str
) -> tuple[tuple[RankedItem, ...], str]:
    """Items of a domain that go with one item of any domain: what a person who used it alone would be shown.

    Returns:
        The items, and "popular" where the model knows nothing of the item.

    Raises:
        UsageError: no such domain or item.
    """
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
