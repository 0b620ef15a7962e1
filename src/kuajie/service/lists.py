"""The list that a person is shown: the chain of fallbacks, with what a process keeps for it (`workflows.fallbacks`)."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from kuajie.core.errors import StoreError
from kuajie.core.records import Account
from kuajie.rerank.exploration import explored
from kuajie.workflows.answer import Answer, Question, answer, as_it_is, left_out, nothing, popular
from kuajie.workflows.declared import declared_by, for_rules
from kuajie.workflows.deploy import Deployed, Deployment
from kuajie.workflows.dismissals import said_no
from kuajie.workflows.fallbacks import CachedList, CachedLists, EditorLists, from_cache, from_editor
from kuajie.workflows.live import Person
from kuajie.workflows.pace import ModelPace
from kuajie.workflows.refusals import Refusals
from kuajie.workflows.shape import Allowed, Asker
from kuajie.workflows.stores import Cache, CatalogueStore
from kuajie.workflows.workspace import ServingConfig

if TYPE_CHECKING:
    from kuajie.service.calls import Service

log = logging.getLogger("kuajie.service")
CACHE_SECONDS = 0.3
"""So long an answer waits for the cache, when nothing better is known."""
EDITOR_SECONDS = 2.0
"""How often editor's lists are read."""


@dataclass(eq=False)
class Fallbacks:
    """What a process keeps for when there is no list that fits the person.

    Attributes:
        config: how long lists are kept, how slow the model may be.
        cache: what processes share.
        catalogue: where consents and editor's lists are.
    """

    config: ServingConfig
    cache: Cache
    catalogue: CatalogueStore
    cached: CachedLists = field(init=False)
    editors: EditorLists = field(default_factory=EditorLists)
    refusals: Refusals = field(default_factory=Refusals)
    pace: ModelPace = field(init=False)
    _read_at: float = -EDITOR_SECONDS

    def __post_init__(self) -> None:
        self.cached = CachedLists(self.cache, self.config.cached_list_seconds, time.monotonic)
        self.pace = ModelPace(self.config.model_seconds, time.monotonic)
        with suppress(StoreError):
            self.refusals.read(self.catalogue)
        self.read_editors()

    def look(self, deployment: Deployment, now: datetime) -> None:
        """What others said and chose since the last look, and lists for the cache: called again and again."""
        self.cached.flush()
        self.listen(deployment, now)
        if time.monotonic() - self._read_at >= EDITOR_SECONDS:
            self.read_editors()

    def listen(self, deployment: Deployment, now: datetime) -> None:
        """Who said yes or no is asked anew; the cached lists of who said no are gone."""
        with suppress(StoreError):  # the next look hears of it
            for consent in self.refusals.read(self.catalogue):
                live = deployment.now.live
                if not consent.personalised:
                    self.cached.forget(live.without_store(consent.account, now).accounts, live.targets)
                deployment.forget([consent.account])

    def read_editors(self) -> None:
        """Read the editor's lists; while the store does not answer, what was known stays."""
        self._read_at = time.monotonic()
        with suppress(StoreError):
            self.editors.read(self.catalogue)

    def willing(self, person: Person) -> Person:
        """A person whose consent the store could not be asked for: who is known to have said no has said no."""
        if person.degraded and person.personalised and not self.refusals.allow(person.accounts):
            person.personalised = False
        return person


async def listed(service: "Service", deployed: Deployed, person: Person, question: Question) -> Answer:
    """The best list there is for a person, whatever is broken.

    Raises:
        UsageError: no such target.
    """
    target, kept, shaping = question.target, service.fallbacks, deployed.shaping
    no = said_no(person, deployed.dataset.catalog, target, service.clock())
    asked = replace(question, exclude=question.exclude | no) if no else question
    if target not in deployed.dataset.space.domains and kept.editors.has(target):
        chosen = _chosen(service, deployed, person, asked, person.degraded)
        return await ruled(service, deployed, person, asked, chosen)
    given = _scored(service, deployed, person, asked)
    exploration = service.workspace.config.serving.exploration
    if shaping is not None:
        pool = exploration.candidates(question.k)
        given = await shaped(service, deployed, person, asked, given, question.k, pool=pool)
    if not given.ranked.fallback:
        if given.personalised and not given.degraded and question.viewed is None:
            kept.cached.note(given.ranked)
    elif given.degraded and question.personalised and person.personalised:
        found = await _cached(service, deployed, person, asked)
        if found is not None and found.ranked.items:
            return await ruled(service, deployed, person, asked, found)
    if not given.ranked.items and kept.editors.find(target, question.placement):
        return await ruled(service, deployed, person, asked, _chosen(service, deployed, person, asked, given.degraded))
    return _told(service, replace(given, ranked=explored(given.ranked, question.k, exploration)))


def _told(service: "Service", given: Answer) -> Answer:
    """The answer with the reasons of the items that stayed."""
    if given.explained is as_it_is:
        return given
    began = time.monotonic()
    ranked = given.explained(given.ranked)
    service.fallbacks.pace.explained(time.monotonic() - began)
    return replace(given, ranked=ranked)


async def ruled(service: "Service", deployed: Deployed, person: Person, question: Question, given: Answer) -> Answer:
    """A list that was put in order otherwise, without what business rules forbid."""
    if deployed.shaping is None:
        return given
    return await shaped(service, deployed, person, question, given, question.k, rules_only=True)


