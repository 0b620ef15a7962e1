"""CSV, JSON lines and the public text formats: every row comes out once, exactly, or with its line and a reason."""

import csv
import gzip
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuajie.core.errors import ConfigError, DataError
from kuajie.data.config import SourceConfig
from kuajie.data.sources import lines as lines_module
from kuajie.data.sources.delimited import OPEN_QUOTE, WRONG_COUNT
from kuajie.data.sources.jsonl import NOT_OBJECT
from kuajie.data.sources.lines import NOT_TEXT
from kuajie.testing.sources import raw, rows, write

ANY_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def test_csv_keeps_ids_as_they_are(tmp_path: Path) -> None:
    source = write(tmp_path, "e.csv", "user,item\n007,😀\n 7,１\n9007199254740993,NA\n1e5,null\n")
    assert rows(raw(tmp_path, source)[0], "user", "item", "row") == [
        ("007", "😀", 2),
        (" 7", "１", 3),
        ("9007199254740993", "NA", 4),
        ("1e5", "null", 5),
    ]


def test_csv_knows_marks_breaks_and_quotes(tmp_path: Path) -> None:
    text = '\ufeffuser,item\r\n"a,b","say ""hi"""\r\n\r\n"two\r\nlines",x\r\nlast,5" disc'
    found, bad = raw(tmp_path, write(tmp_path, "e.csv", text))
    assert rows(found, "user", "item", "row") == [
        ("a,b", 'say "hi"', 2),
        ("two\r\nlines", "x", 4),
        ("last", '5" disc', 6),
    ]
    assert bad.is_empty()


def test_one_broken_line_costs_one_line(tmp_path: Path) -> None:
    content = b'user,item\na,1\n"open,2\nb\nc,3,4\n\xff\xfe,5\n"x"y,6\nd,7\n"never closed,8'
    found, bad = raw(tmp_path, write(tmp_path, "e.csv", content))
    assert rows(found, "user", "item", "row") == [("a", "1", 2), ("d", "7", 8)]
    assert dict(bad.select("row", "reason").iter_rows()) == {
        3: OPEN_QUOTE,
        4: WRONG_COUNT,
        5: WRONG_COUNT,
        6: NOT_TEXT,
        7: OPEN_QUOTE,
        9: OPEN_QUOTE,
    }


@pytest.mark.parametrize("size", [1, 7, 64])
def test_blocks_of_any_size_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    text = 'user,item\na,1\n"b\nb\nb",2\n\n"open,3\nc,4\n"d,d",5\n'
    source = write(tmp_path, "e.csv", text)
    whole = raw(tmp_path, source)
    monkeypatch.setattr(lines_module.read_lines, "__defaults__", ("utf-8", size))
    parts = raw(tmp_path, source)
    assert whole[0].rows() == parts[0].rows()
    assert sorted(whole[1].rows()) == sorted(parts[1].rows())


@ANY_FOLDER
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=8), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_any_csv_that_python_writes_is_read_exactly(
    tmp_path: Path, table: list[tuple[str, str, str]], quoting: int
) -> None:
    if quoting == csv.QUOTE_MINIMAL:  # a bare carriage return at the end of a line belongs to the line break
        table = [tuple(field.replace("\r", "") for field in row) for row in table]  # type: ignore[misc]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerow(["user", "item", "kind"])
    writer.writerows(table)
    found, bad = raw(tmp_path, write(tmp_path, "e.csv", buffer.getvalue()))
    assert bad.is_empty()
    assert rows(found, "user", "item", "kind") == table


@ANY_FOLDER
@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=8))
def test_any_bytes_are_rows_or_bad_lines(tmp_path: Path, lines: list[bytes]) -> None:
    found, bad = raw(tmp_path, write(tmp_path, "e.csv", b"user,item\n" + b"\n".join(lines)))
    numbers = [*found["row"], *bad["row"]]
    filled = [number for number, line in enumerate(lines, 2) if line.removesuffix(b"\r")]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(filled)
    if not any(b'"' in line for line in lines):  # a record with quotes may span lines
        assert sorted(numbers) == filled


def test_other_encodings_and_gzip(tmp_path: Path) -> None:
    text = "user,item\n张三,汽车\n"
    write(tmp_path, "g.csv", text.encode("gb18030") + b"\x81\xff,x\n")
    found, bad = raw(tmp_path, SourceConfig(path="g.csv", encoding="gb18030"))
    assert rows(found, "user", "item") == [("张三", "汽车")]
    assert bad["row"].to_list() == [3]
    write(tmp_path, "u.csv", text.encode("utf-16"))
    assert rows(raw(tmp_path, SourceConfig(path="u.csv", encoding="utf-16"))[0], "user") == [("张三",)]
    write(tmp_path, "z.csv.gz", gzip.compress(text.encode(), mtime=0))
    assert rows(raw(tmp_path, SourceConfig(path="z.csv.gz"))[0], "user") == [("张三",)]


