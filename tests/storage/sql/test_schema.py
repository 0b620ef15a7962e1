"""Migrations: they make what the tables say, once, whoever starts first; other versions are refused."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from kuajie.core.errors import StoreError
from kuajie.core.records import Account, Consent
from kuajie.storage.sql import schema
from kuajie.storage.sql.address import address
from kuajie.storage.sql.engine import Limits, connect
from kuajie.storage.sql.store import SqlStore
from kuajie.testing.servers import Server
from kuajie.testing.stores import NOW, event

from .conftest import Open


def test_migrations_make_what_the_tables_say(database: str, opening: Open) -> None:
    store = opening(database)
    with store.reader.connection() as connection:
        assert schema.differences(connection) == []
    assert store.schema_version == schema.newest()


def test_migrations_are_a_line() -> None:
    script = ScriptDirectory.from_config(schema._config())
    assert len(script.get_heads()) == len(script.get_bases()) == 1
    assert schema.known() == [each.revision for each in script.walk_revisions()][::-1], "names of files tell the order"
    assert schema.newest() == script.get_current_head()


def test_opening_again_keeps_everything(database: str, opening: Open) -> None:
    first = opening(database)
    first.events.append([event("1")], NOW)
    first.close()
    again = opening(database)
    assert [row.event.event_id for row in again.events.after(0)] == ["1"]
    assert again.events.append([event("1")], NOW)[0].status == "duplicate"


def test_processes_that_start_together(server: Server, opening: Open) -> None:
    database = server.new_database()
    problems: list[Exception] = []

    def start() -> None:
        try:
            opening(database)
        except Exception as error:  # told below
            problems.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert all(finding.ok for finding in opening(database).check())


def test_a_migration_that_was_interrupted_is_finished(server: Server, opening: Open) -> None:
    """MySQL keeps what an interrupted migration has made, but not that it was made."""
    database = server.new_database()
    store = opening(database)
    with store.engines.writing.begin() as connection:
        connection.execute(sa.text("DROP TABLE exposures"))
        connection.execute(sa.text("DELETE FROM alembic_version"))
    store.close()
    assert all(finding.ok for finding in opening(database).check())


def test_a_newer_store_is_refused(database: str, opening: Open) -> None:
    store = opening(database)
    with store.engines.writing.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    for write in (True, False):
        with pytest.raises(StoreError, match=r"newer kuajie \(migration 9999|another version \(migration 9999"):
            opening(database, write=write)


def test_reading_makes_nothing(database: str, opening: Open, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"another version \(migration none, needed {schema.newest()}"):
        opening(database, write=False)
    assert not (tmp_path / "仓库.db").exists()
    engines = connect(address(database, None, tmp_path), Limits())
    if engines.backend != "sqlite":
        assert sa.inspect(engines.reading).get_table_names() == []
    engines.dispose()


def test_the_doctor_finds_what_is_missing(database: str, opening: Open) -> None:
    store = opening(database)
    store.events.append([event("1")], NOW)
    with store.engines.writing.begin() as connection:
        connection.execute(sa.text("DROP TABLE exposures"))
        connection.execute(sa.text("UPDATE counters SET value = 0"))
    wrong = {finding.name for finding in store.check() if not finding.ok}
    assert wrong == {"its tables are those of this version", "its sequence of changes is whole"}


def test_the_doctor_finds_a_damaged_file(tmp_path: Path, opening: Open) -> None:
    store = opening("a.db", tmp_path)
    store.events.append([event(str(number), properties={"x": "y" * 3_000}) for number in range(200)], NOW)
    store.close()
    file = tmp_path / "a.db"
    content = bytearray(file.read_bytes())
    among_events = len(content) * 2 // 3
    content[among_events : among_events + 30_000] = bytes(30_000)
    file.write_bytes(content)
    damaged = SqlStore.open(address("a.db", None, tmp_path), write=False)
    assert not all(finding.ok for finding in damaged.check())
    damaged.close()


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look like one" * 100])
def test_a_file_that_is_no_database(tmp_path: Path, opening: Open, content: bytes) -> None:
    (tmp_path / "a.db").write_bytes(content)
    if content:
        with pytest.raises(StoreError, match="not a database"):
            opening("a.db", tmp_path)
    else:
        assert opening("a.db", tmp_path).check()[0].ok


def test_consents_of_an_older_store_are_numbered(database: str, opening: Open) -> None:
    store = opening(database)
    said = [
        Consent(account=Account(domain="课程", user=user), personalised=False, changed_at=NOW) for user in ("张", "b")
    ]
    store.events.append([event("1")], NOW)
    store.catalogue.put_consents(said)
    with store.engines.writing.begin() as connection:
        connection.execute(sa.text("DROP INDEX consents_sequence" + _on(store)))
        for table, column in (("consents", "sequence"), ("ranked_lists", "placement"), ("ranked_lists", "tags")):
            connection.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(sa.text("UPDATE counters SET value = 1"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    store.close()
    again = opening(database)
    found = again.catalogue.consents_after(0)
    assert sorted(change.value.account.user for change in found) == ["b", "张"]
    assert [change.sequence for change in found] == [2, 3]
    again.events.append([event("2")], NOW)
    assert [row.sequence for row in again.events.after(1)] == [4]
    assert all(finding.ok for finding in again.check())


def _on(store: SqlStore) -> str:
    return " ON consents" if store.engines.backend in {"mysql", "mariadb"} else ""
