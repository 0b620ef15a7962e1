"""Export: the operational store becomes one more source of the next snapshot, which closes the loop.

events -> store -> (export) -> import -> snapshot -> train -> activate

Everything since the beginning is written to files of a temporary folder, batch by batch, and goes through the same
reading, cleaning and linking as every other source. What the store says of an item goes before what a file says.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl
import pyarrow.parquet as pq

from kuajie.core import columns as c
from kuajie.data.config import DataConfig, DomainConfig, LinkSourceConfig, SourceConfig
from kuajie.data.snapshot import temporary_folder
from kuajie.workflows.stores import Exporter, ExportTable, Store

C = TypeVar("C", bound=DataConfig)
NAME = "operational store"


TABLES: tuple[ExportTable, ...] = ("events", "items", "people", "links", "triples")


@dataclass(frozen=True)
class Exported:
    """What was taken from the store.

    Attributes:
        sequence: the last change that is among it.
        unused_links: there are links, but the workspace does not identify people by links.
    """

    sequence: int
    unused_links: bool


@contextmanager
def with_store(config: C, store: Store, warehouse: Path) -> Iterator[tuple[C, Exported]]:
    """The same configuration, with what the store holds as sources; the files are gone afterwards.

    Args:
        config: domains and identity; domains that it does not name are left out.
        store: open, also for reading only.
        warehouse: on a disk with room for the events.

    Raises:
        StoreError: the store does not answer.
        ResourceError: the disk is full.
    """
    sequence = store.events.newest()
    with temporary_folder(warehouse) as folder:
        files = {table: _write(store.export, table, sequence, folder) for table in TABLES}
        domains = {name: _domain(domain, name, files) for name, domain in config.domains.items()}
        identity, links = config.identity, files["links"].get("")
        if links is not None and identity.method == "links":
            source = LinkSourceConfig(path=str(links), name=NAME)
            identity = identity.model_copy(update={"links": (source, *identity.links)})
        unused = links is not None and identity.method != "links"
        changed = config.model_copy(update={"domains": domains, "identity": identity})
        yield changed, Exported(sequence, unused_links=unused)


def _domain(config: DomainConfig, name: str, files: Mapping[ExportTable, Mapping[str, Path]]) -> DomainConfig:
    def sources(table: ExportTable) -> tuple[SourceConfig, ...]:
        file = files[table].get(name)
        return () if file is None else (SourceConfig(path=str(file), name=NAME),)

    return config.model_copy(
        update={
            "events": (*config.events, *sources("events")),
            "items": (*sources("items"), *config.items),
            "users": (*config.users, *sources("people")),
            "kg": (*config.kg, *sources("triples")),
        }
    )


def _write(exporter: Exporter, table: ExportTable, until: int, folder: Path) -> dict[str, Path]:
    """Domain -> file; links, which have two domains, under an empty name."""
    writers: dict[str, pq.ParquetWriter] = {}
    files: dict[str, Path] = {}
    try:
        for frame in exporter.frames(table, until):
            for domain, rows in _by_domain(frame):
                arrow = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
                if domain not in files:
                    files[domain] = folder / f"{table}-{len(files)}.parquet"
                    writers[domain] = pq.ParquetWriter(files[domain], arrow.schema, compression="zstd")
                writers[domain].write_table(arrow)
    finally:
        for writer in writers.values():
            writer.close()
    return files


def _by_domain(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    if c.DOMAIN not in frame.columns:
        yield "", frame
        return
    for (domain,), rows in frame.partition_by(c.DOMAIN, as_dict=True, include_key=False).items():
        yield str(domain), rows
