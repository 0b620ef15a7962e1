"""`kuajie trends`: which topics of a domain rise."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen

if TYPE_CHECKING:
    from kuajie.models.rising import Growth


def trends(
    domain: Annotated[
        str | None, typer.Option(metavar="DOMAIN", help="Of this domain alone.", show_default="all domains")
    ] = None,
    field: Annotated[str, typer.Option(help="Labels of items: category, brand, or an attribute.")] = "category",
    weeks: Annotated[int, typer.Option(max=520, help="The newest weeks that are looked at, at least four.")] = 12,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Show the topics whose share of all use rises, by domain, with the factor by which it grows in a week.

    A topic is named where the interval of its factor lies above 1; the intervals hold for all topics of a domain
    together. JSON lists the others too.

    \b
    Example:
      kuajie trends
      kuajie trends --domain courses --field brand --weeks 26 --json
    """
    from kuajie.api import newest_dataset, rising
    from kuajie.workflows.segment_people import english_labels
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    dataset = newest_dataset(opened)
    domains = dataset.space.domains if domain is None else (domain,)
    found = {name: rising(opened, name, field, weeks, dataset=dataset) for name in domains}
    screen.data({"field": field, "weeks": weeks, "domains": {name: list(map(plain, found[name])) for name in found}})
    english = english_labels(dataset) if screen.language == "en" and field == "category" else {}
    for name, growths in found.items():
        show_trends(screen, opened.title(name, screen.language), growths, english)


def plain(growth: "Growth") -> dict[str, object]:
    """A label's trend for machines; a bound that is not known is null."""
    return {
        "label": growth.name,
        "events": growth.events,
        "weekly_factor": growth.growth,
        "ci95": [growth.low, growth.high],
        "rises": growth.rises,
    }


def show_trends(screen: Screen, title: str, growths: "Sequence[Growth]", english: Mapping[str, str]) -> None:
    """The labels of one domain that rise, the surest first; by their English names where these are told."""
    rising = [each for each in growths if each.rises]
    screen.head("{domain}: {count} of {total} rise", domain=title, count=len(rising), total=len(growths))
    if rising:
        rows = [
            (
                english.get(each.name, each.name),
                f"{each.events:,}",
                f"{each.growth:.3f}",
                f"{each.low:.3f} - {each.high:.3f}",
            )
            for each in rising
        ]
        screen.table(["label", "events", "weekly factor", "95 % interval"], rows, numbers=1)
