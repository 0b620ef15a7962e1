"""`kuajie keys`: who may use the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption, names_of
from kuajie.cli.screen import Screen
from kuajie.core.clock import system_clock
from kuajie.core.errors import TakenError, UsageError
from kuajie.core.texts import Text

if TYPE_CHECKING:
    from kuajie.service.wire import KeyMade, KeyRequest, KeyShown
    from kuajie.workflows.workspace import Workspace


class Desk(Protocol):
    """Where keys are made: the store, or the service that writes it."""

    def make_key(self, wish: "KeyRequest") -> "KeyMade":
        """Make a key."""

    def keys(self) -> "list[KeyShown]":
        """All keys."""

    def revoke_key(self, key_id: str) -> "KeyShown":
        """From now on it opens nothing."""

    def rotate_key(self, key_id: str, hours: int = 24) -> "KeyMade":
        """Make a key like another."""


def keys(
    action: Annotated[
        str | None,
        typer.Argument(metavar="[create|list|rotate KEY|revoke KEY|rotate-lists]", help="Left out: list the keys."),
    ] = None,
    key: Annotated[str | None, typer.Argument(metavar="", show_default=False)] = None,
    organisation: Annotated[str | None, typer.Option(help="Whose key it is; one that is new is made.")] = None,
    domains: Annotated[
        str | None, typer.Option(metavar="NAMES", help="The organisation's own domains, separated by commas.")
    ] = None,
    publishable: Annotated[bool, typer.Option("--publishable", help="For web pages; needs --origins.")] = False,
    origins: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Pages that may use it, such as https://shop.example.")
    ] = None,
    scopes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="What it may do: events, recommend, catalogue, people, webhooks; for operators: operations, admin.",
            show_default="everything that its kind may, nothing of operators",
        ),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="It opens nothing after so many days.")] = None,
    name: Annotated[str, typer.Option(help="For people, to tell keys apart.")] = "",
    hours: Annotated[int, typer.Option(min=0, max=8_760, help="How long a key goes on that was rotated.")] = 24,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Make, list, rotate and revoke the keys of the service. A key is shown once, when it is made.

    A service that runs on the same workspace may go on; it is told.

    \b
    Example:
      kuajie keys create --organisation shop --domains car_parts
      kuajie keys create --organisation shop --publishable --origins https://shop.example
      kuajie keys create --organisation operators --scopes operations --name prometheus
      kuajie keys rotate 4f2a9c0d1e5b7a38 --hours 48
      kuajie keys revoke 4f2a9c0d1e5b7a38
      kuajie keys rotate-lists     a new secret signs the ids of lists; the old one is known for 30 days
    """
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    if action == "rotate-lists" and key is None:
        _rotate_lists(screen, opened)
        return
    if action not in {None, "create", "list", "revoke", "rotate"} or (action in {"revoke", "rotate"}) != bool(key):
        raise UsageError(
            "say: kuajie keys list, kuajie keys create --organisation NAME, kuajie keys rotate KEY, or kuajie keys "
            "revoke KEY"
        )
    wish = None
    if action == "create":
        wish = _wish(organisation, domains, origins, scopes, publishable=publishable, days=days, name=name)
    with _desk(opened, screen.language) as desk:
        if wish is not None:
            _show_new(screen, desk.make_key(wish))
        elif not key:
            _list(screen, desk.keys())
        elif action == "rotate":
            _show_new(screen, desk.rotate_key(key, hours))
            screen.say("The key {key} opens nothing any more after {hours} hours.", key=key, hours=hours)
        else:
            desk.revoke_key(key)
            screen.data({"revoked": key})
            screen.say("The key {key} opens nothing any more; a running service notices within 5 seconds.", key=key)


def _wish(
    organisation: str | None,
    domains: str | None,
    origins: str | None,
    scopes: str | None,
    *,
    publishable: bool,
    days: int | None,
    name: str,
) -> "KeyRequest":
    """The key that the options describe.

    Raises:
        UsageError: they do not say whose it is.
    """
    from kuajie.service.wire import KeyRequest

    if not organisation:
        raise UsageError("say whose key it is: --organisation NAME")
    return KeyRequest(
        organisation=organisation,
        domains=names_of(domains),
        kind="publishable" if publishable else "secret",
        origins=names_of(origins),
        scopes=None if scopes is None else names_of(scopes),
        days=days,
        name=name,
    )


@contextmanager
def _desk(workspace: "Workspace", language: str) -> Iterator[Desk]:
    """The store; where a service writes it that has one writer, that service.

    Raises:
        TakenError: something else writes it.
    """
    from kuajie.bootstrap import operational_store
    from kuajie.client import Client, ServiceError
    from kuajie.service.keys import KeyDesk
    from kuajie.workflows.control import offered

    try:
        store = operational_store(workspace)
    except TakenError:
        control = offered(workspace.root)
        if control is None:
            raise
        with Client(control.url, control.key, language="zh" if language == "zh" else "en", attempts=1) as client:
            try:
                yield client
                return
            except ServiceError as error:
                if error.status:  # else it was killed, and something else holds the store
                    raise UsageError(Text(error.error)) from None
        raise
    try:
        yield KeyDesk(store.access, workspace.config.domains, system_clock)
    finally:
        store.close()


def _show_new(screen: Screen, made: "KeyMade") -> None:
    screen.data(made)
    screen.line(made.key)
    screen.say("Keep it now: it is not shown again. Its id is {key}.", key=made.key_id)


def _list(screen: Screen, found: "list[KeyShown]") -> None:
    screen.data({"keys": found})
    if not found:
        screen.say("There is no key yet. Make one: kuajie keys create --organisation NAME --domains DOMAIN")
        return
    screen.table(
        ["key", "organisation", "kind", "scopes", "expires", "revoked"],
        [
            (
                key.key_id,
                key.organisation,
                key.kind,
                ", ".join(key.scopes),
                key.expires_at.strftime("%Y-%m-%d") if key.expires_at else "",
                key.revoked_at.strftime("%Y-%m-%d %H:%M:%S") if key.revoked_at else "",
            )
            for key in found
        ],
    )


def _rotate_lists(screen: Screen, workspace: "Workspace") -> None:
    from kuajie.bootstrap import rotate_list_keys

    made = rotate_list_keys(workspace, system_clock())
    screen.data({"key_id": made.key_id.hex()})
    screen.say("A new secret signs the ids of lists; a running service notices within 2 seconds.")
