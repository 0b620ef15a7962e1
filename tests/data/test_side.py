"""Side information from a catalogue with triples, and from a split folder."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kuajie.core.errors import DataError
from kuajie.core.space import ItemSpace
from kuajie.data.catalog import Catalog
from kuajie.data.side import side_of
from kuajie.data.split_graph import read_graph
from kuajie.data.split_side import read_side

CATALOG = Catalog.of(
    pl.DataFrame(
        {
            "domain": ["courses", "courses", "parts"],
            "item": ["c1", "c2", "c1"],
            "title": ["涡轮增压入门", "", "涡轮套件"],
            "category": ["汽车", "汽车", "动力"],
            "price": [99.0, None, 12_000.0],
            "attributes": ['{"hours": "3.5", "description": "讲解", "level": "easy"}', None, '{"hours": "2"}'],
        }
    ),
    ["courses", "parts"],
)


def test_texts_labels_and_numbers_of_a_catalogue() -> None:
    side = side_of(CATALOG)
    assert side.texts["title"] == ["涡轮增压入门", "", "涡轮套件"]
    assert side.texts["description"] == ["讲解", "", ""]
    assert side.labels["category"].names == ("汽车", "动力")
    assert side.labels["level"].matrix.toarray().tolist() == [[True], [False], [False]]
    np.testing.assert_array_equal(side.numbers["price"], [99.0, np.nan, 12_000.0])
    np.testing.assert_array_equal(side.numbers["hours"], [3.5, np.nan, 2.0])
    assert "brand" not in side.labels  # nobody has one
    assert side.graph is None


def test_the_graphs_of_all_domains_are_one() -> None:
    triples = pl.DataFrame(
        [
            ("courses", "c1", "about", "turbo"),
            ("parts", "c1", "is", "kit"),  # the same id is another item there
            ("parts", "kit", "about", "turbo"),
            ("courses", "gone", "about", "turbo"),  # no item: an entity of its own
            ("courses", "turbo", "name_en", "Turbo engines"),
        ],
        schema=["domain", "head", "relation", "tail"],
        orient="row",
    )
    graph = side_of(CATALOG, triples).graph
    assert graph is not None
    names = ["courses:c1", "courses:c2", "parts:c1", *graph.entities]
    found = [
        (names[head], graph.relations[kind], names[tail])
        for head, kind, tail in zip(graph.heads, graph.kinds, graph.tails, strict=True)
    ]
    assert found == [
        ("courses:c1", "about", "turbo"),
        ("parts:c1", "is", "kit"),
        ("kit", "about", "turbo"),
        ("gone", "about", "turbo"),
    ]
    assert sorted(graph.entities) == ["gone", "kit", "turbo"]
    assert graph.english == {"turbo": "Turbo engines"}


def write(folder: Path, **files: pl.DataFrame) -> None:
    for name, frame in files.items():
        frame.write_parquet(folder / f"{name}.parquet")


IDS = {"a": np.array([3, 7]), "b": np.array([3])}
SPACE = ItemSpace(("a", "b"), (2, 1))


def test_a_split_folder_with_and_without_items(tmp_path: Path) -> None:
    assert read_side(tmp_path, SPACE, IDS) is None
    titles = pl.DataFrame({"item": [7, 3, 3, 9], "domain": ["a", "b", "a", "a"], "title": ["red", "口红", "", "?"]})
    write(tmp_path, items=titles, b_items=pl.DataFrame({"item": [3], "brand": ["花"]}))
    side = read_side(tmp_path, SPACE, IDS)
    assert side is not None
    assert side.texts == {"title": ["", "red", "口红"], "brand": ["", "", "花"]}


def test_columns_of_each_type(tmp_path: Path) -> None:
    frame = pl.DataFrame({"item": [3], "attributes": [[5, 6]], "image": [[0.5, 1.0]], "price": [2], "category": ["x"]})
    write(tmp_path, b_items=frame)
    side = read_side(tmp_path, SPACE, IDS)
    assert side is not None
    assert side.labels["attributes"].names == ("5", "6")
    assert side.labels["category"].matrix.toarray().tolist() == [[False], [False], [True]]
    np.testing.assert_array_equal(side.numbers["price"], [np.nan, np.nan, 2.0])
    np.testing.assert_array_equal(side.vectors["image"], [[np.nan] * 2, [np.nan] * 2, [0.5, 1.0]])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"items\.parquet cannot be read"):
        read_side(tmp_path, SPACE, IDS)
    write(tmp_path, items=pl.DataFrame({"title": ["x"]}))
    with pytest.raises(DataError, match="needs a column 'item'"):
        read_side(tmp_path, SPACE, IDS)


@pytest.mark.parametrize("bad", [[1.0], [], [0.5, float("inf")], [0.5, None]])
def test_a_bad_vector_is_named_with_its_place(tmp_path: Path, bad: list[float]) -> None:
    frame = pl.DataFrame({"item": [1, 2, 3, 7], "声音": [[0.5, 1.0], [1.0, 2.0], None, bad]})
    write(tmp_path, a_items=frame)
    with pytest.raises(DataError, match=r"a_items\.parquet, row 4: '声音' must be 2 finite numbers"):
        read_side(tmp_path, SPACE, IDS)


def test_vectors_of_two_lengths_in_two_domains_are_refused(tmp_path: Path) -> None:
    a, b = (pl.DataFrame({"item": [3], "image": [vector]}) for vector in ([0.5], [0.5, 1.0]))
    write(tmp_path, a_items=a, b_items=b)
    with pytest.raises(DataError, match="'image' have 1, 2 numbers"):
        read_side(tmp_path, SPACE, IDS)


@pytest.mark.parametrize("named", [False, True])
def test_numbered_entities_are_of_their_domain_alone(tmp_path: Path, *, named: bool) -> None:
    tails = ["涡轮"] if named else [5000]
    for domain in SPACE.domains:
        write(tmp_path, **{f"{domain}_kg": pl.DataFrame({"head": [3], "relation": [1], "tail": tails})})
    graph = read_graph(tmp_path, SPACE, IDS)
    assert graph is not None
    assert graph.entities == (("涡轮",) if named else ("a:5000", "b:5000"))
    assert graph.heads.tolist() == [0, 2]
