"""Handlers that find: `POST /v1/search`, and a query in `POST /v1/recommend`."""

import logging
import time
from dataclasses import replace

import msgspec

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.core.records import Account
from kuajie.core.texts import Text
from kuajie.rerank.base import kind_of
from kuajie.service.bodies import decoded
from kuajie.service.calls import Call, Reply
from kuajie.service.ids import checked_id
from kuajie.service.lists import permitting
from kuajie.service.refusals import wrong
from kuajie.service.wire import (
    CategoryCount,
    DomainCount,
    FoundItem,
    KnowledgeHit,
    Matched,
    SearchRequest,
    SearchResponse,
)
from kuajie.workflows.answer import Answer, Question, left_out, nothing
from kuajie.workflows.context import naming_viewed, with_viewed
from kuajie.workflows.deploy import Deployed
from kuajie.workflows.dismissals import said_no
from kuajie.workflows.find import Findings, Hit, Search, check_query, find
from kuajie.workflows.learned import TAG
from kuajie.workflows.library import Library
from kuajie.workflows.live import Person

log = logging.getLogger("kuajie.service")


async def search(call: Call) -> Reply:
    """Items and knowledge for a question in words."""
    asked = decoded(call.body, SearchRequest)
    check_query(asked.query)
    account = _account(call, asked)
    for target in asked.targets:
        call.target(target)
    service, deployed = call.service, call.service.deployment.now  # one version from beginning to end
    engine = deployed.engines[asked.language or call.language]
    person = None if account is None or not account.user else await service.person(deployed, account)
    library = await _library(call, deployed)
    allowed, whole = await permitting(service, deployed, person, account, asked.targets)
    findings = find(
        library,
        engine,
        _history(call, deployed, person, asked.personalised),
        Search(
            asked.query,
            tuple(dict.fromkeys(asked.targets)),
            asked.k,
            asked.explain,
            owned=call.named,
            allowed=allowed,
        ),
        service.workspace.title,
    )
    list_id = ""
    if account is not None:
        ranked = findings.ranked(engine, account, asked.targets[0] if len(set(asked.targets)) == 1 else "")
        if asked.placement:
            ranked = msgspec.structs.replace(ranked, placement=checked_id(asked.placement, "placement"))
        service.keep(ranked)
        list_id = service.seals.seal(ranked)
    return Reply(
        SearchResponse(
            list_id=list_id,
            model_version=deployed.model_version,
            personalised=findings.personalised,
            degraded=findings.degraded or not whole or service.tail.failing or (person is not None and person.degraded),
            placement=asked.placement,
            items=[_item(hit) for hit in findings.hits],
            domains=_domains(call, findings, engine.language),
            knowledge=[msgspec.convert(thing, KnowledgeHit, from_attributes=True) for thing in findings.things],
        )
    )


async def narrowed(call: Call, deployed: Deployed, person: Person, question: Question, query: str) -> Answer:
    """What `answer` gives, of the items alone that a query matches, and ranked by its words too.

    While the model is left alone for being slow, or fails, by its words and what everybody likes.
    """
    check_query(query)
    service = call.service
    unwanted = left_out(person, question) | said_no(person, deployed.dataset.catalog, question.target, service.clock())
    allowed, whole = await permitting(service, deployed, person, question.account, (question.target,))
    search = Search(
        query=query,
        domains=(question.target,),
        k=question.k,
        explain=question.explain,
        exclude=frozenset((question.target, item) for item in unwanted),
        unseen=True,
        owned=question.owned,
        allowed=allowed,
    )
    given = await _narrowed(call, deployed, person, question, search)
    shaping = deployed.shaping
    done = () if shaping is None else tuple(TAG + kind_of(step) for step in shaping.rules(question.target))
    ranked = msgspec.structs.replace(given.ranked, tags=(*given.ranked.tags, *done)) if done else given.ranked
    return replace(given, ranked=ranked, degraded=given.degraded or not whole)


async def _narrowed(call: Call, deployed: Deployed, person: Person, question: Question, search: Search) -> Answer:
    service, pace = call.service, call.service.fallbacks.pace
    library = await _library(call, deployed)
    if pace.may_ask():
        began = time.monotonic()
        try:
            return _fitting(call, deployed, person, question, library, search)
        except UsageError:
            raise
        except Exception:  # a fault of the model must not hide what the words find
            log.exception("the model failed; items are ordered by their words and by what is popular")
        finally:
            pace.took(time.monotonic() - began)
    engine = deployed.engines[question.language]
    findings = find(library, engine, None, search, service.workspace.title)
    ranked = findings.ranked(engine, question.account, question.target)
    return Answer(ranked=ranked, personalised=False, degraded=True)


def _fitting(
    call: Call, deployed: Deployed, person: Person, question: Question, library: Library, search: Search
) -> Answer:
    """What is found, ranked for the person and the page."""
    service, engine = call.service, deployed.engines[question.language]
    history = _history(call, deployed, person, question.personalised)
    used = history is not None and len(history.items) > 0
    if question.viewed is not None:
        seen = nothing(deployed) if history is None else history
        history = with_viewed(seen, question.viewed, deployed.dataset, service.clock().timestamp())
    findings = find(library, engine, history, search, service.workspace.title)
    ranked = findings.ranked(engine, question.account, question.target)
    if question.viewed is not None:
        may_name = question.owned is None or question.viewed.domain in question.owned
        ranked = naming_viewed(ranked, question.viewed, engine.translate, may_name=may_name)
    return Answer(
        ranked=ranked,
        personalised=used and findings.personalised,
        degraded=findings.degraded or person.degraded,
    )


def _account(call: Call, asked: SearchRequest) -> Account | None:
    """Who asks, if somebody does; without a user the page alone.

    Raises:
        Refusal: a user without a domain, or not one of the caller's.
    """
    if not (asked.domain or asked.user):
        return None
    if not asked.domain:
        raise wrong(Text("say the domain of the user"))
    call.own(asked.domain)
    return Account(domain=asked.domain, user=checked_id(asked.user, "user") if asked.user else "")


async def _library(call: Call, deployed: Deployed) -> Library:
    """What can be found; a fresh model's is read in a thread."""
    ready = deployed.shelves.ready
    return await call.service.ask(deployed.shelves.library) if ready is None else ready


def _history(call: Call, deployed: Deployed, person: Person | None, personalised: bool) -> Histories | None:
    if person is None or not (personalised and person.personalised):
        return None
    return deployed.live.history(person, call.service.clock())


def _item(hit: Hit) -> FoundItem:
    return FoundItem(
        domain=hit.item.domain,
        item=hit.item.item,
        title=hit.title,
        score=hit.score,
        text_score=hit.text_score,
        matched=[Matched(field=each.field, text=each.text, ranges=list(each.ranges)) for each in hit.matches],
        reasons=hit.reasons,
    )


def _domains(call: Call, findings: Findings, language: str) -> list[DomainCount]:
    title = call.service.workspace.title
    return [
        DomainCount(
            domain=each.domain,
            title=title(each.domain, language),
            count=each.count,
            categories=[CategoryCount(category=name, count=count) for name, count in each.categories],
        )
        for each in findings.counts
    ]
