"""Small split folders on disk."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

Table = Mapping[str, Sequence[Any]]


def write_split_folder(folder: Path, tables: Mapping[str, Table], meta: Mapping[str, Any] | None = None) -> Path:
    """Write `<name>.parquet` for every table (column -> values), and `meta.json` where given.

    write_split_folder(path, {"a_train": {"user": [0, 1], "item": [5, 6]}, ...})
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in tables.items():
        pl.DataFrame({column: list(values) for column, values in columns.items()}, strict=False).write_parquet(
            folder / f"{name}.parquet"
        )
    if meta is not None:
        (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return folder


def rows(*values: tuple[Any, ...], columns: str = "user item position timestamp") -> Table:
    """A table from rows; as many of the columns as the first row has values."""
    names = columns.split()[: len(values[0])] if values else ["user", "item"]
    if not values:
        return {name: pl.Series([], dtype=pl.Int32).to_list() for name in names}
    return dict(zip(names, (list(column) for column in zip(*values, strict=True)), strict=True))
