"""One contract, all databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kuajie.storage.sql.address import address
from kuajie.storage.sql.store import SqlStore
from kuajie.storage.sql.tables import counters, metadata
from kuajie.testing.memory_store import MemoryStore
from kuajie.testing.servers import Server
from kuajie.testing.stores import StoreContract
from kuajie.testing.webhooks import WebhookContract
from kuajie.workflows.stores import Store


class TestFake(StoreContract, WebhookContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestSqlite(StoreContract, WebhookContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = SqlStore.open(address("仓库.db", None, tmp_path))
        yield store
        store.close()


@pytest.fixture(scope="module")
def mariadb_database(mariadb: Server) -> str:
    return mariadb.new_database()


@pytest.fixture(scope="module")
def postgresql_database(postgresql: Server) -> str:
    return postgresql.new_database()


def emptied(database: str) -> Iterator[Store]:
    """A store on a server; its tables are made once, since that takes a second."""
    store = SqlStore.open(address(database, None, Path()))
    with store.engines.writing.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table is not counters:
                connection.execute(table.delete())
        connection.execute(counters.update().values(value=0))
    yield store
    store.close()


class TestMariadb(StoreContract, WebhookContract):
    @pytest.fixture
    def store(self, mariadb_database: str) -> Iterator[Store]:
        yield from emptied(mariadb_database)


class TestPostgresql(StoreContract, WebhookContract):
    @pytest.fixture
    def store(self, postgresql_database: str) -> Iterator[Store]:
        yield from emptied(postgresql_database)
