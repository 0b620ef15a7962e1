"""Handlers that answer: lists, similar items, profiles, health."""

from contextlib import suppress

import msgspec

from kuajie.core.errors import StoreError, UsageError
from kuajie.core.histories import Histories
from kuajie.core.records import Account, RankedList
from kuajie.core.texts import Text
from kuajie.profiles.sensitive import allowed
from kuajie.service.bodies import decoded
from kuajie.service.calls import Call, Reply
from kuajie.service.ids import checked_id as _id
from kuajie.service.lists import listed
from kuajie.service.observing import seen
from kuajie.service.profiling import fields_of
from kuajie.service.refusals import not_found, wrong
from kuajie.service.searching import narrowed
from kuajie.service.wire import (
    MOST_ITEMS,
    Alive,
    Elsewhere,
    Profile,
    Ready,
    RecommendRequest,
    RecommendResponse,
    SimilarResponse,
    TasteShare,
    UsedItem,
)
from kuajie.workflows.accounts import answering_user
from kuajie.workflows.answer import Question, similar
from kuajie.workflows.context import Viewed
from kuajie.workflows.declared import declared_by
from kuajie.workflows.deploy import Deployed
from kuajie.workflows.learned import RELEVANCE, TAG
from kuajie.workflows.live import nobody
from kuajie.workflows.schedule import LoopLog, told
from kuajie.workflows.tastes import Kind, tastes

RECENT = 20


async def recommend(call: Call) -> Reply:
    """A ranked list for a person, live."""
    ranked, content = await composed(call)
    call.service.keep(ranked)
    return Reply(content)


async def composed(call: Call) -> tuple[RankedList, RecommendResponse]:
    """The list that a call asks for, and what is said of it; who shows it must keep it."""
    asked = decoded(call.body, RecommendRequest)
    named = asked.user != ""
    account = Account(domain=asked.domain, user=_id(asked.user, "user") if named else "")
    placement = _id(asked.placement, "placement") if asked.placement else ""
    call.own(asked.domain)
    call.target(asked.target)
    language = asked.language or call.language
    service, deployed = call.service, call.service.deployment.now  # one version from beginning to end
    person = await service.person(deployed, account) if named else nobody(service.clock())
    question = Question(
        account=account,
        target=asked.target,
        k=asked.k,
        exclude=frozenset(asked.exclude),
        explain=asked.explain,
        personalised=asked.personalised,
        language=language,
        owned=call.named,
        viewed=_viewed(call, asked),
        placement=placement,
    )
    with service.tracing.span("model"):
        if asked.query:
            given = await narrowed(call, deployed, person, question, asked.query)
        else:
            given = await listed(service, deployed, person, question)
    ranked, seen().model_version = given.ranked, given.ranked.model_version
    service.metrics.listed(ranked.fallback, degraded=given.degraded, personalised=given.personalised)
    if asked.placement or asked.context.tags:
        ranked = msgspec.structs.replace(ranked, placement=placement, tags=(*ranked.tags, *_tags(asked)))
    return ranked, RecommendResponse(
        list_id=service.seals.seal(ranked),
        target=ranked.target,
        model_version=ranked.model_version,
        personalised=given.personalised,
        degraded=given.degraded or service.tail.failing,
        fallback=ranked.fallback,
        placement=asked.placement,
        items=ranked.items,
    )


async def similar_items(call: Call) -> Reply:
    """Items of any domain that go with one item."""
    domain, item = call.path["domain"], _id(call.path["id"], "item")
    target = call.query.get("target", domain)
    call.target(domain)
    call.target(target)
    deployed = call.service.deployment.now
    try:
        items, fallback = similar(deployed, domain, item, target, _count(call.query.get("k", "10")), call.language)
    except UsageError as error:
        raise not_found(error.text) from None
    return Reply(
        SimilarResponse(
            domain=domain,
            item=item,
            target=target,
            model_version=deployed.model_version,
            fallback=fallback,
            items=items,
        )
    )


