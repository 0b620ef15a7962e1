"""What a process of the service does beside answering: it tells organisations what happens."""

import logging
import threading
from dataclasses import dataclass, field

from kuajie.core.errors import KuajieError, StoreError
from kuajie.service.calls import Service
from kuajie.workflows.notices import model_activated, model_refused
from kuajie.workflows.webhooks import Courier, Outbound

log = logging.getLogger("kuajie.service")
PAUSE_SECONDS = 1.0


def background(service: Service) -> list[threading.Thread]:
    """The threads, not started; they end when the service stops."""
    if service.outbound is None:
        return []
    messenger = Messenger(service, service.outbound)
    return [threading.Thread(target=messenger.run, name="kuajie-messenger", daemon=True)]


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
    serving: str = field(init=False)
    refused: str = ""

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
        if notices:
            self.service.notices.tell(notices)
        self.serving = serves.model_version
        self.refused = "" if refused is None else refused.model_version
        self.service.notices.tell_bad(now)
