"""What a process of the service does beside answering: it tells organisations what happens, and reads a stream."""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from kuajie.bootstrap import consumer_of
from kuajie.core.errors import KuajieError, StoreError
from kuajie.core.records import BadEvent, Event
from kuajie.service.calls import Service
from kuajie.workflows.consume import Consumer
from kuajie.workflows.live import light
from kuajie.workflows.notices import loop_finished, model_activated, model_refused
from kuajie.workflows.schedule import LoopLog
from kuajie.workflows.webhooks import Courier, Outbound

log = logging.getLogger("kuajie.service")
PAUSE_SECONDS = 1.0


def background(service: Service) -> list[threading.Thread]:
    """The threads, not started; they end when the service stops."""
    threads = []
    if service.outbound is not None:
        messenger = Messenger(service, service.outbound)
        threads.append(threading.Thread(target=messenger.run, name="kuajie-messenger", daemon=True))
    config = service.workspace.config.consume
    if config.serve and (config.url or config.url_env):
        consumer = consumer_of(service.workspace, config, service.store.events, service.stopped.wait)
        consumer.learn, consumer.noted = partial(_learn, service), partial(_note, service)
        threads.append(threading.Thread(target=_consume, args=(consumer,), name="kuajie-consumer", daemon=True))
    return threads


def _consume(consumer: Consumer) -> None:
    """Until the service stops; a fault of ours ends it loudly, and what was not acknowledged comes to others."""
    try:
        consumer.run()
    except Exception:
        log.exception("the stream is not read any more")
    finally:
        consumer.source.close()


def _learn(service: Service, events: Sequence[Event]) -> None:
    """The next list knows them."""
    service.deployment.learn(events)
    service.cache.remember([light(event) for event in events])


def _note(service: Service, rows: Sequence[BadEvent]) -> None:
    """Count what went to the quarantine for the owners of its domains."""
    with suppress(StoreError):
        owners = {
            domain: each.organisation_id for each in service.store.access.organisations() for domain in each.domains
        }
        for row in rows:
            if row.domain in owners and service.outbound is not None:
                service.notices.note_bad(owners[row.domain], [row], service.clock())


@dataclass(eq=False)
class Messenger:
    """Queues what a process notices by itself, and delivers what waits.

    Attributes:
        service: whose.
        outbound: how.
    """

    service: Service
    outbound: Outbound
    courier: Courier = field(init=False)
    rounds: LoopLog = field(init=False)
    serving: str = field(init=False)
    refused: str = ""
    ended: datetime | None = field(init=False)

    def __post_init__(self) -> None:
        config = self.service.workspace.config.webhooks
        self.courier = Courier(
            self.service.store.webhooks,
            self.outbound.sender,
            self.outbound.master,
            self.service.clock,
            disable_hours=config.disable_hours,
        )
        self.serving = self.service.deployment.now.model_version
        self.rounds = LoopLog(self.service.workspace.models)
        last = self.rounds.last()
        self.ended = None if last is None else last.finished_at

    def run(self) -> None:
        """Until the service stops."""
        while not self.service.stopped.wait(PAUSE_SECONDS):
            try:
                self.look()
                while self.courier.round() and not self.service.stopped.is_set():
                    pass
            except StoreError:
                pass  # `tail.failing` says so; what was taken comes back by itself
            except KuajieError as error:
                log.error("webhooks wait: %s", error)
            except Exception:
                log.exception("webhooks wait")
        self.courier.close()

    def look(self) -> None:
        """Queue what has changed since the last look.

        Raises:
            StoreError: the store does not answer; it is queued later.
        """
        serves, refused = self.service.deployment.now, self.service.deployment.refused
        now, since = self.service.clock(), self.outbound.activated_at()
        notices = []
        if serves.model_version != self.serving:
            snapshot_id = serves.dataset.snapshot.manifest.snapshot_id
            notices.append(model_activated(serves.model_version, snapshot_id, since, now))
        if refused is not None and refused.model_version != self.refused:
            notices.append(model_refused(refused.model_version, refused.reason, since, now))
        last = self.rounds.last()
        ended = None if last is None else last.finished_at
        if last is not None and ended not in {None, self.ended} and last.outcome != "skipped":
            notices.append(loop_finished(last, now))
        if notices:
            self.service.notices.tell(notices)
        self.ended = ended or self.ended
        self.serving = serves.model_version
        self.refused = "" if refused is None else refused.model_version
        self.service.notices.tell_bad(now)