async def profile(call: Call) -> Reply:
    """What is known of a person, as far as it belongs to the caller."""
    account = Account(domain=call.path["domain"], user=_id(call.path["id"], "user"))
    call.own(account.domain)
    service, deployed = call.service, call.service.deployment.now
    person = await service.person(deployed, account)
    own = [each for each in person.accounts if each.domain in call.caller.domains and _is_plain(each, person.accounts)]
    history = deployed.live.history(person, service.clock()).own()
    numbers = list(dict.fromkeys(history.items[::-1].tolist()))
    named = [(*deployed.dataset.catalog.name(number), number) for number in numbers]
    titles = deployed.engines[call.language].titles
    others = dict.fromkeys(domain for domain, _, _ in named if domain not in call.caller.domains)
    title = service.workspace.title
    attributes = await service.ask(_attributes, call, deployed, own)
    fields = await service.ask(fields_of, call, deployed, person, attributes, service.clock())
    return Reply(
        Profile(
            domain=account.domain,
            user=account.user,
            accounts=[f"{each.domain}:{each.user}" for each in own],
            attributes=allowed(attributes, service.workspace.config.profiles),
            personalised=person.personalised,
            categories=_tastes(call, deployed, history, "category"),
            brands=_tastes(call, deployed, history, "brand"),
            recent=[
                UsedItem(domain=domain, item=item, title=titles[number])
                for domain, item, number in named
                if domain in call.caller.domains
            ][:RECENT],
            elsewhere=[Elsewhere(domain=domain, title=title(domain, call.language)) for domain in others],
            degraded=person.degraded or service.tail.failing,
            fields=fields,
        )
    )


async def live(call: Call) -> Reply:
    """The process answers."""
    return Reply(Alive(status="ok"))


async def ready(call: Call) -> Reply:
    """Whether requests may be sent here; recommendations go on while the store is down."""
    service = call.service
    refused = service.deployment.refused
    state = Ready(
        ready=not service.draining,
        model_version=service.deployment.now.model_version,
        store="down" if service.tail.failing else "good",
    )
    if "operations" in call.caller.scopes:  # reasons may name files
        state = msgspec.structs.replace(
            state,
            snapshot_id=service.deployment.now.dataset.snapshot.manifest.snapshot_id,
            refused="" if refused is None else f"{refused.model_version}: {refused.reason}",
            loop=told(LoopLog(service.workspace.models).rounds()),
        )
    return Reply(state, status=503 if service.draining else 200)


def _tastes(call: Call, deployed: Deployed, history: Histories, kind: Kind) -> list[TasteShare]:
    found = tastes(history, deployed.dataset.catalog, call.caller.domains, kind)
    return [msgspec.convert(each, TasteShare, from_attributes=True) for each in found]


def _attributes(call: Call, deployed: Deployed, accounts: list[Account]) -> dict[str, str]:
    """What accounts declared: before the snapshot, and since."""
    newer: dict[Account, dict[str, str]] = {}
    with suppress(StoreError):
        found = call.service.store.catalogue.people(accounts)
        newer = {account: traits.attributes for account, traits in found.items()}
    told = declared_by(accounts, deployed.dataset, newer)
    return {name: value for attributes in told.values() for name, value in attributes.items()}


def _is_plain(account: Account, accounts: tuple[Account, ...]) -> bool:
    """Whether it is an account of its domain, not the name under which answers are kept."""
    return all(account.user != answering_user(other) for other in accounts if other.domain != account.domain)


def _viewed(call: Call, asked: RecommendRequest) -> Viewed | None:
    """The item on the page; one that the catalogue does not know yet is no error."""
    item = asked.context.item
    if item is None:
        return None
    call.target(item.domain)
    return Viewed(item.domain, _id(item.item, "item"))


def _tags(asked: RecommendRequest) -> tuple[str, ...]:
    own = [tag for tag in asked.context.tags if tag.startswith((TAG, RELEVANCE))]
    if own:
        raise wrong(Text("the tag '{tag}' begins as those of the service itself do", tag=own[0][:100]))
    return tuple(_id(tag, "tag") for tag in asked.context.tags)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MOST_ITEMS):
        raise wrong(Text("k must be between 1 and {most}", most=MOST_ITEMS))
    return int(text)
