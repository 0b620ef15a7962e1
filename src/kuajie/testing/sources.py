"""For tests of readers: small files in, rows and reasons out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from kuajie.data.checking import Unified
from kuajie.data.config import CleaningConfig, SourceConfig
from kuajie.data.sources import open_source
from kuajie.data.sources.base import Table
from kuajie.data.unify import Rules, unify_events

NOW = datetime(2025, 1, 1, tzinfo=UTC)
RULES = Rules(CleaningConfig(), NOW)


def raw(folder: Path, source: SourceConfig, table: Table = "events") -> tuple[pl.DataFrame, pl.DataFrame]:
    """All rows of a source as they are, and the lines that could not be split."""
    batches = list(open_source(source, folder, table))
    frames = [batch.frame for batch in batches if len(batch.frame)] or [batches[0].frame]
    return pl.concat(frames, how="vertical_relaxed"), pl.concat([batch.rejected for batch in batches])


def events(folder: Path, source: SourceConfig, rules: Rules = RULES) -> Unified:
    """All events of a source."""
    parts = [
        unify_events(batch, source, source.kind or "view", rules, "s")
        for batch in open_source(source, folder, "events")
    ]
    return Unified(pl.concat([part.good for part in parts]), pl.concat([part.rejected for part in parts]))


def write(folder: Path, name: str, content: str | bytes) -> SourceConfig:
    """A file, and the source that reads it."""
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    return SourceConfig(path=name)


def reasons(unified: Unified) -> Mapping[int, str]:
    """Row -> why it is bad."""
    return dict(unified.rejected.select("row", "reason").sort("row").iter_rows())


def rows(frame: pl.DataFrame, *names: str) -> Sequence[tuple[object, ...]]:
    """Some columns as tuples."""
    return frame.select(names).rows()
