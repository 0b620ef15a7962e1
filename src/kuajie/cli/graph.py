"""`kuajie graph`: the knowledge graph of a workspace, looked over, shown, linked and given to other programs."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.errors import UsageError
from kuajie.core.language import message

if TYPE_CHECKING:
    from kuajie.data.dataset import JointDataset
    from kuajie.graph.nodes import Knowledge
    from kuajie.workflows.workspace import Workspace

SHOWN = 20
ACTIONS = ("report", "show", "path", "link", "export")


def graph(
    action: Annotated[
        str | None,
        typer.Argument(metavar="[report|show NAME|path FROM TO|link|export]", help="Left out: the report."),
    ] = None,
    names: Annotated[list[str] | None, typer.Argument(metavar="", show_default=False)] = None,
    steps: Annotated[int, typer.Option(min=1, max=4, help="How far show goes.")] = 2,
    most: Annotated[int, typer.Option(min=1, max=200, help="How many neighbours or paths are shown.")] = 40,
    svg: Annotated[Path | None, typer.Option(help="Write a picture of what show finds here.")] = None,
    method: Annotated[
        Literal["exact", "fuzzy"], typer.Option(help="Names of items that link compares: equal, or nearly equal.")
    ] = "exact",
    threshold: Annotated[float, typer.Option(min=0.5, max=1, help="How alike nearly equal names must be.")] = 0.9,
    to: Annotated[Path | None, typer.Option(help="The file, or for neo4j the folder, that export writes.")] = None,
    format: Annotated[Literal["graphml", "neo4j"], typer.Option(help="What export writes.")] = "graphml",
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Look at the knowledge graph: its quality, a neighbourhood, paths, links by name, files for other programs.

    \b
    Example:
      kuajie graph
      kuajie graph show "topic:turbo" --svg turbo.svg
      kuajie graph path courses:c0001 car_parts:p0007
      kuajie graph link --method fuzzy --threshold 0.92 --json
      kuajie graph export --format neo4j --to neo4j
    """
    from kuajie.api import newest_dataset
    from kuajie.workflows.graphs import open_graph
    from kuajie.workflows.workspace import Workspace

    action, names = action or "report", names or []
    if (
        action not in ACTIONS
        or len(names) != {"show": 1, "path": 2}.get(action, 0)
        or (action == "export") != (to is not None)
    ):
        raise UsageError(
            "say: kuajie graph report, kuajie graph show NAME, kuajie graph path FROM TO, kuajie graph link, or kuajie "
            "graph export --to FILE"
        )
    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    dataset = newest_dataset(opened)
    if action == "report":
        _report(screen, opened, dataset)
    elif action == "link":
        _link(screen, opened, dataset, method, threshold)
    else:
        knowledge = open_graph(dataset, screen.language)
        if action == "show":
            _show(screen, knowledge, names[0], steps, most, svg)
        elif action == "path":
            _path(screen, knowledge, names[0], names[1], most)
        elif to is not None:
            _export(screen, knowledge, format, to)


def _report(screen: Screen, opened: "Workspace", dataset: "JointDataset") -> None:
    from kuajie.graph.nodes import Nodes
    from kuajie.graph.quality import quality
    from kuajie.workflows.graphs import stated

    triples = stated(dataset)
    found = quality(triples, dataset.space, opened.config.graph.functional)
    table = dataset.catalog.table
    nodes = Nodes(dataset.space, table["item"].to_list(), table["title"].to_list(), triples.entities)
    examples = [
        {"relation": each.relation, "head": nodes.key(each.head), "tails": [nodes.key(tail) for tail in each.tails]}
        for each in found.examples
    ]
    screen.data(asdict(found) | {"examples": examples})
    counts = [
        (message("triples"), found.triples),
        (message("distinct"), found.distinct),
        (message("given more than once"), found.repeats),
        (message("of a thing with itself"), found.self_loops),
        (message("entities"), found.entities),
        (message("entities that one triple names"), found.dangling),
        (message("heads with several tails of a functional relation"), found.contradictions),
        (message("parts that no triple joins"), found.components),
    ]
    _counts(screen, counts)
    screen.say("{share} of the nodes with triples are in the largest part.", share=f"{found.largest:.1%}")
    for example in examples:
        screen.say(
            "  {head} has several '{relation}': {tails}", **(example | {"tails": ", ".join(example["tails"][:5])})
        )
    screen.head("Items with triples")
    rows = [
        (opened.title(d, screen.language), f"{k:,}", f"{n:,}", f"{k / max(n, 1):.1%}")
        for d, (k, n) in found.covered.items()
    ]
    screen.table(["domain", "with triples", "items", "share"], rows, numbers=1)
    if found.bridges:
        screen.head("What joins the domains")
        joined = [
            (
                f"{opened.title(b.a, screen.language)} - {opened.title(b.b, screen.language)}",
                f"{b.shared:,}",
                f"{b.within_two:,}",
            )
            for b in found.bridges
        ]
        screen.table(["domains", "shared entities", "within two triples of both"], joined, numbers=1)
    screen.head("Relations")
    relations = sorted(found.relations.items(), key=lambda pair: (-pair[1], pair[0]))
    screen.table(["relation", "triples"], [(name, f"{count:,}") for name, count in relations[:SHOWN]], numbers=1)


