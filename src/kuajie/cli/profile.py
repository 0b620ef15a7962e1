"""`kuajie profile`: what is known of one person, and segments of people."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.errors import KuajieError, UsageError

if TYPE_CHECKING:
    from kuajie.profiles.audience import Audience
    from kuajie.workflows.workspace import Workspace


def profile(
    user: Annotated[
        str | None, typer.Option(metavar="DOMAIN:ID", help="Whose profile, as that domain names them.")
    ] = None,
    segments: Annotated[bool, typer.Option("--segments", help="List the segments of people.")] = False,
    segment: Annotated[str | None, typer.Option(metavar="NAME|NUMBER", help="Show what sets a segment apart.")] = None,
    fit: Annotated[bool, typer.Option("--fit", help="Find topics and segments anew in the newest snapshot.")] = False,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Show what is known of one person, or segments of people and what sets them apart.

    Every field says where it comes from, how sure it is and when it expires. Topics and segments are found when they
    are first needed, and kept; --fit finds them anew. Sensitive attributes are left out unless [profiles] of
    kuajie.toml names them.

    \b
    Example:
      kuajie profile --user courses:00000042
      kuajie profile --segments --json
      kuajie profile --segment 3
      kuajie profile --fit
    """
    from kuajie.workflows.workspace import Workspace

    if sum((user is not None, segments, segment is not None)) > 1 or not (user or segments or segment or fit):
        raise UsageError("say one of: kuajie profile --user DOMAIN:ID, --segments, --segment NAME, --fit")
    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    if user is not None:
        show_user(screen, opened, user, fit=fit)
        return
    audience = audience_of(screen, opened, fit=fit)
    show_audience(screen, opened, audience, segment)


def show_user(screen: Screen, workspace: "Workspace", user: str, *, fit: bool) -> None:
    """Print one person."""
    from kuajie.api import newest_dataset
    from kuajie.api import profile as profile_of
    from kuajie.cli.show_profile import show_profile
    from kuajie.workflows.serving import parse_account

    account = parse_account(user)
    dataset = newest_dataset(workspace)
    dataset.person_of(account)  # before a fit that would be for nothing
    audience_of(screen, workspace, fit=fit)
    found = profile_of(workspace, user, dataset=dataset, language=screen.language)
    screen.data(found)
    show_profile(screen, found, partial(workspace.title, language=screen.language))


def show_audience(screen: Screen, workspace: "Workspace", audience: "Audience", segment: str | None) -> None:
    """Print all segments, or one of them."""
    from kuajie.api import newest_dataset
    from kuajie.cli.show_profile import show_segment, show_segments
    from kuajie.workflows.segment_people import Naming, english_labels

    title = partial(workspace.title, language=screen.language)
    labels: dict[str, str] = {}
    if screen.language == "en":
        with suppress(KuajieError):  # without a snapshot that can be read, by their own names
            labels = english_labels(newest_dataset(workspace))
    naming = Naming(audience, screen.language, screen.t, title, labels)
    told = [naming.told(each) for each in audience.about.segments]
    if segment is None:
        about = audience.about
        topics = [
            {"topic": place, "name": topic.name(screen.language), "share": topic.share}
            for place, topic in enumerate(about.topics, start=1)
        ]
        screen.data(
            {
                "snapshot_id": about.snapshot_id,
                "fitted_at": about.fitted_at,
                "people": about.people,
                "silhouettes": {k: {"mean": mean, "error": error} for k, (mean, error) in about.judged.items()},
                "topics": topics,
                "segments": told,
            }
        )
        show_segments(screen, told, about)
        return
    chosen = told[naming.find(segment).number - 1]
    screen.data(chosen)
    show_segment(screen, chosen)


def audience_of(screen: Screen, workspace: "Workspace", *, fit: bool) -> "Audience":
    """The audience that is kept, or a new one where there is none or one is wanted."""
    from kuajie.api import segment_people
    from kuajie.bootstrap import audience_store

    kept = None if fit else audience_store(workspace).load()
    return segment_people(workspace) if kept is None else kept
