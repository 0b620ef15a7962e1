"""Reading a source to the end: unified rows out, bad rows into the quarantine, everything counted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.core.language import message
from kuajie.core.progress import Progress
from kuajie.core.texts import Joined, Text
from kuajie.data.checking import Unified
from kuajie.data.config import LinkSourceConfig, SourceConfig
from kuajie.data.quality import SourceAccount
from kuajie.data.sources import FORMATS, format_of, name_of, open_source
from kuajie.data.sources.base import REQUIRED, Batch, Table
from kuajie.data.unify import Rules, unify_events, unify_items, unify_links, unify_texts, unify_users

STEPS = 1_000  # of progress within one source
STOP = message(". ")


@dataclass
class Tally:
    """One source, what has become of its rows so far, and the reasons that were made for it."""

    domain: str
    table: Table
    source: SourceConfig
    read: int = 0
    exact: int = 0
    near: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Text] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What people call it."""
        return name_of(self.source)

    def account(self) -> SourceAccount:
        """The account of it."""
        return SourceAccount(
            domain=self.domain,
            table=self.table,
            source=self.name,
            read=self.read,
            kept=self.read - self.exact - self.near - self.bad.total(),
            exact_duplicates=self.exact,
            near_duplicates=self.near,
            quarantined=dict(self.bad.most_common()),
        )


class Quarantine:
    """The file with the bad rows: source, line, reason, content; made with the first of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def add(self, source: str, rejected: pl.DataFrame) -> None:
        """Write bad rows down."""
        if not len(rejected):
            return
        header = self._file is None
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb")
        named = rejected.select(pl.lit(source).alias("source"), pl.col(c.ROW).alias(c.LINE), c.REASON, "content")
        named.write_csv(self._file, include_header=header)

    @property
    def used(self) -> bool:
        """Whether there was any bad row."""
        return self._file is not None

    def close(self) -> None:
        """No more rows."""
        if self._file is not None:
            self._file.close()


@dataclass(frozen=True)
class Reader:
    """Reads sources by the same rules into the same quarantine.

    Attributes:
        root: relative paths are relative to it.
        rules: what is possible.
        domains: their names.
        quarantine: of the bad rows.
        progress: told of every batch.
        tallies: one for each source, in the order of reading.
        vector_sizes: lengths of the vectors read so far, by column.
    """

    root: Path
    rules: Rules
    domains: Sequence[str]
    quarantine: Quarantine
    progress: Progress
    tallies: list[Tally] = field(default_factory=list)
    vector_sizes: dict[str, int] = field(default_factory=dict)

    def read(self, source: SourceConfig, table: Table, domain: str = "") -> Iterator[pl.DataFrame]:
        """The good rows of a source, in batches."""
        tally = Tally(domain, table, source)
        self.tallies.append(tally)
        for batch in open_source(source, self.root, table):
            unified = self._unify(batch, tally)
            self.quarantine.add(tally.name, unified.rejected)
            tally.read += len(unified.good) + len(unified.rejected)
            tally.reasons.update((str(reason), reason) for reason in unified.reasons)
            for reason, count in unified.rejected[c.REASON].value_counts().iter_rows():
                tally.bad[reason] += count
            self.progress(
                Text("reading {source}", source=tally.name),
                round(STEPS * batch.fraction),
                STEPS if batch.fraction else 0,
            )
            yield unified.good

    def _unify(self, batch: Batch, tally: Tally) -> Unified:
        source, name = tally.source, tally.name
        match tally.table:
            case "events":
                kind = source.kind or FORMATS[format_of(source)].kind
                return unify_events(batch, source, kind, self.rules, name)
            case "items":
                return unify_items(batch, self.rules, name, self.vector_sizes)
            case "users":
                return unify_users(batch, self.rules, name)
            case "links":
                sides = (source.domain_a, source.domain_b) if isinstance(source, LinkSourceConfig) else (None, None)
                return unify_links(batch, source, sides, self.domains, self.rules, name)
            case "kg" | "entities" | "places":
                return unify_texts(batch, REQUIRED[tally.table], self.rules, name)

    def refuse_if_bad(self, where: str) -> None:
        """Check the share of bad rows of each source.

        Raises:
            DataError: it is too large; `where` names the quarantine.
        """
        most = self.rules.cleaning.max_quarantined
        problems = []
        for tally in self.tallies:
            account = tally.account()
            if account.bad_share > most:
                most_common = tally.bad.most_common(3)
                problems.append(
                    Text(
                        "{source}: {bad:,} of {read:,} rows ({share:.1%}) cannot be used ({reasons})",
                        source=tally.name,
                        bad=account.bad,
                        read=account.read,
                        share=account.bad_share,
                        reasons=Joined(
                            Text("{reason}: {count:,}", reason=tally.reasons.get(reason, Text(reason)), count=count)
                            for reason, count in most_common
                        ),
                    )
                )
        if problems:
            raise DataError(
                "{problems}. More than {most:.1%} is too much. The rows are in {where}: correct them, or "
                "raise cleaning.max_quarantined.",
                problems=Joined(problems, STOP),
                most=most,
                where=where,
            )
