"""`kuajie graph`."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from kuajie.cli.main import run

TOML = """
[workspace]
language = "en"
[graph]
functional = ["teacher"]
{graph}
[domains.courses]
events = [{{ path = "events.csv" }}]
items = [{{ path = "courses.csv" }}]
kg = [{{ path = "courses.ttl", item_iri = "http://x/item/" }}]
[domains.parts]
events = [{{ path = "events2.csv" }}]
items = [{{ path = "parts.csv" }}]
kg = [{{ path = "parts.csv.kg", format = "csv" }}]
"""
TURTLE = """@prefix i: <http://x/item/> . @prefix e: <http://x/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
i:c1 e:about e:turbo ; e:teacher e:wang , e:li . e:turbo rdfs:label "涡轮" .
i:c1 e:about e:turbo . i:c1 e:about i:c1 . e:kit rdfs:label "涡轮套件" . e:turbo e:used_in e:kit .
"""


def write(folder: Path, graph: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in {
        "kuajie.toml": TOML.format(graph=graph),
        "courses.csv": "item,title\nc1,学习涡轮\nc2,刹车\n",
        "parts.csv": "item,title\np1,涡轮套件\np2,适用于涡轮的管\n",
        "events.csv": "user,item,kind\nu1,c1,play\nu1,c2,play\n",
        "events2.csv": "user,item,kind\nu1,p1,purchase\nu1,p2,purchase\n",
        "courses.ttl": TURTLE,
        "parts.csv.kg": "head,relation,tail\np1,category,进气\n进气,about,涡轮\n",
    }.items():
        (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        run(["import", "-w", str(folder)])
    assert not end.value.code
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("图"))


def test_the_report_counts_what_was_given(kuajie: Callable, workspace: Path) -> None:
    seen = kuajie("graph", "-w", workspace, "--json").data
    assert {name: seen[name] for name in ("triples", "distinct", "repeats", "self_loops", "contradictions")} == {
        "triples": 8, "distinct": 6, "repeats": 1, "self_loops": 1, "contradictions": 1
    }  # fmt: skip
    assert seen["examples"] == [{"relation": "teacher", "head": "courses:c1", "tails": ["wang", "li"]}]
    assert seen["covered"] == {"courses": [1, 2], "parts": [1, 2]}
    told = kuajie("graph", "-w", workspace, "--lang", "zh")
    assert told.code == 0
    assert "指向自身" in told.out
    assert "courses:c1" in told.out


def test_a_neighbourhood_is_shown_and_drawn(kuajie: Callable, workspace: Path, tmp_path: Path) -> None:
    seen = kuajie("graph", "show", "涡轮", "-w", workspace, "--svg", tmp_path / "g.svg", "--json").data
    assert {node["key"] for node in seen["nodes"] if node["distance"] == 1} == {"courses:c1", "进气", "涡轮套件"}
    words = "".join(Xml.parse(tmp_path / "g.svg").getroot().itertext())
    assert "学习涡轮" in words


def test_a_path_leads_from_course_to_product(kuajie: Callable, workspace: Path) -> None:
    seen = kuajie("graph", "path", "courses:c1", "parts:p1", "-w", workspace)
    assert "学习涡轮 --about--> 涡轮 <--about-- 进气 <--category-- 涡轮套件" in seen.out
    (path,) = kuajie("graph", "path", "courses:c1", "parts:p1", "-w", workspace, "--json").data
    assert [step["relation"] for step in path["steps"]] == ["about", "about", "category"]
    assert "No path" in kuajie("graph", "path", "courses:c2", "parts:p1", "-w", workspace).out


def test_links_and_mentions_are_shown_and_taken_in_where_wanted(
    kuajie: Callable, workspace: Path, tmp_path: Path
) -> None:
    seen = kuajie("graph", "link", "-w", workspace, "--json").data
    drawn = {(row["head"], row["relation"], row["tail"]) for row in seen["drawn"]}
    assert drawn == {("p1", "same as", "涡轮套件"), ("p2", "fits", "涡轮")}
    assert kuajie("graph", "-w", workspace, "--json").data["triples"] == 8
    linked = write(tmp_path / "连", 'link = "exact"\nmentions = true')
    assert kuajie("graph", "-w", linked, "--json").data["triples"] == 10
    (path,) = kuajie("graph", "path", "courses:c1", "parts:p2", "-w", linked, "--json").data
    assert [step["relation"] for step in path["steps"]] == ["about", "fits"]


def test_files_for_other_programs(kuajie: Callable, workspace: Path, tmp_path: Path) -> None:
    kuajie("graph", "export", "-w", workspace, "--to", tmp_path / "g.graphml")
    assert len(Xml.parse(tmp_path / "g.graphml").getroot().findall(".//{*}edge")) == 8
    seen = kuajie("graph", "export", "-w", workspace, "--format", "neo4j", "--to", tmp_path / "neo", "--json")
    assert [Path(name).name for name in json.loads(seen.out)["files"]] == ["nodes.csv", "relationships.csv"]
    assert len((tmp_path / "neo" / "relationships.csv").read_text(encoding="utf-8").splitlines()) == 9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show"], "say: kuajie graph report"),
        (["draw"], "say: kuajie graph report"),
        (["export"], "say: kuajie graph report"),
        (["show", "涡轮机"], "nothing in the graph is called '涡轮机'; did you mean '涡轮'"),
        (["show", " 涡轮套件"], "is the name of 2 things"),
        (["path", "涡轮", "parts:p1"], "'涡轮' is no item"),
    ],
)
def test_wrong_calls_say_what_to_do(kuajie: Callable, workspace: Path, arguments: list[str], words: str) -> None:
    seen = kuajie("graph", *arguments, "-w", workspace)
    assert seen.code == 2
    assert words in seen.err


def test_a_workspace_without_triples_says_so(kuajie: Callable, tmp_path: Path) -> None:
    folder = write(tmp_path / "w")
    text = (folder / "kuajie.toml").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith("kg =")]
    (folder / "kuajie.toml").write_text("\n".join(kept), encoding="utf-8")
    kuajie("import", "-w", folder)
    seen = kuajie("graph", "show", "x", "-w", folder)
    assert seen.code == 1
    assert "no triples" in seen.err
    assert kuajie("graph", "-w", folder, "--json").data["triples"] == 0
