"""`kuajie serve`: events in, recommendations out, over HTTP."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.errors import MissingExtraError, UsageError
from kuajie.core.hosts import LOOPBACK
from kuajie.core.texts import Text

if TYPE_CHECKING:
    from socket import socket

    from kuajie.core.records import Account, Item
    from kuajie.data.dataset import JointDataset
    from kuajie.workflows.stores import Store
    from kuajie.workflows.workspace import Workspace

CONFIGURED = "what [service] says"


def serve(
    host: Annotated[str | None, typer.Option(help="The address to answer at.", show_default=CONFIGURED)] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="The port; 0: any free one.", show_default=CONFIGURED)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; more than one need a database server.", show_default=CONFIGURED),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Answer without keys, to this machine alone.")] = False,
    workspace: WorkspaceOption = Path(),
    lang: LangOption = None,
) -> None:
    """Answer over HTTP: behaviour events in, recommendations that know them out.

    Without any key (kuajie keys create) only this machine is answered. Stop it with Ctrl-C or SIGTERM; requests that
    are being answered end first. A model that is trained or activated meanwhile serves within a second.

    \b
    Example:
      kuajie serve --workspace my-workspace
      kuajie serve --host 0.0.0.0 --port 80 --workers 4
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("kuajie serve", "starlette, uvicorn", "service") from None
    from kuajie.bootstrap import may_be_shared
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen, config = Screen(lang, opened.config.workspace.language), opened.config.service
    host = config.host if host is None else host
    port = config.port if port is None else port
    workers = config.workers if workers is None else workers
    if demo and host not in LOOPBACK:
        raise UsageError("--demo answers without keys, so only on 127.0.0.1, not on {host}. Leave one out.", host=host)
    if workers > 1:
        if not may_be_shared(opened):
            raise UsageError(
                "an SQLite store has one writing process. Leave --workers out, or name a MySQL or PostgreSQL database "
                "in [store] of kuajie.toml."
            )
        _serve_many(screen, opened, host, port, workers, demo=demo)
        return
    _serve_one(screen, opened, host, port, demo=demo)


def _serve_one(screen: Screen, workspace: "Workspace", host: str, port: int, *, demo: bool) -> None:
    from kuajie.service.control import controlled
    from kuajie.service.server import listening, open_service
    from kuajie.service.server import serve as run

    with listening(host, port) as bound:
        service = open_service(workspace, demo=demo)
        try:
            service.demo, service.insist = demo or _without_keys(service.store, host), demo
        except BaseException:
            service.close()
            raise
        url = _url(host, bound)
        dataset = service.deployment.now.dataset
        with controlled(service, bound):
            run(service, bound, lambda: _announce(screen, url, dataset, demo=service.demo))
    screen.say("Stopped; everything that was acknowledged is stored.")


def _serve_many(screen: Screen, workspace: "Workspace", host: str, port: int, workers: int, *, demo: bool) -> None:
    from kuajie.service.workers import shared_numbers

    with shared_numbers():
        from kuajie.bootstrap import operational_store
        from kuajie.service.server import listening, serve_with_workers

        with listening(host, port) as bound:
            store, insist = operational_store(workspace), demo
            try:
                demo = demo or _without_keys(store, host)
            finally:
                store.close()
            url = _url(host, bound)

            def announce() -> None:
                screen.say("kuajie answers on {url} with {workers} processes.", url=url, workers=workers)
                if demo:
                    screen.warn(OPEN)
                    screen.say("The demo page: {url}/demo", url=url)

            serve_with_workers(workspace, bound, workers, announce, demo=demo, insist=insist)
    screen.say("Stopped; everything that was acknowledged is stored.")


def _url(host: str, bound: "socket") -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{bound.getsockname()[1]}"


OPEN = Text("DEMO MODE: whoever is on this machine may read and write everything, without a key.")


def _without_keys(store: "Store", host: str) -> bool:
    """Whether there is no key at all, which only this machine may be answered without.

    Raises:
        UsageError: the address is for others.
    """
    from kuajie.workflows.issuing import is_guarded

    if is_guarded(store.access):
        return False
    if host not in LOOPBACK:
        raise UsageError(
            "nobody is answered on {host} without a key, and there is none. Make one: kuajie keys create "
            "--organisation NAME --domains DOMAIN, or serve on 127.0.0.1.",
            host=host,
        )
    return True


def _announce(screen: Screen, url: str, dataset: "JointDataset", *, demo: bool) -> None:
    screen.say("kuajie answers on {url} (Ctrl-C stops it; {url}/openapi.json describes it).", url=url)
    if demo:
        screen.warn(OPEN)
        screen.say("The demo page: {url}/demo", url=url)
    account, item, target = sample(dataset)
    key = "" if demo else ' -H "Authorization: Bearer $KUAJIE_KEY"'
    screen.say("Try it in another terminal: ask, tell what somebody did, and ask again.")
    screen.line(f"  {asked(url, account, item, target, key)}")
    screen.line(f"  {told(url, account, item, key)}")


def sample(dataset: "JointDataset") -> tuple["Account", "Item", str]:
    """Somebody, something of their domain that they have not used, and another domain."""
    import numpy as np

    person = int(dataset.events.row[len(dataset.events) // 2])
    account = dataset.accounts_of(person)[0]
    part = dataset.space.slice(account.domain)
    support = dataset.support()[part]
    used = dataset.history_of(account).items
    support[used[(used >= part.start) & (used < part.stop)] - part.start] = -1
    item = dataset.catalog.item(part.start + int(np.argmax(support)))
    return account, item, next(iter(dataset.space.others(account.domain)), account.domain)


def asked(url: str, account: "Account", _: "Item", target: str, key: str = "") -> str:
    """The command that asks for a list."""
    body = {"domain": account.domain, "user": account.user, "target": target, "k": 5}
    return _curl(f"{url}/v1/recommend", body, key)


def told(url: str, account: "Account", item: "Item", key: str = "") -> str:
    """The command that tells of an event."""
    event = {"event_id": "try-1", "domain": account.domain, "user": account.user, "item": item.item, "kind": "purchase"}
    return _curl(f"{url}/v1/events", event, key)


def _curl(url: str, body: Mapping[str, object], key: str) -> str:
    text = json.dumps(body, ensure_ascii=False).replace("'", "\\u0027")
    return f"curl -s {url} -H 'Content-Type: application/json'{key} -d '{text}'"