async def shaped(
    service: "Service",
    deployed: Deployed,
    person: Person,
    question: Question,
    given: Answer,
    k: int,
    *,
    rules_only: bool = False,
    pool: int = 0,
) -> Answer:
    """The k items that are shown, or the pool that exploration draws them from, by the steps of `[rerank]`.

    What people have declared, and what they were shown, is asked of the store and the cache where a step reads it; what
    does not answer in time is not known, and the answer says that it is degraded.
    """
    shaping = deployed.shaping
    assert shaping is not None  # noqa: S101 - asked for by who knows
    declared, days = shaping.reads(question.target)
    days = 0 if rules_only else days
    asker, whole = await asked_by(service, deployed, person, question.account, question.target, declared, days)
    wanted = question.personalised and person.personalised
    try:
        history = deployed.live.history(person, service.clock()) if wanted else nothing(deployed)
        ranked = shaping.shaped(given.ranked, k, history, asker, rules_only=rules_only, pool=pool)
    except Exception:  # a fault must neither leave the page empty nor show what is forbidden
        log.exception("re-ranking failed; business rules alone are kept")
        ranked, whole = shaping.shaped(given.ranked, k, nothing(deployed), asker, rules_only=True, pool=pool), False
    return replace(given, ranked=ranked, degraded=given.degraded or not whole)


async def permitting(
    service: "Service", deployed: Deployed, person: Person | None, account: Account | None, targets: Sequence[str]
) -> tuple[Allowed | None, bool]:
    """What business rules allow in searches, and whether everything was known of who asks.

    Args:
        service: see `asked_by`.
        deployed: has the rules.
        person: who asks; None: nobody of whom anything is known.
        account: theirs.
        targets: that are searched; none: all.
    """
    shaping = deployed.shaping
    if shaping is None:
        return None, True
    declared = any(shaping.reads(target)[0] for target in targets or deployed.dataset.space.domains)
    if person is None or account is None:
        return shaping.permitting(Asker()), True
    asker, whole = await asked_by(service, deployed, person, account, "", declared, 0)
    return shaping.permitting(asker), whole


async def asked_by(
    service: "Service", deployed: Deployed, person: Person, account: Account, target: str, declared: bool, days: int
) -> tuple[Asker, bool]:
    """What is known of who asks, and whether that is everything.

    Args:
        service: has the store, which is not asked while it is known to fail, and the cache.
        deployed: its snapshot knows what was declared before.
        person: whose accounts count.
        account: who asks.
        target: whose showings are counted.
        declared: whether age and region are wanted.
        days: over which showings are counted; 0: they are not wanted.
    """
    if not declared and not days:
        return Asker(), True
    now, failing = service.clock(), service.tail.failing

    def ask() -> tuple[Asker, bool]:
        newer, whole = dict[Account, dict[str, str]](), not (declared and failing)
        if declared and whole:
            try:
                found = service.store.catalogue.people(person.accounts)
                newer = {account: traits.attributes for account, traits in found.items()}
            except StoreError:
                whole = False
        told = declared_by(person.accounts, deployed.dataset, newer) if declared else {}
        shown = service.showings.counts(account, target, now, days) if days else None
        return Asker(for_rules(told, account.domain), shown), whole

    try:
        async with asyncio.timeout(CACHE_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(service.threads, ask)
    except (TimeoutError, StoreError):
        return Asker(), False


def _scored(service: "Service", deployed: Deployed, person: Person, question: Question) -> Answer:
    """What the model says, or what everybody likes; as many items as re-ranking and exploration draw from."""
    k = service.workspace.config.serving.exploration.candidates(question.k)
    if deployed.shaping is not None:
        k = max(k, deployed.shaping.config.candidates(question.target, question.k))
    question = question if k == question.k else replace(question, k=k, shown=question.k)
    pace = service.fallbacks.pace
    if not pace.may_ask():
        return popular(deployed, person, question)
    began = time.monotonic()
    given = answer(deployed, person, question, service.clock(), service.workspace.title)
    pace.took(time.monotonic() - began)
    return given


async def _cached(service: "Service", deployed: Deployed, person: Person, question: Question) -> Answer | None:
    """The last good list of a willing person, without what they have used since."""
    now = service.clock()

    def find() -> CachedList | None:
        return service.fallbacks.cached.find(question.account, question.target, now)

    try:
        async with asyncio.timeout(CACHE_SECONDS):
            found = await asyncio.get_running_loop().run_in_executor(service.threads, find)
    except TimeoutError:
        return None
    if found is None:
        return None
    engine = deployed.engines[question.language]
    without = left_out(person, question)
    ranked = from_cache(engine, question.account, question.target, _most(deployed, question), found, without)
    return Answer(ranked, personalised=True, degraded=True)


def _most(deployed: Deployed, question: Question) -> int:
    """So many items that k are left when rules have dropped some."""
    shaping = deployed.shaping
    return question.k if shaping is None else shaping.config.candidates(question.target, question.k)


def _chosen(service: "Service", deployed: Deployed, person: Person, question: Question, degraded: bool) -> Answer:
    """What an editor chose, the last that there is."""
    engine = deployed.engines[question.language]
    chosen = service.fallbacks.editors.find(question.target, question.placement)
    without = left_out(person, question)
    ranked = from_editor(engine, question.account, question.target, _most(deployed, question), chosen, without)
    return Answer(ranked, personalised=False, degraded=degraded)
