"""Linking, mentions, quality, paths, export and pictures."""

import csv
import io
from dataclasses import replace
from itertools import pairwise
from typing import Literal
from xml.etree import ElementTree as Xml

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.names import normalised, plain_name
from kuajie.core.side import TripleGraph
from kuajie.core.space import ItemSpace
from kuajie.graph.drawing import GraphConfig, draw, enriched
from kuajie.graph.export import graphml, neo4j_nodes, neo4j_relationships
from kuajie.graph.linking import link, same_entities
from kuajie.graph.mentions import Dictionary
from kuajie.graph.nodes import Knowledge
from kuajie.graph.paths import PathFinder, paths
from kuajie.graph.picture import layout, neighbourhood, svg
from kuajie.graph.quality import quality

SPACE = ItemSpace(("课程", "parts"), (3, 3))
IDS, TITLES = ("c0", "c1", "c2", "p0", "p1", "p2"), ("涡轮入门", "", "刹车课", "涡轮套件 <A&B>", "Brake, kit", "")
RELATIONS = ("about", "category", "brand")
ENTITIES = ("topic:涡轮", "category:进气", "brand:Bosch", "lonely", 'odd "name"\n,行')
#           c0 -about-> 涡轮 <-about- 进气 <-category- p0;  p0, p1 -brand-> Bosch, p0 -brand-> odd
TRIPLES = [(0, 0, 6), (7, 0, 6), (3, 1, 7), (3, 2, 8), (4, 2, 8), (3, 2, 10), (0, 0, 6), (2, 0, 2), (5, 0, 9)]


def graph_of(triples: list[tuple[int, int, int]] = TRIPLES, entities: tuple[str, ...] = ENTITIES) -> TripleGraph:
    heads, kinds, tails = (np.array([triple[place] for triple in triples], np.int32) for place in range(3))
    return TripleGraph(6, entities, RELATIONS, heads, kinds, tails)


def knowledge(triples: list[tuple[int, int, int]] = TRIPLES, entities: tuple[str, ...] = ENTITIES) -> Knowledge:
    return Knowledge.of(graph_of(triples, entities), SPACE, IDS, TITLES)


def test_names_of_nodes() -> None:
    nodes = knowledge().nodes
    assert [nodes.title(node) for node in (0, 1, 6, 9)] == ["涡轮入门", "c1", "涡轮", "lonely"]
    assert [nodes.key(node) for node in (0, 5, 6)] == ["课程:c0", "parts:p2", "topic:涡轮"]
    assert [nodes.kind(node) for node in (0, 5, 6, 9)] == ["课程", "parts", "topic", ""]
    assert nodes.keys() == [nodes.key(node) for node in range(11)]


def test_entities_are_called_as_readers_of_a_language_call_them() -> None:
    nodes = replace(knowledge().nodes, names={"topic:涡轮": "turbocharging"})
    assert [nodes.title(node) for node in (0, 6, 9)] == ["涡轮入门", "turbocharging", "lonely"]
    assert nodes.key(6) == "topic:涡轮"


def test_quality_counts_everything_once() -> None:
    found = quality(graph_of(), SPACE, functional=("brand",))
    assert (found.triples, found.distinct, found.repeats, found.self_loops) == (9, 7, 1, 1)
    assert found.triples == found.distinct + found.repeats + found.self_loops
    assert found.relations == {"about": 3, "category": 1, "brand": 3}
    assert found.dangling == 2  # lonely, odd
    assert found.contradictions == 1
    assert (found.examples[0].head, found.examples[0].tails) == (3, (8, 10))
    assert found.components == 2
    assert found.largest == 7 / 9
    assert found.covered == {"课程": (1, 3), "parts": (3, 3)}
    (bridge,) = found.bridges
    assert (bridge.shared, bridge.within_two) == (0, 2)  # 涡轮 lies two triples from p0, 进气 two from c0


