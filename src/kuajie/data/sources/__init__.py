"""Readers of sources, one file each; `open_source` finds the right one."""

from collections.abc import Iterator
from pathlib import Path

from kuajie.core.errors import ConfigError
from kuajie.data.config import Format, SourceConfig
from kuajie.data.sources.amazon import AMAZON
from kuajie.data.sources.base import Batch, FormatSpec, Request, Table
from kuajie.data.sources.csv import CSV
from kuajie.data.sources.douban import DOUBAN
from kuajie.data.sources.jsonl import JSONL
from kuajie.data.sources.movielens import MOVIELENS
from kuajie.data.sources.parquet import PARQUET
from kuajie.data.sources.rdf import RDF
from kuajie.data.sources.recbole import RECBOLE
from kuajie.data.sources.sql import SQL

__all__ = ["FORMATS", "Batch", "format_of", "name_of", "open_source"]

FORMATS: dict[Format, FormatSpec] = {
    "csv": CSV,
    "parquet": PARQUET,
    "jsonl": JSONL,
    "sql": SQL,
    "recbole": RECBOLE,
    "movielens": MOVIELENS,
    "amazon": AMAZON,
    "douban": DOUBAN,
    "rdf": RDF,
}
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".inter": "recbole",
    ".item": "recbole",
    ".user": "recbole",
    ".link": "recbole",
    ".kg": "recbole",
    ".dat": "movielens",
    ".ttl": "rdf",
    ".nt": "rdf",
}


def format_of(source: SourceConfig) -> Format:
    """The format as configured, or as the name says.

    Raises:
        ConfigError: the name says nothing.
    """
    if source.format is not None:
        return source.format
    if source.path is None:
        return "sql"
    suffix = Path(source.path.removesuffix(".gz")).suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(
            "{path}: the name does not say the format. Set format to one of {known}.",
            path=source.path,
            known=", ".join(FORMATS),
        )
    return SUFFIXES[suffix]


def name_of(source: SourceConfig) -> str:
    """What errors and accounts call a source; never its password."""
    if source.name is not None:
        return source.name
    if source.path is not None:
        return source.path
    return f"query '{' '.join((source.query or '').split())[:60]}'"


def open_source(source: SourceConfig, root: Path, table: Table) -> Iterator[Batch]:
    """Batches of a source in our column names, types as they are.

    Args:
        source: as configured.
        root: relative paths are relative to it.
        table: what kind of table it is.

    Raises:
        DataError: the source cannot be read, or a column is missing.
        ConfigError: the configuration of the source is wrong.
    """
    kind, name = format_of(source), name_of(source)
    if (kind == "sql") != (source.path is None):
        raise ConfigError("{source}: format 'sql' is read from a 'url', every other format from a 'path'.", source=name)
    path = root / source.path if source.path is not None else root
    spec = FORMATS[kind]
    return spec.read(Request(source, name, path, table, spec.defaults.get(table, {})))
