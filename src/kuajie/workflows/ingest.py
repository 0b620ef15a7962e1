"""Import: the sources of all domains -> one clean, linked, immutable snapshot.

read -> (quarantine) -> merge duplicates -> who is who -> snapshot -> `warehouse/latest`
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec
import polars as pl

from kuajie import __version__
from kuajie.core import columns as c
from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import DataError, UsageError
from kuajie.core.progress import Progress, silent
from kuajie.core.records import Snapshot
from kuajie.core.texts import Text
from kuajie.data import importing
from kuajie.data import snapshot as snapshots
from kuajie.data.config import CleaningConfig, DomainConfig, IdentityConfig, SocialConfig
from kuajie.data.event_columns import write_columns
from kuajie.data.hashing import KeyHasher
from kuajie.data.identity import Identity
from kuajie.data.overlap import OverlapReport, overlap_report
from kuajie.data.quality import QualityAccount, wordings_of
from kuajie.data.reading import Quarantine, Reader
from kuajie.data.resolving import resolve
from kuajie.data.social import with_social
from kuajie.data.spool import Spool
from kuajie.data.tables import Items, Tables, read_tables
from kuajie.data.unify import Rules
from kuajie.data.vectors import vector_names
from kuajie.graph.drawing import GraphConfig, enriched

WAREHOUSE = "warehouse"


class ImportConfig(Protocol):
    """What an import needs of a configuration; `data.config.DataConfig` has it."""

    @property
    def domains(self) -> Mapping[str, DomainConfig]:
        """The catalogues, in order."""

    @property
    def cleaning(self) -> CleaningConfig:
        """What is possible."""

    @property
    def identity(self) -> IdentityConfig:
        """Who is who."""

    @property
    def social(self) -> SocialConfig:
        """Who knows whom."""


@dataclass(frozen=True)
class IngestResult:
    """What an import made.

    Attributes:
        snapshot: the record of it.
        account: what became of every row.
        overlap: how many people the domains share.
        folder: where the snapshot lies.
    """

    snapshot: Snapshot
    account: QualityAccount
    overlap: OverlapReport
    folder: Path


def ingest(
    config: ImportConfig,
    folder: Path,
    *,
    clock: Clock = system_clock,
    progress: Progress = silent,
    environment: Mapping[str, str] = os.environ,
    store_sequence: int | None = None,
    graph: GraphConfig | None = None,
) -> IngestResult:
    """Import everything that a workspace names.

    Args:
        config: domains, cleaning, identity.
        folder: the workspace; relative paths are relative to it, the snapshot goes into `warehouse/` of it.
        clock: the snapshot's `as_of`.
        progress: told how far it is.
        environment: where the secret of hashed keys comes from.
        store_sequence: the last change of the operational store among the sources (`workflows.export`); None: there is
            no store among them.
        graph: what is drawn from names and texts beside the triples that are given; left out: nothing.

    Raises:
        DataError: a source cannot be read, too many rows are bad, or a domain is empty.
        ConfigError: the configuration does not fit the sources.
        ResourceError: the disk is full.
    """
    if not folder.is_dir():
        raise UsageError("there is no workspace {folder}. Make one with: kuajie init {folder}", folder=folder)
    hasher = None
    if config.identity.method == "hashed":
        hasher = KeyHasher.from_environment(config.identity.secret_env, environment)
    warehouse, as_of = folder / WAREHOUSE, clock().astimezone(UTC)
    with snapshots.temporary_folder(warehouse) as temporary:
        quarantine = Quarantine(_free(warehouse / "quarantine", as_of))
        reader = Reader(folder, Rules(config.cleaning, as_of), list(config.domains), quarantine, progress)
        parts = importing.parts_for(config.domains, folder)
        stream = importing.Stream(_made(temporary / "work"), parts, list(config.domains))
        target = _made(temporary / "snapshot")
        if store_sequence is not None:
            (target / snapshots.STORE).write_bytes(msgspec.json.encode({"sequence": store_sequence}))
        return _run(config, reader, stream, hasher, target, warehouse, graph or GraphConfig())


def _run(
    config: ImportConfig,
    reader: Reader,
    stream: importing.Stream,
    hasher: KeyHasher | None,
    target: Path,
    warehouse: Path,
    graph: GraphConfig,
) -> IngestResult:
    as_of, domains, progress = reader.rules.now, list(config.domains), reader.progress
    tables, rows = _read(config, reader, stream)
    items = Items.of(tables.items, stream.items(), domains)
    cleaned, active = importing.clean_events(rows, items.numbers(), stream, config.cleaning, progress)
    accounts = importing.all_accounts(active, tables.accounts())
    identity = resolve(accounts, tables, config.identity, hasher, as_of)
    identity = with_social(identity, accounts, tables.friends, tables.places, config.social)
    routed = importing.route_events(cleaned, accounts, identity.person, stream, progress)
    written = importing.write_events(routed, target / snapshots.EVENTS, stream, progress)
    write_columns(target / snapshots.EVENTS, written.events)
    tables = replace(tables, knowledge=enriched(tables.knowledge, items.table, graph))
    _write_tables(target, items, accounts, identity, tables)
    quality = _quality(config, reader, accounts, items, warehouse)
    overlap = overlap_report(accounts, identity, domains, config.identity.method)

    def describe(files: dict[str, snapshots.FileEntry]) -> snapshots.Manifest:
        return snapshots.Manifest(
            format=snapshots.FORMAT,
            kuajie=__version__,
            as_of=as_of,
            domains=tuple(domains),
            people=overlap.people,
            linked_people=overlap.linked_people,
            accounts=len(accounts),
            events=written.events,
            items=items.counts(domains),
            oldest=_moment(written.oldest),
            newest=_moment(written.newest),
            timed=stream.timed_shares(),
            flagged=config.cleaning.flagged,
            quality=quality,
            overlap=overlap,
            files=files,
        )

    made = snapshots.publish(target, warehouse, describe)
    return IngestResult(made.record, quality, overlap, made.path)


def _read(config: ImportConfig, reader: Reader, stream: importing.Stream) -> tuple[Tables, Spool]:
    """Every source to its end, so that all that is wrong is known at once."""
    try:
        tables = read_tables(reader, config.domains, config.identity, config.social)
        rows = importing.read_events(reader, config.domains, stream)
    finally:
        reader.quarantine.close()
    reader.refuse_if_bad(str(reader.quarantine.path))
    for domain in config.domains:
        if domain not in stream.timed_shares():
            names = ", ".join(tally.name for tally in stream.tallies if tally.domain == domain)
            raise DataError(
                "the domain '{domain}' has no event ({names}). Fill the source, or leave the domain out.",
                domain=domain,
                names=names,
            )
    return tables, rows


def _quality(
    config: ImportConfig, reader: Reader, accounts: pl.DataFrame, items: Items, warehouse: Path
) -> QualityAccount:
    broken = accounts["flag"].filter(accounts["flag"].str.len_bytes() > 0)
    flagged = dict(sorted(broken.str.split(" ").explode().value_counts().iter_rows()))
    warnings = [
        Text("{domain} has one item alone: nothing can be ranked in it. Bring its catalogue.", domain=domain)
        for domain, count in items.counts(list(config.domains)).items()
        if count == 1
    ]
    if flagged and config.cleaning.flagged == "keep":
        warnings.append(
            Text(
                "{count} accounts have extreme rates of events and are trained on all the same. "
                'Set cleaning.flagged = "exclude" to leave them out.',
                count=len(broken),
            )
        )
    path = str(reader.quarantine.path.relative_to(warehouse)) if reader.quarantine.used else ""
    sources = tuple(tally.account() for tally in reader.tallies)
    reasons = [text for tally in reader.tallies for reason, text in tally.reasons.items() if tally.bad[reason]]
    return QualityAccount(
        sources=sources,
        flagged=flagged,
        warnings=tuple(map(str, warnings)),
        quarantine=path,
        wordings=wordings_of([*reasons, *warnings]),
    ).check()


def _write_tables(target: Path, items: Items, accounts: pl.DataFrame, identity: Identity, tables: Tables) -> None:
    vectors = vector_names(items.table.columns)
    items.table.drop(vectors).write_parquet(target / snapshots.ITEMS)
    if vectors:
        items.table.select(vectors).write_parquet(target / snapshots.VECTORS)
    people = accounts.select(c.DOMAIN, c.USER, pl.Series(c.PERSON, identity.person), "events", "flag")
    people.write_parquet(target / snapshots.ACCOUNTS)
    identity.lent.write_parquet(target / snapshots.LENT_FILE)
    if len(tables.knowledge):
        tables.knowledge.write_parquet(target / snapshots.KNOWLEDGE)
    if len(declared := tables.declared()):
        declared.write_parquet(target / snapshots.DECLARED)
    if len(tables.places):
        where = tables.places.join(people, on=(c.DOMAIN, c.USER)).select(c.DOMAIN, c.PERSON, "place")
        where.unique().sort(c.DOMAIN, c.PERSON, "place").write_parquet(target / snapshots.PLACES)


def _free(folder: Path, as_of: datetime) -> Path:
    """A name for the quarantine that no earlier import has taken."""
    stem, number = as_of.strftime("%Y%m%dT%H%M%SZ"), 1
    path = folder / f"{stem}.csv"
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.csv"
    return path


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else datetime.fromtimestamp(micros / 1e6, UTC)