def test_an_empty_graph_and_a_single_entity_have_a_report() -> None:
    for graph in (graph_of([], ()), graph_of([(6, 0, 6)], ("x",))):
        found = quality(graph, SPACE)
        assert (found.distinct, found.components, found.largest) == (0, 0, 0.0)
        assert found.covered == {"课程": (0, 3), "parts": (0, 3)}
        finder = PathFinder(Knowledge.of(graph, SPACE, IDS, TITLES))
        assert finder.paths([0], 3) == []


def test_exact_links_ignore_width_and_case_and_never_guess() -> None:
    names = [("Bosch", ""), ("刹车片", "Brake Pad"), ("Kit", ""), ("kit ", "")]
    found = link(["brand:ＢＯＳＣＨ", "part:brake  pad", "KIT", "unknown"], names, "exact")
    assert [(each.entity, each.key, each.sureness) for each in found.links] == [
        ("brand:ＢＯＳＣＨ", 0, 1.0), ("part:brake  pad", 1, 1.0)
    ]  # fmt: skip
    assert [(each.entity, each.keys, each.count) for each in found.ambiguous] == [("KIT", (2, 3), 2)]
    assert found.unknown == 1
    assert link(["Bosch"], names, "id").unknown == 1
    assert same_entities(["Bosch", "x", "ＢＯＳＣＨ", "bosch "]) == [("ＢＯＳＣＨ", "Bosch"), ("bosch ", "Bosch")]


def test_fuzzy_links_are_near_and_alone() -> None:
    names = [("turbo charger kit", ""), ("汽车刹车系统", ""), ("brake pad one", ""), ("brake pad two", "")]
    found = link(
        ["turbo chargr kit", "汽车刹车糸统", "brake pad onw", "brake pad txo", "全然不同的东西"],
        names,
        "fuzzy",
        0.8,
        0.03,
    )
    assert {each.entity: each.key for each in found.links} == {
        "turbo chargr kit": 0, "汽车刹车糸统": 1, "brake pad onw": 2, "brake pad txo": 3
    }  # fmt: skip
    assert all(0.8 <= each.sureness < 1 and each.method == "fuzzy" for each in found.links)
    unsure = link(["brake pad onw"], names, "fuzzy", 0.7, 0.3)
    assert [(each.keys, each.count) for each in unsure.ambiguous] == [((2, 3), 2)]
    assert link(["字" * 400_000, "x"], names, "fuzzy").unknown == 2


def test_the_longest_name_counts_and_words_are_whole() -> None:
    dictionary = Dictionary(["topic:涡轮", "part:涡轮增压器", "brand:BMW", "brand:Art", "a:重名", "b:重名"])
    assert dictionary.ambiguous == ("重名",)
    assert dictionary.find("学会涡轮增压器和涡轮，BMW车主，party art1 ART") == [
        ("part:涡轮增压器", 2), ("topic:涡轮", 8), ("brand:BMW", 11), ("brand:Art", 28)
    ]  # fmt: skip
    assert dictionary.find("重名 bmws") == []


def test_cues_say_the_relation_and_given_triples_stay() -> None:
    dictionary = Dictionary(["brand:宝马", "brand:Audi", "topic:涡轮"])
    texts = {"title": ["适用于 宝马 的套件"], "description": ["Works with Audi; 涡轮"]}
    found = {each.entity: (each.relation, each.sureness) for each in dictionary.mentions(texts, ["topic:涡轮"])}
    assert found == {"brand:宝马": ("fits", 0.9), "brand:Audi": ("compatible with", 0.7)}


NAMES = st.lists(st.text("ab涡轮 ", min_size=1, max_size=4), max_size=6)


@given(NAMES, st.text("ab涡轮Ａ ,", max_size=25))
@settings(deadline=None)
def test_found_names_stand_in_the_text(names: list[str], text: str) -> None:
    dictionary, folded, end = Dictionary(names), normalised(text), 0
    for entity, place in dictionary.find(text):
        name = normalised(plain_name(entity))
        assert folded[place : place + len(name)] == name
        assert place >= end
        end = place + len(name)


