"""The reader of SQL queries on real servers: Chinese, times, NULLs, exact ids, streaming, failures in the middle."""

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from kuajie.core.errors import DataError
from kuajie.data.config import SourceConfig
from kuajie.data.sources import open_source
from kuajie.data.sources import sql as sql_module
from kuajie.testing.servers import PASSWORD, Server
from kuajie.testing.sources import events, raw, reasons, rows

NAMES = {"user": "uid", "item": "物品", "kind": "动作", "occurred_at": "ts", "value": "seconds"}
QUERY = "select * from log order by id"
BIG = 2**53 + 1


@dataclass(frozen=True)
class Shop:
    """A server with a table of behaviour."""

    server: Server
    url: str

    def source(self, query: str = QUERY, **options: object) -> SourceConfig:
        return SourceConfig(url=self.url, query=query, columns=NAMES, **options)


@pytest.fixture(params=["mariadb", "postgresql"], scope="module")
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    server: Server = request.getfixturevalue(request.param)
    url = server.new_database()
    engine = sa.create_engine(url)
    text = sa.String(64).with_variant(mysql.VARCHAR(64, charset="utf8mb4"), "mysql", "mariadb")
    log = sa.Table(
        "log",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uid", text),
        sa.Column("物品", text),
        sa.Column("动作", text),
        sa.Column("ts", sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")),
        sa.Column(
            "zoned",
            sa.DateTime(timezone=True).with_variant(
                mysql.TIMESTAMP(
                    fsp=6,
                ),
                "mysql",
                "mariadb",
            ),
        ),
        sa.Column("seconds", sa.Numeric(20, 3)),
        sa.Column("big", sa.BigInteger),
        sa.Column("exact", sa.Numeric(30, 0)),
        sa.Column("day", sa.Date),
        sa.Column("bytes", sa.LargeBinary),
        mysql_charset="utf8mb4",
    )
    log.create(engine)
    moment = (
        sa.func.timestamp("2024-01-02 03:04:05.123456")
        if server.kind == "mariadb"
        else sa.literal_column("timestamp '2024-01-02 03:04:05.123456'")
    )
    with engine.begin() as connection:
        if server.kind == "mariadb":
            connection.exec_driver_sql("SET time_zone = '+00:00'")
        else:
            connection.exec_driver_sql("SET TIME ZONE 'Asia/Shanghai'")
        instant = (
            moment if server.kind == "mariadb" else sa.literal_column("timestamptz '2024-01-02 11:04:05.123456+08'")
        )
        for row in (
            {"id": 1, "uid": "张三 ", "物品": "😀", "动作": "播放", "seconds": 1.5, "big": BIG, "exact": 2**80},
            {"id": 2, "uid": "007", "物品": "入门", "动作": None, "seconds": None, "big": None, "exact": None},
        ):
            connection.execute(log.insert().values(row | {"ts": moment, "zoned": instant, "bytes": b"\xe5\xbc\xa0"}))
        connection.execute(log.insert().values({"id": 3, "uid": "", "物品": "x", "day": sa.func.current_date()}))
        connection.execute(log.insert().values({"id": 4, "uid": "t", "物品": "x"}))
    engine.dispose()
    yield Shop(server, url)
    server.revive()


def test_chinese_nulls_and_numbers(shop: Shop, tmp_path: Path) -> None:
    found = events(tmp_path, shop.source(kinds={"播放": "play"}))
    assert rows(found.good, "user", "item", "kind", "value", "row") == [
        ("张三 ", "😀", "play", 1.5, 1),
        ("007", "入门", "view", None, 2),
        ("t", "x", "view", None, 4),
    ]
    assert reasons(found) == {3: "user is missing or no text"}


def test_times_without_and_with_a_zone(shop: Shop, tmp_path: Path) -> None:
    shanghai = events(tmp_path, shop.source(timezone="Asia/Shanghai", kinds={"播放": "play"})).good["occurred_at"]
    assert shanghai.dt.strftime("%F %T.%6f").to_list() == ["2024-01-01 19:04:05.123456"] * 2 + [None]
    zoned = SourceConfig(url=shop.url, query=QUERY, columns={**NAMES, "occurred_at": "zoned"}, kinds={"播放": "play"})
    instant = events(tmp_path, zoned).good["occurred_at"]
    if shop.server.kind == "postgresql":  # says the zone; MariaDB gives the time of the session, which is the server's
        assert instant.dt.strftime("%F %T.%6f").to_list()[0] == "2024-01-02 03:04:05.123456"
    assert instant.null_count() == 1


@pytest.mark.parametrize(("column", "text"), [("big", str(BIG)), ("exact", str(2**80)), ("bytes", "张")])
def test_ids_of_any_type_are_exact(shop: Shop, tmp_path: Path, column: str, text: str) -> None:
    source = SourceConfig(url=shop.url, query="select * from log where id = 1", columns={"user": column, "item": "uid"})
    assert rows(events(tmp_path, source).good, "user") == [(text,)]


def test_batches_are_fetched_one_after_the_other(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_module, "BATCH_ROWS", 1_000)
    many = shop.source(numbers(shop, 4_500))
    batches = [batch.frame for batch in open_source(many, tmp_path, "events") if len(batch.frame)]
    assert [len(frame) for frame in batches] == [1_000] * 4 + [500]
    together = pl.concat(batches)
    assert together["row"].to_list() == list(range(1, 4_501))
    assert together["user"].n_unique() == 4_500


def numbers(shop: Shop, count: int, width: int = 20) -> str:
    """A query of so many rows."""
    columns = f'repeat(\'长\', {width}) as "物品", null as "动作", null as ts, 1 as seconds'
    if shop.server.kind == "mariadb":
        return f"select seq as uid, {columns.replace(chr(34), '`')} from seq_1_to_{count}"
    return f"select n as uid, {columns} from generate_series(1, {count}) as n"


@pytest.mark.slow
def test_a_result_larger_than_memory_streams(shop: Shop, tmp_path: Path) -> None:
    """900,000 rows of 600 bytes: 540 MB of text; a batch of 100,000 is what memory holds."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total = sum(len(batch.frame) for batch in open_source(shop.source(numbers(shop, 900_000, 200)), tmp_path, "events"))
    assert total == 900_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000, "kB"


def test_a_query_that_is_refused(shop: Shop, tmp_path: Path) -> None:
    for wrong in ("select nonsense from log", "selec", "select * from nothing"):
        with pytest.raises(DataError, match="the database refused") as caught:
            raw(tmp_path, shop.source(wrong))
        assert PASSWORD not in str(caught.value)
    with pytest.raises(DataError, match="no column 'ts' for 'occurred_at'"):
        raw(tmp_path, shop.source('select uid, 1 as seconds, uid as "物品", uid as "动作" from log'.replace('"', "`")
                                  if shop.server.kind == "mariadb"
                                  else 'select uid, 1 as seconds, uid as "物品", uid as "动作" from log'))  # fmt: skip


def test_a_server_that_dies_in_the_middle(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_module, "BATCH_ROWS", 1_000)
    batches = open_source(shop.source(numbers(shop, 2_000_000, 100)), tmp_path, "events")
    for _ in range(3):
        next(batches)
    shop.server.kill()
    began = time.monotonic()
    with pytest.raises(DataError, match="the database refused") as caught:
        list(batches)
    assert time.monotonic() - began < 10
    assert PASSWORD not in str(caught.value)
    shop.server.start()
    assert len(raw(tmp_path, shop.source())[0]) == 4


def test_a_wrong_password_is_not_told(shop: Shop, tmp_path: Path) -> None:
    source = shop.source().model_copy(update={"url": shop.url.replace(PASSWORD, "sesame-wrong")})
    with pytest.raises(DataError, match="the database refused") as caught:
        raw(tmp_path, source)
    assert "sesame" not in str(caught.value)