def _counts(screen: Screen, counts: list[tuple[str, int]]) -> None:
    screen.head("The graph")
    screen.table(["count of", "number"], [(screen.t(name), f"{count:,}") for name, count in counts], numbers=1)


def _show(screen: Screen, knowledge: "Knowledge", name: str, steps: int, most: int, svg: Path | None) -> None:
    from kuajie.core.files import write_file
    from kuajie.graph import picture
    from kuajie.workflows.graphs import node_named

    around = picture.neighbourhood(knowledge, node_named(knowledge, name), steps, most)
    nodes = knowledge.nodes
    edges = [{"head": nodes.key(e.head), "relation": e.relation, "tail": nodes.key(e.tail)} for e in around.edges]
    places = [
        {"key": nodes.key(node), "title": nodes.title(node), "kind": nodes.kind(node), "distance": distance}
        for distance, ring in enumerate(around.rings)
        for node in ring
    ]
    screen.data({"nodes": places, "triples": edges, "left_out": around.left_out})
    screen.table(
        ["triple", "", ""],
        [(nodes.title(e.head), e.relation, nodes.title(e.tail)) for e in around.edges],
    )
    if around.left_out:
        screen.say("{count} more neighbours are not shown; see --most.", count=f"{around.left_out:,}")
    if svg is not None:
        write_file(svg, picture.svg(knowledge, around))
        screen.say("Written: {path}", path=svg)


def _path(screen: Screen, knowledge: "Knowledge", start: str, end: str, most: int) -> None:
    from kuajie.graph.paths import paths
    from kuajie.workflows.graphs import items_named

    first, last = items_named(knowledge, [start, end])
    found = paths(knowledge, [first], last, most)
    screen.data([_plain(path) for path in found])
    for path in found:
        words = [path.title]
        for step in path.steps:
            words += [f"--{step.relation}-->" if step.outward else f"<--{step.relation}--", step.title]
        screen.line(f"{path.strength:.2e}  " + " ".join(words))
    if not found:
        screen.say("No path of at most four triples joins the two.")


def _plain(path: Any) -> dict[str, Any]:  # noqa: ANN401 - a named tuple
    return {
        "strength": path.strength,
        "start": path.key,
        "title": path.title,
        "steps": [step._asdict() for step in path.steps],
    }


def _link(
    screen: Screen, opened: "Workspace", dataset: "JointDataset", method: Literal["exact", "fuzzy"], threshold: float
) -> None:
    from kuajie.workflows.graphs import drawn

    config = opened.config.graph.model_copy(update={"link": method, "threshold": threshold, "mentions": True})
    found = drawn(dataset, config)
    items = dataset.catalog.table.select("domain", "item").rows()
    unsure: list[dict[str, Any]] = [
        {"entity": each.entity, "count": each.count, "items": [":".join(items[key]) for key in each.keys]}
        for each in found.ambiguous
    ]
    screen.data(
        {
            "drawn": found.triples.to_dicts(),
            "ambiguous": unsure,
            "ambiguous_names": list(found.ambiguous_names),
            "unknown": found.links.unknown,
            "left_out": found.left_out,
        }
    )
    _counts(
        screen,
        [
            (message("entities that are items"), len(found.links.links)),
            (message("entities whose name several items have"), len(found.ambiguous)),
            (message("other entities"), found.links.unknown),
            (message("names of several entities, not looked for in texts"), len(found.ambiguous_names)),
            (message("triples drawn"), len(found.triples)),
            (message("drawn, but not sure enough"), found.left_out),
        ],
    )
    rows = [
        (f"{domain}:{item}", relation, tail, f"{sureness:.2f}", origin)
        for domain, item, relation, tail, sureness, origin in found.triples.head(SHOWN).rows()
    ]
    screen.table(["head", "relation", "tail", "sureness", "origin"], rows, numbers=3)
    for each in unsure[:SHOWN]:
        screen.say(
            "  '{entity}' is not linked: {count} items have this name ({items})",
            **(each | {"items": ", ".join(each["items"])}),
        )
    screen.say(
        '[graph] link = "{method}" and mentions = true in kuajie.toml add them at the next import.', method=method
    )


def _export(screen: Screen, knowledge: "Knowledge", format: Literal["graphml", "neo4j"], to: Path) -> None:
    from kuajie.core.files import write_file
    from kuajie.graph import export

    if format == "graphml":
        files = {to: export.graphml(knowledge)}
    else:
        files = {
            to / "nodes.csv": export.neo4j_nodes(knowledge),
            to / "relationships.csv": export.neo4j_relationships(knowledge),
        }
        to.mkdir(parents=True, exist_ok=True)
    for path, lines in files.items():
        write_file(path, lines)
        screen.say("Written: {path}", path=path)
    screen.data({"files": [str(path) for path in files], "triples": knowledge.triples.n_triples})
