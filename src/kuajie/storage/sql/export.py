"""Everything since the beginning as frames, page by page in the order of change."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from kuajie.core import columns as c
from kuajie.storage.sql.reader import Reader
from kuajie.storage.sql.tables import UNKNOWN_TIME, events, items, links, people, triples
from kuajie.workflows.stores import ExportTable

PAGE_ROWS = 50_000
TEXT, NUMBER, WHOLE = pl.String(), pl.Float64(), pl.Int64()


@dataclass(frozen=True)
class Exported:
    """A table and its columns: the name in `core.columns`, the name in the database, the type."""

    table: sa.Table
    columns: tuple[tuple[str, str, pl.DataType], ...]


def _same(table: sa.Table, *names: str) -> Exported:
    return Exported(table, tuple((name, name, TEXT) for name in names))


TABLES: Mapping[ExportTable, Exported] = {
    "events": Exported(
        events,
        (
            (c.DOMAIN, "domain", TEXT),
            (c.USER, "user_id", TEXT),
            (c.ITEM, "item_id", TEXT),
            (c.KIND, "kind", TEXT),
            (c.OCCURRED_AT, "occurred_at", WHOLE),
            (c.VALUE, "value", NUMBER),
            (c.EVENT_ID, "event_id", TEXT),
            (c.EXPOSURE_ID, "exposure_id", TEXT),
        ),
    ),
    "items": Exported(
        items,
        (
            (c.DOMAIN, "domain", TEXT),
            (c.ITEM, "item_id", TEXT),
            (c.TITLE, "title", TEXT),
            (c.TITLE_EN, "title_en", TEXT),
            (c.CATEGORY, "category", TEXT),
            (c.BRAND, "brand", TEXT),
            (c.PRICE, "price", NUMBER),
            (c.ATTRIBUTES, "attributes", TEXT),
        ),
    ),
    "people": Exported(
        people, ((c.DOMAIN, "domain", TEXT), (c.USER, "user_id", TEXT), (c.ATTRIBUTES, "attributes", TEXT))
    ),
    "links": Exported(
        links,
        (
            (c.DOMAIN_A, "domain_a", TEXT),
            (c.USER_A, "user_a", TEXT),
            (c.DOMAIN_B, "domain_b", TEXT),
            (c.USER_B, "user_b", TEXT),
            (c.CONFIDENCE, "confidence", NUMBER),
            (c.EVIDENCE, "evidence", TEXT),
            (c.EXPIRES_AT, "expires_at", WHOLE),
        ),
    ),
    "triples": _same(triples, c.DOMAIN, c.HEAD, c.RELATION, c.TAIL),
}


@dataclass(frozen=True)
class SqlExport:
    """`workflows.stores.Exporter`."""

    reader: Reader

    def frames(self, table: ExportTable, until: int) -> Iterator[pl.DataFrame]:
        """See `Exporter.frames`."""
        exported = TABLES[table]
        sequence = exported.table.c.sequence
        chosen = [exported.table.c[theirs] for _, theirs, _ in exported.columns]
        schema = {ours: kind for ours, _, kind in exported.columns}
        last = 0
        while True:
            query = sa.select(*chosen, sequence).where(sequence > last, sequence <= until).order_by(sequence)
            with self.reader.connection() as connection:
                rows = connection.execute(query.limit(PAGE_ROWS)).fetchall()
            if not rows:
                return
            last = rows[-1].sequence
            frame = pl.DataFrame([tuple(row) for row in rows], {**schema, "sequence": WHOLE}, orient="row")
            yield _in_time(frame.drop("sequence"))


def _in_time(frame: pl.DataFrame) -> pl.DataFrame:
    for name in (c.OCCURRED_AT, c.EXPIRES_AT):
        if name in frame.columns:
            known = pl.when(pl.col(name) != UNKNOWN_TIME).then(pl.col(name))
            frame = frame.with_columns(known.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias(name))
    return frame
