"""Databases of each kind, by name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kuajie.storage.sql.address import address
from kuajie.storage.sql.store import SqlStore
from kuajie.testing.servers import Server

SERVERS = ("mariadb", "postgresql")
Open = Callable[..., SqlStore]


@pytest.fixture
def opening(request: pytest.FixtureRequest) -> Open:
    """Opens stores and closes them at the end."""

    def open_store(database: str, folder: Path = Path(), **options: object) -> SqlStore:
        store = SqlStore.open(address(database, None, folder), **options)
        request.addfinalizer(store.close)
        return store

    return open_store


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each kind of server in turn; running at the start, whatever the test before has done to it."""
    server: Server = request.getfixturevalue(request.param)
    yield server
    server.revive()


@pytest.fixture(params=["sqlite", *SERVERS])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / '仓库.db'}"
    return request.getfixturevalue(request.param).new_database()
