"""What a process hears of others stays known after a swap; faults do not stop it; nobody is overheard."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kuajie.bootstrap import deployed, model_store
from kuajie.core.records import Account, Consent, Event
from kuajie.workflows.deploy import Deployed
from kuajie.workflows.live import FRESH_SECONDS, LiveHistories, light
from kuajie.workflows.stores import CatalogueStore

from .conftest import NOW, Running
from .test_swap import copy_version, point


def event(number: int, user: str = "0007", item: str = "课1", **more: Any) -> Event:
    return Event(
        event_id=f"x{number}", domain="courses", user=user, item=item, kind="purchase", occurred_at=NOW, **more
    )


def events_of(running: Running, user: str = "0007") -> set[str]:
    live, now = running.service.deployment.now.live, running.service.clock()
    return {each.event_id for each in live.load(Account(domain="courses", user=user), now).known()}


def test_what_another_process_stored_is_known_after_a_swap(running: Running) -> None:
    service = running.service
    assert events_of(running) == set()
    service.store.events.append([event(1)], NOW)  # somebody else
    service.look()
    assert events_of(running) == {"x1"}
    fresh = deployed(service.workspace, model_store(service.workspace), service.store, service.cache)
    service.deployment.now = fresh
    assert events_of(running) == {"x1"}


def test_others_are_heard_while_a_version_is_loaded(running: Running) -> None:
    service, began, loaded = running.service, threading.Event(), threading.Event()
    load = service.deployment._load

    def slowly(version: str | None) -> Deployed:
        made = load(version)
        began.set()
        assert loaded.wait(30)
        return made

    service.deployment._load = slowly
    copy_version(service, "慢")
    point(service, "慢")
    threads = [threading.Thread(target=work) for work in (service.watch, service.watch_models)]
    try:
        for thread in threads:
            thread.start()
        assert began.wait(30)
        service.store.events.append([event(1)], NOW)  # somebody else
        until(lambda: events_of(running) == {"x1"})
        assert service.deployment.now.model_version != "慢"
        loaded.set()
        until(lambda: service.deployment.now.model_version == "慢")
        assert events_of(running) == {"x1"}
        service.store.events.append([event(2)], NOW)
        until(lambda: events_of(running) == {"x1", "x2"})
    finally:
        loaded.set()
        service.stopped.set()
        for thread in threads:
            thread.join(30)


@pytest.mark.parametrize("moment", ["before the cache hears", "after the cache has heard"])
def test_no_event_falls_between_two_versions(fast: Running, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    service, account = fast.service, Account(domain="courses", user="0007")
    old = service.deployment.now.live
    assert not old.load(account, NOW).known()  # from now on the cache knows this person, and the store is not asked
    copy_version(service, "v2")
    point(service, "v2")
    remember, learn = service.cache.remember, old.learn

    def swap() -> None:
        service.deployment.look()
        assert service.deployment.now.model_version == "v2"
        assert not service.deployment.now.live.load(account, NOW).known() or moment.startswith("after")

    def remembering(events: Sequence[Event]) -> None:
        if moment.startswith("before"):
            swap()
        remember(events)
        if moment.startswith("after"):
            swap()

    monkeypatch.setattr(service.cache, "remember", remembering)
    monkeypatch.setattr(old, "learn", lambda events: pytest.fail("it serves no more") if events else learn(events))
    service.store.events.append([event(1)], NOW)
    assert service.tail.read(service.deployment) == 1
    person = service.deployment.now.live.ready(account, NOW)
    assert person is not None
    assert [each.event_id for each in person.known()] == ["x1"]
    history = service.deployment.now.live.history(person, NOW)
    assert len(history.items) == len(old.history(old.load(account, NOW), NOW).items), "and it counts once"


def test_what_serves_hands_on_what_the_cache_has_not_heard(fast: Running) -> None:
    """A shared cache is far away: it is told in the background."""
    service, account = fast.service, Account(domain="courses", user="0007")
    service.deployment.now.live.load(account, NOW)
    service.deployment.learn([event(1)])
    copy_version(service, "v2")
    point(service, "v2")
    service.deployment.look()
    assert service.deployment.now.model_version == "v2"
    assert [each.event_id for each in service.deployment.now.live.load(account, NOW).known()] == ["x1"]


def test_a_change_of_mind_reaches_the_version_that_serves(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    service, account = fast.service, Account(domain="courses", user="0007")
    copy_version(service, "v2")
    point(service, "v2")
    read = service.fallbacks.refusals.read

    def reading(catalogue: CatalogueStore) -> Sequence[Consent]:
        service.deployment.look()
        assert service.deployment.now.model_version == "v2"
        assert service.deployment.now.live.load(account, NOW).personalised
        catalogue.put_consents([Consent(account=account, personalised=False, changed_at=NOW)])
        return read(catalogue)

    monkeypatch.setattr(service.fallbacks.refusals, "read", reading)
    service.fallbacks.look(service.deployment, NOW)
    assert service.deployment.now.live.ready(account, NOW) is None
    assert not service.deployment.now.live.load(account, NOW).personalised


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_fault_does_not_stop_the_listening(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    service = running.service
    with monkeypatch.context() as broken:
        for owner, name in ((service.metrics, "refresh"), (service.fallbacks, "look"), (service.seals, "refresh")):

            def full(*_: object) -> None:
                raise OSError(28, "no space left on device")

            broken.setattr(owner, name, full)
        service.store.events.append([event(2)], NOW)
        watcher = threading.Thread(target=service.watch)
        watcher.start()
        try:
            running.recommend("0008")
            for _ in range(100):
                if not service.lists.waiting and events_of(running) == {"x2"}:
                    break
                service.stopped.wait(0.1)
            assert watcher.is_alive()
        finally:
            service.stopped.set()
            watcher.join(10)
    assert service.lists.waiting == 0
    assert events_of(running) == {"x2"}


def test_a_consent_that_changes_while_somebody_is_loaded_is_heard(fast: Running, monkeypatch) -> None:
    service, account = fast.service, Account(domain="courses", user="0007")
    live: LiveHistories = service.deployment.now.live
    asked = service.store.about
    said = iter([False, False, False])

    def about(accounts: Sequence[Account], *given: Any, **more: Any) -> Any:
        found = asked(accounts, *given, **more)
        if next(said, True) is False:  # the answer is on its way when somebody changes their mind
            service.store.catalogue.put_consents([Consent(account=account, personalised=False, changed_at=NOW)])
            live.forget([account])
        return found

    monkeypatch.setattr(service.store, "about", about)
    first = live.load(account, service.clock())
    assert live.ready(account, service.clock()) is None or not first.personalised
    assert not live.load(account, service.clock()).personalised


def test_properties_stay_in_the_store() -> None:
    assert light(event(1)) == event(1)
    assert light(event(1, properties={"页": "x" * 9_000})) == event(1)
    assert light(event(1, properties={"scope": "brand", "页": "首页"})) == event(1, properties={"scope": "brand"})


def test_what_just_happened_is_kept_apart_for_a_while_only(fast: Running) -> None:
    service, now = fast.service, [0.0]
    dataset, config = service.deployment.now.dataset, service.workspace.config
    live = LiveHistories(
        dataset, service.store, service.cache, config.identity, config.cleaning, monotonic=lambda: now[0]
    )
    for number in range(3):
        now[0] = number * FRESH_SECONDS * 0.75
        live.learn([event(number, user=f"u{number}"), event(number, user=f"u{number}")])
    kept = live._fresh
    assert [each.user for each in kept] == ["u1", "u2"]
    assert [len(each.events) for each in kept.values()] == [1, 1], "told twice, by its sender and by the tail"
