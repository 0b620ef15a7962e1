"""Insert or replace, in the words of each database."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; one whose primary key exists is replaced. Of equal keys in `rows` the last counts."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    last = {tuple(row[key] for key in keys): row for row in rows}
    others = [column.name for column in table.columns if not column.primary_key]
    statement: sa.Insert
    if connection.dialect.name in ("mysql", "mariadb"):
        theirs = mysql.insert(table)
        statement = theirs.on_duplicate_key_update({name: theirs.inserted[name] for name in others})
    elif connection.dialect.name == "postgresql":
        ours = postgresql.insert(table)
        statement = ours.on_conflict_do_update(index_elements=keys, set_={name: ours.excluded[name] for name in others})
    else:
        embedded = sqlite.insert(table)
        statement = embedded.on_conflict_do_update(
            index_elements=keys, set_={name: embedded.excluded[name] for name in others}
        )
    connection.execute(statement, list(last.values()))


def existing(connection: sa.Connection, table: sa.Table, keys: Sequence[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """Those primary keys that there are."""
    columns = list(table.primary_key)
    found: set[tuple[Any, ...]] = set()
    for start in range(0, len(keys), 200):
        some = keys[start : start + 200]
        wanted: sa.ColumnElement[bool]
        if len(columns) == 1:
            wanted = columns[0].in_([key[0] for key in some])
        else:
            wanted = sa.or_(*(sa.and_(*(c == v for c, v in zip(columns, key, strict=True))) for key in some))
        found.update(tuple(row) for row in connection.execute(sa.select(*columns).where(wanted)))
    return found
