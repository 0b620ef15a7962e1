"""Events of any size into a snapshot, one part of the accounts at a time.

    1  read     every source in batches; good rows go to the part that the hash of their user says
    2  clean    part after part, whole accounts each: duplicates merged, extreme rates flagged, items numbered
    3  person   accounts of all parts, sorted, are joined to people; rows go to the part of their person
    4  write    part after part, sorted by person and time

Memory is bounded by one batch, one part, the accounts and the items. Nothing in the result depends on the number of
parts or on the hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from kuajie.core import columns as c
from kuajie.core.progress import Progress
from kuajie.data.config import CleaningConfig, DomainConfig
from kuajie.data.duplicates import ACCOUNT, SOURCE, merge_duplicates
from kuajie.data.rates import flag_rates
from kuajie.data.reading import Reader, Tally
from kuajie.data.spool import Spool

PART_BYTES = 40 * 2**20  # of source files
MOST_PARTS = 512
DATABASE_BYTES = 2**30  # what a query is taken for
DAY = 86_400 * 1_000_000  # microseconds
EXTRA_IDS = (c.EVENT_ID, c.EXPOSURE_ID)
LOCAL = "local"  # number of an account inside its part
GROUP_ROWS = 2**19
ACCOUNTS = {c.DOMAIN: pl.String(), c.USER: pl.String(), "events": pl.Int64(), "flag": pl.String()}


@dataclass
class Stream:
    """Where events flow through, and what is counted on the way.

    Attributes:
        folder: temporary; on a disk with room for the events.
        parts: how many.
        domains: in order.
        tallies: of the sources of events; their position is the number of the source.
        seen: distinct items of each domain.
        clock_of_day: smallest and largest time of day of each domain, microseconds.
        ids: which of `EXTRA_IDS` the sources have.
        timed: (events with a time, events) of each domain, before duplicates are merged.
    """

    folder: Path
    parts: int
    domains: list[str]
    tallies: list[Tally] = field(default_factory=list)
    seen: dict[str, pl.Series] = field(default_factory=dict)
    clock_of_day: dict[str, tuple[int, int]] = field(default_factory=dict)
    timed: dict[str, tuple[int, int]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)

    def step(self, name: str) -> Spool:
        """A new spool."""
        return Spool(self.folder / name, self.parts)

    def items(self) -> pl.DataFrame:
        """Every item that occurs in events: domain, item."""
        frames = [
            pl.DataFrame({c.ITEM: items}).select(pl.lit(domain).alias(c.DOMAIN), c.ITEM)
            for domain, items in self.seen.items()
        ]
        return pl.concat(frames)

    def timed_shares(self) -> dict[str, float]:
        """The share of events with a time, of each domain that has any event."""
        return {domain: known / rows for domain, (known, rows) in self.timed.items() if rows}

    def fine(self) -> pl.Expr:
        """Over events: whether the times of their domain are finer than a day."""
        fine = [name for name, (low, high) in self.clock_of_day.items() if low != high]
        return pl.col(c.DOMAIN).is_in(fine)


def parts_for(domains: Mapping[str, DomainConfig], root: Path) -> int:
    """How many parts keep one part small."""
    sources = [source for domain in domains.values() for source in domain.events]
    sizes = [DATABASE_BYTES if source.path is None else _size(root / source.path) for source in sources]
    return min(MOST_PARTS, 1 + sum(sizes) // PART_BYTES)


def _size(path: Path) -> int:
    size = path.stat().st_size if path.is_file() else 0
    return size * (5 if path.suffix in {".gz", ".parquet"} else 1)


def read_events(reader: Reader, domains: Mapping[str, DomainConfig], stream: Stream) -> Spool:
    """Step 1."""
    spool = stream.step("read")
    kinds = pl.Enum(stream.domains)
    for domain, config in domains.items():
        for source in config.events:
            for frame in reader.read(source, "events", domain):
                number = len(stream.tallies)
                _observe(stream, domain, frame)
                spool.add(
                    frame.with_columns(
                        pl.lit(domain, kinds).alias(c.DOMAIN),
                        pl.lit(number, pl.UInt16).alias(SOURCE),
                        (pl.col(c.USER).hash(0) % stream.parts).alias("part"),
                    )
                )
            stream.tallies.append(reader.tallies[-1])
    return spool


def _observe(stream: Stream, domain: str, frame: pl.DataFrame) -> None:
    items = frame[c.ITEM].unique()
    stream.ids.update(name for name in EXTRA_IDS if frame[name].null_count() < len(frame))
    stream.seen[domain] = pl.concat([stream.seen[domain], items]).unique() if domain in stream.seen else items
    times = frame[c.OCCURRED_AT].drop_nulls()
    known, rows = stream.timed.get(domain, (0, 0))
    stream.timed[domain] = (known + len(times), rows + len(frame))
    low, high = stream.clock_of_day.get(domain, (DAY, 0))
    of_day = times.dt.timestamp("us").to_numpy() % DAY
    stream.clock_of_day[domain] = (min(low, int(of_day.min(initial=DAY))), max(high, int(of_day.max(initial=0))))


def clean_events(
    spool: Spool, numbers: pl.DataFrame, stream: Stream, config: CleaningConfig, progress: Progress
) -> tuple[Spool, pl.DataFrame]:
    """Step 2: events with part-local accounts and joint item numbers, and the accounts.

    Args:
        spool: of step 1.
        numbers: domain, item, number.
        stream: what is counted.
        config: the rules.
        progress: told of every part.
    """
    cleaned, accounts = stream.step("clean"), []
    numbers = numbers.with_columns(pl.col(c.DOMAIN).cast(pl.Enum(stream.domains)))
    for part in range(stream.parts):
        rows = spool.take(part)
        progress("cleaning", part + 1, stream.parts)
        if rows is None:
            continue
        names = (
            rows.select(c.DOMAIN, c.USER).unique().with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias(ACCOUNT))
        )
        rows = rows.join(names, on=(c.DOMAIN, c.USER)).join(numbers, on=(c.DOMAIN, c.ITEM))
        rows = rows.drop(c.USER, c.ITEM).rename({"number": c.ITEM})
        merged = merge_duplicates(rows, config.near_duplicate_seconds, len(stream.tallies))
        for tally, exact, near in zip(stream.tallies, merged.exact, merged.near, strict=True):
            tally.exact += int(exact)
            tally.near += int(near)
        flags = flag_rates(merged.events, stream.fine(), config)
        counted = names.join(merged.events.group_by(ACCOUNT).agg(pl.len().cast(pl.Int64).alias("events")), on=ACCOUNT)
        counted = counted.join(flags, on=ACCOUNT, how="left").with_columns(pl.col(c.DOMAIN).cast(pl.String))
        accounts.append(counted.rename({ACCOUNT: LOCAL}).with_columns(pl.lit(part).alias("part")))
        cleaned.add(merged.events.drop(c.DOMAIN).with_columns(pl.lit(part).alias("part")))
    return cleaned, pl.concat(accounts) if accounts else _no_accounts()


def _no_accounts() -> pl.DataFrame:
    return pl.DataFrame(schema={**ACCOUNTS, LOCAL: pl.Int32(), "part": pl.Int32()})


def all_accounts(active: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """Accounts with events and those that are only named, sorted by user and domain: the row is the number.

    Args:
        active: of step 2.
        named: domain, user; of tables of users and links.
    """
    silent = named.select(c.DOMAIN, c.USER).unique().join(active, on=(c.DOMAIN, c.USER), how="anti")
    everyone = pl.concat([active, silent], how="diagonal").sort(c.USER, c.DOMAIN)
    return everyone.with_columns(pl.col("events").fill_null(0), pl.col("flag").fill_null(""))


def route_events(
    cleaned: Spool, accounts: pl.DataFrame, person: npt.NDArray[np.int32], stream: Stream, progress: Progress
) -> Spool:
    """Step 3: events with final account numbers and people, in the part of their person.

    Args:
        cleaned: of step 2.
        accounts: of `all_accounts`.
        person: of each account.
        stream: parts.
        progress: told of every part.
    """
    routed = stream.step("route")
    people = int(person.max(initial=-1)) + 1
    numbered = accounts.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias("number"))
    local = numbered.filter(pl.col("part").is_not_null()).sort("part", LOCAL).select("part", "number")
    of_part = local.partition_by("part", as_dict=True, include_key=False)
    for part in range(stream.parts):
        rows = cleaned.take(part)
        progress("joining people", part + 1, stream.parts)
        if rows is None:
            continue
        account = of_part[part,]["number"].to_numpy()[rows[ACCOUNT].to_numpy()]
        who = person[account]
        home = who.astype(np.int64) * stream.parts // people
        routed.add(
            rows.with_columns(
                pl.Series(ACCOUNT, account), pl.Series(c.PERSON, who), pl.Series("part", home.astype(np.int32))
            )
        )
    return routed


@dataclass(frozen=True)
class Written:
    """What step 4 wrote: how many events, and the oldest and newest of their times, in microseconds."""

    events: int
    oldest: int | None
    newest: int | None


def write_events(routed: Spool, path: Path, stream: Stream, progress: Progress) -> Written:
    """Step 4: row groups of one size, whatever the parts.

    Args:
        routed: of step 3.
        path: of the Parquet file.
        stream: parts, and which optional columns there are.
        progress: told of every part.
    """
    names = [c.PERSON, ACCOUNT, c.ITEM, c.KIND, c.OCCURRED_AT, c.VALUE, SOURCE, c.ROW]
    names += [name for name in EXTRA_IDS if name in stream.ids]
    times, total = np.empty(0, np.int64), 0
    groups = _Groups(path)
    try:
        for part in range(stream.parts):
            rows = routed.take(part)
            progress("writing", part + 1, stream.parts)
            if rows is None:
                continue
            rows = rows.sort(c.PERSON, c.OCCURRED_AT, SOURCE, c.ROW, nulls_last=False).select(names)
            known = rows[c.OCCURRED_AT].drop_nulls().dt.timestamp("us").to_numpy()
            times = np.concatenate([times, [known.min(), known.max()] if len(known) else known])
            groups.add(rows)
            total += len(rows)
        groups.finish()
    finally:
        groups.close()
    return Written(total, int(times.min()) if len(times) else None, int(times.max()) if len(times) else None)


class _Groups:
    """A Parquet file of row groups of `GROUP_ROWS`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= GROUP_ROWS:
            rows = pl.concat(self._waiting)
            whole = len(rows) // GROUP_ROWS * GROUP_ROWS
            for start in range(0, whole, GROUP_ROWS):
                self._write(rows[start : start + GROUP_ROWS])
            self._waiting = [rows[whole:]]

    def finish(self) -> None:
        self._write(pl.concat(self._waiting))

    def _write(self, rows: pl.DataFrame) -> None:
        if not len(rows):
            return
        table = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        self._writer = self._writer or pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