def items(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [(domain, item, title, "", attributes) for domain, item, title, attributes in rows],
        schema=["domain", "item", "title", "title_en", "attributes"], orient="row",
    )  # fmt: skip


def test_drawn_triples_come_after_the_given_ones() -> None:
    given_triples = pl.DataFrame(
        [("parts", "p0", "about", "topic:涡轮"), ("课程", "c9", "part", "涡轮套件"), ("课程", "c9", "part", "Ｋit")],
        schema=["domain", "head", "relation", "tail"], orient="row",
    )  # fmt: skip
    table = items(
        ("课程", "c0", "涡轮的一百问", '{"description": "讲解涡轮套件"}'),
        ("parts", "p0", "涡轮套件", ""),
        ("parts", "p1", "kit", ""),
    )
    drawn = draw(given_triples, table, GraphConfig(link="exact", mentions=True))
    assert sorted(drawn.triples.select("head", "relation", "tail", "sureness").rows()) == [
        ("c0", "mentions", "topic:涡轮", 0.8),
        ("c0", "teaches", "涡轮套件", 0.7),
        ("p0", "same as", "涡轮套件", 1.0),
        ("p1", "same as", "Ｋit", 1.0),
    ]
    assert enriched(given_triples, table, GraphConfig()).equals(given_triples)
    both = enriched(given_triples, table, GraphConfig(link="exact", mentions=True, least_sureness=0.75))
    assert both[:3].equals(given_triples)
    assert len(both) == 6


@pytest.mark.parametrize("method", ["exact", "fuzzy"])
def test_an_english_name_is_a_second_name_and_no_entity(method: Literal["exact", "fuzzy"]) -> None:
    if method == "fuzzy":
        pytest.importorskip("rapidfuzz")
    given_triples = pl.DataFrame(
        [("课程", "c0", "about", "topic:涡轮增压"), ("课程", "topic:涡轮增压", "name_en", "Turbocharging")],
        schema=["domain", "head", "relation", "tail"], orient="row",
    )  # fmt: skip
    title = "turbocharging" if method == "exact" else "turbocharginq"
    table = items(("parts", "p0", "best turbocharging kit", ""), ("parts", "p1", title, ""))
    drawn = draw(given_triples, table, GraphConfig(link=method, mentions=True)).triples
    links = [("p0", "mentions", "topic:涡轮增压"), ("p1", "same as", "topic:涡轮增压")]
    assert sorted(drawn.select("head", "relation", "tail").rows()) == links


def test_a_description_of_a_megabyte_is_read() -> None:
    dictionary = Dictionary(["涡轮增压"])
    assert len(dictionary.find("涡轮增" * 300_000 + "压")) == 1


def slow_paths(graph: Knowledge, start: int, aim: int) -> dict[tuple[int, ...], float]:
    """Node sequences of simple paths of at most four edges, by depth-first search."""
    network, found = graph.network, {}

    def walk(nodes: list[int]) -> None:
        if nodes[-1] == aim:
            found[tuple(nodes)] = float(np.prod([1 / network.degrees[node] for node in nodes[1:-1]]))
            return
        if len(nodes) <= 4:
            for other in set(network.ends[network.indptr[nodes[-1]] : network.indptr[nodes[-1] + 1]].tolist()):
                if other not in nodes:
                    walk([*nodes, other])

    walk([start])
    return found


@pytest.mark.parametrize("seed", range(12))
def test_paths_are_the_strongest_simple_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    triples = [
        (int(a), int(r), int(b))
        for a, r, b in zip(rng.integers(0, 14, 24), rng.integers(0, 3, 24), rng.integers(0, 14, 24), strict=True)
    ]
    graph = knowledge(triples, tuple(f"实体{n}" for n in range(8)))
    finder = PathFinder(graph)
    for start, aim in ((0, 3), (1, 4), (2, 5)):
        slow = slow_paths(graph, start, aim)
        got = finder.paths([start, aim, start], aim, most=50)
        assert [path.strength for path in got] == sorted((path.strength for path in got), reverse=True)
        assert bool(got) == bool(slow)
        assert not got or got[0].strength == pytest.approx(max(slow.values()))
        assert len({path.steps[-2].node if len(path.steps) > 1 else path.start for path in got}) == len(got)
        for path in got:
            nodes = (path.start, *(step.node for step in path.steps))
            assert path.start == start
            assert slow[nodes] == pytest.approx(path.strength)
            for (a, b), step in zip(pairwise(nodes), path.steps, strict=True):
                triple = (a, b) if step.outward else (b, a)
                assert (triple[0], RELATIONS.index(step.relation), triple[1]) in triples


