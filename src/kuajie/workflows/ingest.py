"""Import: the sources of all domains -> one clean, linked, immutable snapshot.

read -> (quarantine) -> merge duplicates -> who is who -> snapshot -> `warehouse/latest`
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import polars as pl

from kuajie import __version__
from kuajie.core import columns as c
from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import DataError, UsageError
from kuajie.core.progress import Progress, silent
from kuajie.core.records import Snapshot
from kuajie.data import snapshot as snapshots
from kuajie.data.config import CleaningConfig, DomainConfig, IdentityConfig
from kuajie.data.hashing import KeyHasher
from kuajie.data.identity import Identity, by_keys, by_links, by_shared_ids, valid_links
from kuajie.data.importing import (
    EXTRA_IDS,
    Stream,
    Written,
    all_accounts,
    clean_events,
    parts_for,
    read_events,
    route_events,
    write_events,
)
from kuajie.data.overlap import OverlapReport, overlap_report
from kuajie.data.quality import QualityAccount
from kuajie.data.reading import Quarantine, Reader
from kuajie.data.spool import Spool
from kuajie.data.tables import Items, read_items, read_knowledge, read_links, read_users
from kuajie.data.unify import Rules

WAREHOUSE = "warehouse"


class ImportConfig(Protocol):
    """What an import needs of a configuration; `data.config.DataConfig` and a workspace's have it."""

    @property
    def domains(self) -> Mapping[str, DomainConfig]:
        """The catalogues, in order."""

    @property
    def cleaning(self) -> CleaningConfig:
        """What is possible."""

    @property
    def identity(self) -> IdentityConfig:
        """Who is who."""


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
) -> IngestResult:
    """Import everything that a workspace names.

    Args:
        config: domains, cleaning, identity.
        folder: the workspace; relative paths are relative to it, the snapshot goes into `warehouse/` of it.
        clock: the snapshot's `as_of`.
        progress: told how far it is.
        environment: where secrets come from.

    Raises:
        DataError: a source cannot be read, too many rows are bad, or a domain is empty.
        ConfigError: the configuration does not fit the sources.
        ResourceError: the disk is full.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no workspace {folder}. Make one with: kuajie init {folder}")
    warehouse, as_of = folder / WAREHOUSE, clock().astimezone(UTC)
    hasher = _hasher(config.identity, environment)
    with snapshots.temporary_folder(warehouse) as temporary:
        quarantine = Quarantine(_free(warehouse / "quarantine", as_of))
        rules = Rules(config.cleaning, as_of)
        reader = Reader(folder, rules, list(config.domains), quarantine, progress)
        work = temporary / "work"
        target = temporary / "snapshot"
        work.mkdir()
        target.mkdir()
        job = _Job(config, reader, Stream(work, parts_for(config.domains, folder), list(config.domains)), hasher, as_of)
        return job.run(target, warehouse)


def _hasher(identity: IdentityConfig, environment: Mapping[str, str]) -> KeyHasher | None:
    if identity.method != "hashed":
        return None
    return KeyHasher.from_environment(identity.secret_env, environment)


def _free(folder: Path, as_of: datetime) -> Path:
    """A name for the quarantine that no earlier import has taken."""
    stem = as_of.strftime("%Y%m%dT%H%M%SZ")
    names = [f"{stem}.csv", *(f"{stem}-{number}.csv" for number in range(2, 1_000))]
    return next(folder / name for name in names if not (folder / name).exists())


@dataclass(frozen=True)
class _Job:
    config: ImportConfig
    reader: Reader
    stream: Stream
    hasher: KeyHasher | None
    as_of: datetime

    def run(self, target: Path, warehouse: Path) -> IngestResult:
        progress, domains = self.reader.progress, self.config.domains
        try:
            items = [read_items(self.reader, name, domain) for name, domain in domains.items()]
            users = pl.concat([read_users(self.reader, name, domain) for name, domain in domains.items()])
            knowledge = pl.concat([read_knowledge(self.reader, name, domain) for name, domain in domains.items()])
            links = read_links(self.reader, self.config.identity)
            rows = read_events(self.reader, domains, self.stream)
        finally:
            quarantined = self.reader.quarantine.close()
        self.reader.refuse_if_bad(str(self.reader.quarantine.path))
        self._refuse_empty()
        catalogue = Items.of(pl.concat(items), self.stream.items(), list(domains))
        cleaned, active = clean_events(rows, catalogue.numbers(), self.stream, self.config.cleaning, progress)
        accounts = all_accounts(active, pl.concat([users.select(c.DOMAIN, c.USER), *_ends(links)]))
        identity = self._identify(accounts, links, users)
        overlap = overlap_report(accounts, identity, list(domains), self.config.identity.method)
        written = self._write_events(cleaned, accounts, identity, target)
        quality = self._quality(active, catalogue, quarantined, warehouse)
        _write_tables(target, catalogue, accounts, identity, knowledge)

        def describe(files: dict[str, snapshots.FileEntry]) -> snapshots.Manifest:
            return self._manifest(files, catalogue, len(accounts), overlap, quality, written)

        made = snapshots.publish(target, warehouse, describe)
        return IngestResult(made.record, quality, overlap, made.path)

    def _refuse_empty(self) -> None:
        for domain in self.config.domains:
            if not self.stream.timed.get(domain, (0, 0))[1]:
                names = ", ".join(tally.name for tally in self.stream.tallies if tally.domain == domain)
                raise DataError(
                    f"the domain '{domain}' has no event in {names}. Fill the source, or leave the domain out."
                )

    def _identify(self, accounts: pl.DataFrame, links: pl.DataFrame, users: pl.DataFrame) -> Identity:
        identity = self.config.identity
        if identity.method == "shared":
            return by_shared_ids(accounts)
        numbers = accounts.select(c.DOMAIN, c.USER).with_columns(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("account")
        )
        if self.hasher is not None:
            return by_keys(accounts, self._keys(numbers, users, self.hasher))
        valid = valid_links(links, self.as_of)
        ends = valid.join(numbers, left_on=(c.DOMAIN_A, c.USER_A), right_on=(c.DOMAIN, c.USER))
        ends = ends.join(numbers, left_on=(c.DOMAIN_B, c.USER_B), right_on=(c.DOMAIN, c.USER), suffix="_b")
        pairs = ends.select(a="account", b="account_b", confidence=c.CONFIDENCE)
        found = by_links(accounts, pairs, identity.min_confidence, identity.lend_confidence)
        counts = {"rows": len(links), "expired": len(links) - len(valid), **found.counts}
        return Identity(found.person, found.lent, counts)

    def _keys(self, numbers: pl.DataFrame, users: pl.DataFrame, hasher: KeyHasher) -> pl.DataFrame:
        """Hashed keys of accounts; where a domain lists no keys, the ids are the keys."""
        listed = users.filter(pl.col("key").is_not_null())
        with_keys = listed[c.DOMAIN].unique().to_list()
        own = numbers.filter(~pl.col(c.DOMAIN).is_in(with_keys)).with_columns(pl.col(c.USER).alias("key"))
        names = ["account", c.DOMAIN, "key"]
        keyed = pl.concat([numbers.join(listed, on=(c.DOMAIN, c.USER)).select(names), own.select(names)])
        hashed = pl.col(c.DOMAIN).is_in(list(self.config.identity.hashed_domains))
        ready = keyed.filter(hashed).with_columns(pl.col("key").str.strip_chars().str.to_lowercase())
        raw = keyed.filter(~hashed)
        raw = raw.with_columns(pl.Series("key", hasher.hashes(raw["key"]), pl.String))
        return pl.concat([ready, raw]).select("account", "key")

    def _write_events(self, cleaned: Spool, accounts: pl.DataFrame, identity: Identity, target: Path) -> Written:
        progress = self.reader.progress
        routed = route_events(cleaned, accounts, identity.person, self.stream, progress)
        extra = [name for name in EXTRA_IDS if name in self.stream.ids]
        return write_events(routed, target / snapshots.EVENTS, extra, self.stream, progress)

    def _quality(self, active: pl.DataFrame, items: Items, quarantined: bool, warehouse: Path) -> QualityAccount:
        rules = active["flag"].drop_nulls().str.split(" ").explode().value_counts()
        flagged = dict(sorted(rules.iter_rows()))
        warnings = [
            f"{domain}: one item alone; nothing can be ranked."
            for domain, count in items.counts(list(self.config.domains)).items()
            if count == 1
        ]
        if flagged and self.config.cleaning.flagged == "keep":
            warnings.append(
                'accounts with extreme rates of events are flagged and trained on. Set cleaning.flagged = "exclude" '
                "to leave them out."
            )
        path = str(self.reader.quarantine.path.relative_to(warehouse)) if quarantined else ""
        accounts = tuple(tally.account() for tally in self.reader.tallies)
        return QualityAccount(sources=accounts, flagged=flagged, warnings=tuple(warnings), quarantine=path).check()

    def _manifest(
        self,
        files: dict[str, snapshots.FileEntry],
        items: Items,
        n_accounts: int,
        overlap: OverlapReport,
        quality: QualityAccount,
        written: Written,
    ) -> snapshots.Manifest:
        return snapshots.Manifest(
            format=snapshots.FORMAT,
            kuajie=__version__,
            as_of=self.as_of,
            domains=tuple(self.config.domains),
            people=overlap.people,
            linked_people=overlap.linked_people,
            accounts=n_accounts,
            events=written.events,
            items=items.counts(list(self.config.domains)),
            oldest=_moment(written.oldest),
            newest=_moment(written.newest),
            timed={domain: known / max(1, rows) for domain, (known, rows) in self.stream.timed.items()},
            flagged=self.config.cleaning.flagged,
            quality=quality,
            overlap=overlap,
            files=files,
        )


def _ends(links: pl.DataFrame) -> list[pl.DataFrame]:
    sides = ((c.DOMAIN_A, c.USER_A), (c.DOMAIN_B, c.USER_B))
    return [links.select(pl.col(domain).alias(c.DOMAIN), pl.col(user).alias(c.USER)) for domain, user in sides]


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else datetime.fromtimestamp(micros / 1e6, UTC)


def _write_tables(
    target: Path, items: Items, accounts: pl.DataFrame, identity: Identity, knowledge: pl.DataFrame
) -> None:
    items.table.write_parquet(target / snapshots.ITEMS)
    people = accounts.select(c.DOMAIN, c.USER, pl.Series(c.PERSON, identity.person), "events", "flag")
    people.write_parquet(target / snapshots.ACCOUNTS)
    identity.lent.write_parquet(target / snapshots.LENT_FILE)
    if len(knowledge):
        knowledge.write_parquet(target / snapshots.KNOWLEDGE)
