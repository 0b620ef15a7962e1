"""Append frames to a file of some format, a part at a time."""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from kuajie.core.errors import ResourceError
from kuajie.worlds.layouts import FileFormat


class Sink(Protocol):
    """An open file that takes frames of one schema."""

    def write(self, frame: pl.DataFrame) -> None:
        """Append."""

    def close(self) -> None:
        """Finish the file."""


class TextSink:
    """CSV, TSV or JSON lines."""

    def __init__(self, path: Path, delimiter: str | None, encoding: str = "utf-8") -> None:
        self._file: IO[bytes] = path.open("wb")
        self._delimiter, self._encoding, self._header = delimiter, encoding, True

    def write(self, frame: pl.DataFrame) -> None:
        """Append; the first part of a CSV file has the header."""
        if self._delimiter is None:
            text = frame.write_ndjson()
        else:
            text = frame.write_csv(separator=self._delimiter, include_header=self._header)
        self._header = False
        self._file.write(text.encode(self._encoding))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class ParquetSink:
    """One row group for each frame."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Append."""
        table: pa.Table = frame.to_arrow()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        """Write the footer."""
        if self._writer is not None:
            self._writer.close()


class SqliteSink:
    """A table of an SQLite file."""

    def __init__(self, path: Path, table: str) -> None:
        self._path, self._table = path, table
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("pragma journal_mode = off")
        self._connection.execute("pragma synchronous = off")
        self._connection.execute("begin")
        self._made = False

    def write(self, frame: pl.DataFrame) -> None:
        """Append.

        Raises:
            ResourceError: the database refuses, for want of room for instance.
        """
        names = ", ".join(f'"{name}"' for name in frame.columns)
        marks = ", ".join("?" * frame.width)
        try:
            if not self._made:
                self._connection.execute(f'create table "{self._table}" ({names})')
                self._made = True
            self._connection.executemany(f'insert into "{self._table}" values ({marks})', frame.iter_rows())  # noqa: S608
        except sqlite3.Error as error:
            raise ResourceError(
                "{path} could not be written: {error}. Make room and run again.", path=self._path, error=error
            ) from error

    def close(self) -> None:
        """Commit."""
        self._connection.execute("commit")
        self._connection.close()


class Writing:
    """A sink as a context manager: closed whatever happens."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def __enter__(self) -> Sink:
        return self._sink

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sink.close()

    @classmethod
    def to(cls, path: Path, form: FileFormat, table: str = "", delimiter: str = ",", encoding: str = "utf-8") -> Self:
        """Open a file of a format; `table` names the table of an SQLite file."""
        if form == "parquet":
            return cls(ParquetSink(path))
        if form == "sqlite":
            return cls(SqliteSink(path, table))
        return cls(TextSink(path, None if form == "jsonl" else delimiter, encoding))