def test_columns_are_renamed_and_other_delimiters_work(tmp_path: Path) -> None:
    write(tmp_path, "e.tsv", "uid\trow\tnoise\n7\t8\t9\n")
    source = SourceConfig(path="e.tsv", columns={"user": "uid", "item": "row"})
    assert raw(tmp_path, source)[0].to_dicts() == [{"user": "7", "item": "8", "row": 2}]
    write(tmp_path, "e.txt", "user;item\n7;8\n")
    assert len(raw(tmp_path, SourceConfig(path="e.txt", format="csv", delimiter=";"))[0]) == 1


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("e.csv", b"", "is empty"),
        ("e.csv", b"user,item,user\n", "'user' occurs twice"),
        ("e.csv", b"usr,item\na,b\n", "no column 'user'"),
        ("e.csv", b'"user,item\na,b\n', "header is not closed"),
        ("e.csv", "用户,item\n".encode("gbk"), "header is not UTF-8"),
        ("e.csv", "user,item\n".encode("utf-16"), 'encoding = "utf-16"'),
        ("e.csv", b"user,item\ra,b\r", "carriage returns"),
        ("e.csv.gz", gzip.compress(b"user,item\n" * 999, mtime=0)[:50], "damaged or cut off"),
        ("e.csv.gz", b"user,item\n", "damaged or cut off"),
        ("e.jsonl", b"", "is empty"),
        ("e.jsonl", b'{"uid": 1}\n', "has a field 'user'"),
        ("e.inter", b"user_id,item_id\n", "RecBole header"),
    ],
)
def test_an_unusable_file_gets_one_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as caught:
        raw(tmp_path, write(tmp_path, name, content))
    assert str(caught.value).startswith(name)


def test_a_missing_file_a_folder_and_an_unknown_encoding(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        raw(tmp_path, SourceConfig(path="none.csv"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="a folder"):
        raw(tmp_path, SourceConfig(path="folder.csv"))
    write(tmp_path, "e.csv", "user,item\n")
    with pytest.raises(ConfigError, match="no encoding 'klingon'"):
        raw(tmp_path, SourceConfig(path="e.csv", encoding="klingon"))
    with pytest.raises(ConfigError, match="Set format"):
        raw(tmp_path, SourceConfig(path="events.xlsx"))


def test_a_wrong_column_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "e.csv", "userid,item\n")
    with pytest.raises(DataError, match=re.escape('columns = { user = "userid" }')):
        raw(tmp_path, SourceConfig(path="e.csv"))
    with pytest.raises(ConfigError, match="'usr'"):
        raw(tmp_path, SourceConfig(path="e.csv", columns={"usr": "userid"}))


def test_an_endless_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "LONGEST_LINE", 100)
    monkeypatch.setattr(lines_module.read_lines, "__defaults__", ("utf-8", 64))
    with pytest.raises(DataError, match="line 2: the line is longer"):
        raw(tmp_path, write(tmp_path, "e.csv", "user,item\n" + "x" * 1_000))


def test_json_lines_keep_numbers_and_text(tmp_path: Path) -> None:
    objects = [
        {"user": "007", "item": 2**63 - 1, "value": 1},
        {"user": "😀", "item": 2**80, "value": 2.5},
        {"user": "c", "item": "x", "value": None, "more": [1]},
    ]
    text = "\n".join([*map(json.dumps, objects), "", "[1]", "{broken", '{"user": "\\ud800", "item": "y"}'])
    found, bad = raw(tmp_path, write(tmp_path, "e.jsonl", text))
    assert rows(found, "user", "item", "row") == [
        ("007", str(2**63 - 1), 1),
        ("😀", str(2**80), 2),
        ("c", "x", 3),
    ]
    assert dict(bad.select("row", "reason").iter_rows()) == {5: NOT_OBJECT, 6: NOT_OBJECT, 7: NOT_OBJECT}


def test_json_lines_reach_inside(tmp_path: Path) -> None:
    write(tmp_path, "e.jsonl", '{"account": {"id": "7"}, "item.id": "x"}\n{"account": 1, "item.id": "y"}\n')
    source = SourceConfig(path="e.jsonl", columns={"user": "account.id", "item": "item.id"})
    assert rows(raw(tmp_path, source)[0], "user", "item") == [("7", "x"), (None, "y")]


@ANY_FOLDER
@given(st.lists(st.tuples(TEXT, st.one_of(TEXT, st.integers())), min_size=1, max_size=6), st.booleans())
def test_any_json_is_read_exactly(tmp_path: Path, table: list[tuple[str, str | int]], ascii_only: bool) -> None:
    lines = [json.dumps({"user": user, "item": item}, ensure_ascii=ascii_only) for user, item in table]
    found, bad = raw(tmp_path, write(tmp_path, "e.jsonl", "\n".join(lines)))
    assert bad.is_empty()
    assert [(user, str(item)) for user, item in rows(found, "user", "item")] == [(u, str(i)) for u, i in table]


def test_recbole(tmp_path: Path) -> None:
    write(tmp_path, "ml.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t007\t4\t8.8e8\n")
    write(tmp_path, "ml.item", 'item_id:token\tmovie_title:token_seq\tclass:token_seq\n007\t"Bond\tx\n')
    write(tmp_path, "ml.link", "item_id:token\tentity_id:token\n007\tm.1\n")
    write(tmp_path, "ml.kg", "head_id:token\trelation_id:token\ttail_id:token\nm.1\tfilm.actor\tm.2\n")
    found, _ = raw(tmp_path, SourceConfig(path="ml.inter"))
    assert rows(found, "user", "item", "value", "occurred_at", "row") == [("1", "007", "4", "8.8e8", 2)]
    items, _ = raw(tmp_path, SourceConfig(path="ml.item", columns={"title": "movie_title"}), "items")
    assert rows(items, "item", "title", "category") == [("007", '"Bond', "x")]
    assert rows(raw(tmp_path, SourceConfig(path="ml.link"), "entities")[0], "item", "entity") == [("007", "m.1")]
    assert rows(raw(tmp_path, SourceConfig(path="ml.kg"), "kg")[0], "head", "relation", "tail") == [
        ("m.1", "film.actor", "m.2")
    ]


def test_movielens(tmp_path: Path) -> None:
    write(tmp_path, "ratings.dat", "1::1193::5::978300760\n")
    write(tmp_path, "movies.dat", "1::Misérables, Les: 1995::Drama|Musical\n".encode("latin-1"))
    write(tmp_path, "u.data", "196\t242\t3\t881250949\n")
    write(tmp_path, "ratings.csv", "userId,movieId,rating,timestamp\n1,2,3.5,1112486027\n")
    write(tmp_path, "movies.csv", 'movieId,title,genres\n11,"American President, The (1995)",Comedy\n')
    for name, expected in {
        "ratings.dat": ("1", "1193", "5", "978300760"),
        "u.data": ("196", "242", "3", "881250949"),
        "ratings.csv": ("1", "2", "3.5", "1112486027"),
    }.items():
        found, _ = raw(tmp_path, SourceConfig(path=name, format="movielens"))
        assert rows(found, "user", "item", "value", "occurred_at") == [expected]
    for name, expected in {
        "movies.dat": "Misérables, Les: 1995",
        "movies.csv": "American President, The (1995)",
    }.items():
        found, _ = raw(tmp_path, SourceConfig(path=name, format="movielens"), "items")
        assert rows(found, "title") == [(expected,)]


def test_amazon_reviews_2023(tmp_path: Path) -> None:
    review = {"rating": 5.0, "parent_asin": "B00", "asin": "B01", "user_id": "AE2", "timestamp": 1588687728923}
    meta = {"parent_asin": "B00", "title": "Howard", "price": "None", "store": "LLC", "details": {"Size": "M"}}
    write(tmp_path, "All_Beauty.jsonl", json.dumps(review))
    write(tmp_path, "meta.jsonl.gz", gzip.compress(json.dumps(meta).encode()))
    found, _ = raw(tmp_path, SourceConfig(path="All_Beauty.jsonl", format="amazon"))
    assert rows(found, "user", "item", "value", "occurred_at") == [("AE2", "B00", 5.0, 1588687728923)]
    items, _ = raw(tmp_path, SourceConfig(path="meta.jsonl.gz", format="amazon"), "items")
    assert rows(items, "item", "title", "brand", "attributes") == [("B00", "Howard", "LLC", '{"Size": "M"}')]


@pytest.mark.parametrize(
    "header", ["", "UserId\tItemId\tRating\tTimestamp\n", '"user_id"\t"book_id"\t"rating"\t"time"\n']
)
def test_douban(tmp_path: Path, header: str) -> None:
    write(tmp_path, "book.txt", f"{header}1001\t5\t4\t1388505600\n1001\t6\t-1\t1388505601\n")
    found, _ = raw(tmp_path, SourceConfig(path="book.txt", format="douban"))
    assert rows(found, "user", "item", "kind", "value", "occurred_at") == [
        ("1001", "5", "rate", "4", "1388505600"),
        ("1001", "6", "collect", None, "1388505601"),
    ]
