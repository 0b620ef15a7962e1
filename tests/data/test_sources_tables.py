"""Parquet and databases: exact ids, the number of each row, one sentence for what cannot be read."""

import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.errors import ConfigError, DataError, MissingExtraError
from kuajie.data.config import SourceConfig
from kuajie.data.sources import parquet as parquet_module
from kuajie.data.sources import sql as sql_module
from kuajie.data.sources.objects import column
from kuajie.testing.sources import events, raw, reasons, rows

BIG = 2**53 + 1


def parquet(folder: Path, **columns: pl.Series) -> SourceConfig:
    pl.DataFrame(columns).write_parquet(folder / "e.parquet")
    return SourceConfig(path="e.parquet")


@pytest.mark.parametrize(
    ("users", "text"),
    [
        (pl.Series([BIG, 7]), [str(BIG), "7"]),
        (pl.Series([2**64 - 1, 7], dtype=pl.UInt64), [str(2**64 - 1), "7"]),
        (pl.Series([Decimal(2**80), Decimal(7)], dtype=pl.Decimal(38, 0)), [str(2**80), "7"]),
        (pl.Series(["007", "😀"], dtype=pl.Categorical), ["007", "😀"]),
        (pl.Series([b"007", "张".encode()]), ["007", "张"]),
        (pl.Series([7.0, 12345.0]), ["7", "12345"]),
    ],
)
def test_parquet_ids_of_any_type_become_exact_text(tmp_path: Path, users: pl.Series, text: list[str]) -> None:
    found = events(tmp_path, parquet(tmp_path, user=users, item=pl.Series(["x", "y"])))
    assert rows(found.good, "user", "row") == list(zip(text, [1, 2], strict=True))


def test_ids_that_a_float_has_damaged_are_bad(tmp_path: Path) -> None:
    users = pl.Series([float(BIG), 1.5, float("nan"), float("inf"), None, 7.0])
    found = events(tmp_path, parquet(tmp_path, user=users, item=pl.Series(["x"] * 6)))
    inexact = "user is a fraction or too large to be exact; store it as text"
    assert reasons(found) == {1: inexact, 2: inexact, 3: inexact, 4: inexact, 5: "user is missing or no text"}


def test_ids_of_other_types_are_refused(tmp_path: Path) -> None:
    source = parquet(tmp_path, user=pl.Series([datetime(2024, 1, 1)]), item=pl.Series(["x"]))
    with pytest.raises(DataError, match="must be text or whole numbers"):
        events(tmp_path, source)


def test_parquet_is_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "BATCH_ROWS", 7)
    source = parquet(tmp_path, item=pl.arange(0, 20, eager=True), user=pl.arange(0, 20, eager=True))
    assert raw(tmp_path, source)[0]["row"].to_list() == list(range(1, 21))


def test_a_parquet_file_that_is_cut_off_missing_or_empty(tmp_path: Path) -> None:
    source = parquet(tmp_path, user=pl.Series(["a"] * 1_000), item=pl.Series(["x"] * 1_000))
    whole = (tmp_path / "e.parquet").read_bytes()
    for broken in (whole[: len(whole) // 2], whole[:-1], b"", b"PAR1", whole[:100] + bytes(300) + whole[100:]):
        (tmp_path / "e.parquet").write_bytes(broken)
        with pytest.raises(DataError, match="not a whole Parquet file"):
            events(tmp_path, source)
    with pytest.raises(DataError, match="no such file"):
        events(tmp_path, SourceConfig(path="none.parquet"))
    pl.DataFrame({"user": ["a"]}).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(DataError, match="no column 'item'"):
        events(tmp_path, source)


def database(folder: Path) -> str:
    engine = sa.create_engine(f"sqlite:///{folder / 'shop.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("create table log (uid, item text, seconds real, ts text)"))
        statement = sa.text("insert into log values (:uid, :item, :seconds, :ts)")
        for uid, item, seconds in [("007", "张", 1.5), (BIG, "x", None), (7, "y", 3.0)]:
            row = {"uid": uid, "item": item, "seconds": seconds, "ts": "2024-01-02 03:04:05"}
            connection.execute(statement, row)
    engine.dispose()
    return "sqlite:///shop.db"


QUERY = "select uid, item, seconds, ts from log"
NAMES = {"user": "uid", "value": "seconds", "occurred_at": "ts"}


def test_a_query_is_read_in_batches_relative_to_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_module, "BATCH_ROWS", 2)
    found = events(tmp_path, SourceConfig(url=database(tmp_path), query=QUERY, columns=NAMES))
    assert rows(found.good, "user", "item", "value", "row") == [
        ("007", "张", 1.5, 1),
        (str(BIG), "x", None, 2),
        ("7", "y", 3.0, 3),
    ]


def test_a_url_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceConfig(url_env="SHOP_URL", query=QUERY, columns=NAMES)
    with pytest.raises(ConfigError, match="SHOP_URL is not set"):
        raw(tmp_path, source)
    monkeypatch.setenv("SHOP_URL", database(tmp_path))
    assert len(raw(tmp_path, source)[0]) == 3


@pytest.mark.parametrize(
    ("url", "query", "error", "sentence"),
    [
        ("sqlite:///none.db", "select 1", DataError, "no such file"),
        ("sqlite:///shop.db", "select nonsense from log", DataError, "the database refused"),
        ("sqlite:///shop.db", "select uid as user from log", DataError, "no column 'item'"),
        ("not a url", "select 1", ConfigError, "not an SQLAlchemy URL"),
        ("klingon://user:secret@host/db", "select 1", ConfigError, "knows no database"),
    ],
)
def test_a_database_that_does_not_answer(
    tmp_path: Path, url: str, query: str, error: type[Exception], sentence: str
) -> None:
    database(tmp_path)
    with pytest.raises(error, match=sentence) as caught:
        raw(tmp_path, SourceConfig(url=url, query=query))
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "none.db").exists()


def test_formats_and_places_must_fit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="every other format from a 'path'"):
        raw(tmp_path, SourceConfig(url="sqlite:///x.db", query="select 1", format="csv"))


SCALARS = st.one_of(st.none(), st.text(max_size=5), st.integers(), st.booleans(), st.floats(allow_nan=False))


@given(st.lists(SCALARS, max_size=6))
def test_a_column_of_any_values_keeps_ids_exactly(values: list[object]) -> None:
    texts = column("user", values).cast(pl.String).to_list()
    for value, text in zip(values, texts, strict=True):
        if isinstance(value, str) or value is None:
            assert text == value
        elif isinstance(value, int) and not isinstance(value, bool):
            assert text == str(value)


def test_a_missing_driver_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kuajie\[mysql\]"'):
        raw(tmp_path, SourceConfig(url="mysql+pymysql://user:secret@host/db", query="select 1"))


def test_bytes_that_are_no_text_are_bad(tmp_path: Path) -> None:
    source = parquet(tmp_path, user=pl.Series([b"\xff", b"ok"]), item=pl.Series(["x", "y"]))
    found = events(tmp_path, source)
    assert reasons(found) == {1: "user is missing or no text"}
    assert rows(found.good, "user") == [("ok",)]
    assert column("user", [b"\xff", "half \ud800", "😀"]).to_list() == [None, None, "😀"]