def test_a_course_leads_to_a_product_over_concepts() -> None:
    (path,) = paths(knowledge(), [0, 1], 3)
    assert path.key == "课程:c0"
    assert [(step.relation, step.outward, step.title) for step in path.steps] == [
        ("about", True, "涡轮"), ("about", False, "进气"), ("category", False, "涡轮套件 <A&B>")
    ]  # fmt: skip
    assert path.strength == 1 / 4
    assert paths(knowledge(), [3], 3) == []


def test_graphml_holds_every_triple_and_survives_any_name() -> None:
    text = "".join(graphml(knowledge(TRIPLES, (*ENTITIES[:4], "坏\x00<名>&\ud800"))))
    tree = Xml.fromstring(text.encode("utf-8"))
    space = "{http://graphml.graphdrawing.org/xmlns}"
    edges = tree.findall(f".//{space}edge")
    assert len(edges) == len(TRIPLES)
    assert (edges[0].get("source"), edges[0].get("target"), edges[0][0].text) == ("n0", "n6", "about")
    nodes = {node.get("id"): {data.get("key"): data.text for data in node} for node in tree.findall(f".//{space}node")}
    assert nodes["n3"] == {"key": "parts:p0", "title": "涡轮套件 <A&B>", "kind": "parts", "domain": "parts"}
    assert nodes["n10"]["key"] == "坏\ufffd<名>&\ufffd"
    assert "n1" not in nodes  # no triple names it


def test_neo4j_files_are_csv_with_the_import_headers() -> None:
    nodes = list(csv.reader(io.StringIO("".join(neo4j_nodes(knowledge())), newline="")))
    edges = list(csv.reader(io.StringIO("".join(neo4j_relationships(knowledge())), newline="")))
    assert nodes[0] == ["id:ID", "key", "title", "kind", "domain", ":LABEL"]
    assert ["n4", "parts:p1", "Brake, kit", "parts", "parts", "Item"] in nodes
    assert ["n10", 'odd "name"\n,行', 'odd "name"\n,行', "", "", "Entity"] in nodes
    assert edges[0] == [":START_ID", ":END_ID", ":TYPE"]
    assert edges[1:] == [[f"n{h}", f"n{t}", RELATIONS[r]] for h, r, t in TRIPLES]
    known = {row[0] for row in nodes[1:]}
    assert all({start, end} <= known for start, end, _ in edges[1:])


def test_a_picture_is_the_same_every_time_and_names_what_it_shows() -> None:
    graph = knowledge(TRIPLES, ("topic:涡轮", "category:进气", "长" * 1_000_000, "lonely", "<&>"))
    around = neighbourhood(graph, 3, steps=3, most=10)
    assert around.rings[0] == (3,)
    assert set(around.nodes) == {3, 7, 8, 10, 4, 6, 0}
    assert around.left_out == 0
    picture = svg(graph, around)
    assert picture == svg(graph, neighbourhood(graph, 3, steps=3, most=10))
    words = "".join(Xml.fromstring(picture.encode()).itertext())
    assert all(word in words for word in ("涡轮", "进气", "<&>", "category", "长…"))
    assert len(picture) < 20_000
    places = list(layout(around).values())
    distances = [np.hypot(a[0] - b[0], a[1] - b[1]) for n, a in enumerate(places) for b in places[:n]]
    assert min(distances) > 40
    few = neighbourhood(graph, 3, steps=2, most=2)
    assert len(few.nodes) <= 3
    assert few.left_out > 0
