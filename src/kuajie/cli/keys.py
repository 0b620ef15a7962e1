"""`kuajie keys`: who may use the service."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption, names_of
from kuajie.cli.screen import Screen
from kuajie.core.clock import system_clock
from kuajie.core.errors import UsageError
from kuajie.core.names import suggest

if TYPE_CHECKING:
    from kuajie.core.records import ApiKey
    from kuajie.workflows.stores import Store
    from kuajie.workflows.workspace import Workspace


def keys(
    action: Annotated[
        str | None, typer.Argument(metavar="[create|list|revoke KEY]", help="Left out: list the keys.")
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
            help="What it may do: events, recommend, catalogue, people, webhooks.",
            show_default="everything that its kind may",
        ),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="It opens nothing after so many days.")] = None,
    name: Annotated[str, typer.Option(help="For people, to tell keys apart.")] = "",
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Make, list and revoke the keys of the service. A key is shown once, when it is made.

    \b
    Example:
      kuajie keys create --organisation shop --domains car_parts
      kuajie keys create --organisation shop --publishable --origins https://shop.example
      kuajie keys revoke 4f2a9c0d1e5b7a38
    """
    from kuajie.bootstrap import operational_store
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    if action not in {None, "create", "list", "revoke"} or (action == "revoke") != (key is not None):
        raise UsageError("say: kuajie keys list, kuajie keys create --organisation NAME, or kuajie keys revoke KEY")
    store = operational_store(opened)
    try:
        if action == "create":
            allowed = names_of(scopes) if scopes is not None else None
            kind: Literal["publishable", "secret"] = "publishable" if publishable else "secret"
            _create(
                screen, opened, store, organisation, names_of(domains), kind, names_of(origins), allowed, days, name
            )
        elif action == "revoke":
            store.access.revoke_key(cast(str, key), system_clock())
            screen.data({"revoked": key})
            screen.say("The key {key} opens nothing any more; a running service notices within 5 seconds.", key=key)
        else:
            _list(screen, store)
    finally:
        store.close()


def _create(
    screen: Screen,
    workspace: "Workspace",
    store: "Store",
    organisation: str | None,
    domains: list[str],
    kind: Literal["publishable", "secret"],
    origins: list[str],
    scopes: list[str] | None,
    days: int | None,
    name: str,
) -> None:
    from kuajie.core.records import Organisation
    from kuajie.workflows.access import PUBLISHABLE_SCOPES, SCOPES
    from kuajie.workflows.keys import new_key

    if not organisation:
        raise UsageError("say whose key it is: --organisation NAME")
    if (kind == "publishable") != bool(origins):
        raise UsageError("a publishable key needs --origins, and no other key takes them")
    for domain in domains:
        if domain not in workspace.config.domains:
            hint = suggest(domain, workspace.config.domains)
            raise UsageError("there is no domain '{domain}'{hint}", domain=domain, hint=hint)
    possible = PUBLISHABLE_SCOPES if kind == "publishable" else SCOPES
    for scope in scopes or ():
        if scope not in possible:
            raise UsageError(
                "there is no scope '{scope}' for such a key; there are {names}", scope=scope, names=", ".join(possible)
            )
    now = system_clock()
    known = {each.organisation_id: each for each in store.access.organisations()}.get(organisation)
    if known is None and not domains:
        raise UsageError("the organisation {organisation} is new: say --domains", organisation=organisation)
    if domains:
        made = now if known is None else known.created_at
        title = organisation if known is None else known.name
        store.access.put_organisation(
            Organisation(organisation_id=organisation, name=title, created_at=made, domains=tuple(domains))
        )
    expires = now + timedelta(days=days) if days else None
    token, key = new_key(
        organisation,
        kind,
        now,
        name=name,
        scopes=possible if scopes is None else scopes,
        origins=origins,
        expires_at=expires,
    )
    store.access.add_key(key)
    screen.data({"key": token, **_shown(key)})
    screen.line(token)
    screen.say("Keep it now: it is not shown again. Its id is {key}.", key=key.key_id)


def _list(screen: Screen, store: "Store") -> None:
    found = [key for each in store.access.organisations() for key in store.access.keys(each.organisation_id)]
    screen.data({"keys": [_shown(key) for key in found]})
    if not found:
        screen.say("There is no key yet. Make one: kuajie keys create --organisation NAME --domains DOMAIN")
        return
    screen.table(
        ["key", "organisation", "kind", "scopes", "expires", "revoked"],
        [
            (
                key.key_id,
                key.organisation_id,
                key.kind,
                ", ".join(key.scopes),
                key.expires_at.strftime("%Y-%m-%d") if key.expires_at else "",
                key.revoked_at.strftime("%Y-%m-%d %H:%M:%S") if key.revoked_at else "",
            )
            for key in found
        ],
    )


def _shown(key: "ApiKey") -> dict[str, object]:
    """A key without its hash."""
    return {
        "key_id": key.key_id,
        "organisation": key.organisation_id,
        "kind": key.kind,
        "name": key.name,
        "scopes": key.scopes,
        "origins": key.origins,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }
