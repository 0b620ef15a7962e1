"""Triples of a split folder: `<domain>_kg.parquet`, or `kg.parquet` in a folder of one domain.

Columns head, relation, tail: whole numbers or names. The entity with an item's id is that item; all others are
entities, the same in every domain that names them alike; numbered ones are of their domain alone and called
"domain:number". `relations.parquet` (relation, name) names numbered relations.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.core.side import TripleGraph
from kuajie.core.space import ItemSpace
from kuajie.data.split_parquet import read_whole

TRIPLE = (c.HEAD, c.RELATION, c.TAIL)


def read_graph(folder: Path, space: ItemSpace, item_ids: Mapping[str, npt.NDArray[np.int64]]) -> TripleGraph | None:
    """The triples of all domains as one graph; None where the folder has none.

    Args:
        folder: a split folder.
        space: the joint item space.
        item_ids: of each domain, the ids behind its numbers.

    Raises:
        DataError: a file is damaged, or a column is missing or null.
    """
    found = [
        _numbered(path, space, domain, item_ids[domain])
        for domain in space.domains
        for path in _files(folder, domain, space)
    ]
    if not found:
        return None
    triples = pl.concat(found)
    names = pl.concat([triples[c.HEAD], triples[c.TAIL]])
    others = names.filter(names.struct.field("name").is_not_null()).struct.field("name").unique(maintain_order=True)
    numbers = pl.DataFrame({"name": others, "own": np.arange(len(others), dtype=np.int32) + space.n_items})

    def ends(column: str) -> npt.NDArray[np.int32]:
        end = triples.select(pl.col(column).struct.unnest()).join(numbers, on="name", how="left", maintain_order="left")
        return end.select(pl.coalesce("item", "own"))["item"].to_numpy()

    kinds = triples[c.RELATION].unique(maintain_order=True)
    number = triples[c.RELATION].replace_strict(kinds, np.arange(len(kinds)), return_dtype=pl.Int32)
    titles = _relation_names(folder, kinds.to_list())
    return TripleGraph(space.n_items, tuple(others), titles, ends(c.HEAD), number.to_numpy(), ends(c.TAIL))


def _files(folder: Path, domain: str, space: ItemSpace) -> list[Path]:
    paths = [folder / f"{domain}_kg.parquet", *([folder / "kg.parquet"] if len(space.domains) == 1 else [])]
    return [path for path in paths if path.is_file()]


def _numbered(path: Path, space: ItemSpace, domain: str, ids: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Head and tail as (item number or null, name or null), relation as text."""
    frame = read_whole(path)
    for name in TRIPLE:
        if name not in frame.columns:
            known = ", ".join(frame.columns)
            raise DataError(
                "{path}: the column '{column}' is missing, got {known}.", path=path, column=name, known=known
            )
        if frame[name].null_count():
            row = int(frame[name].is_null().arg_max() or 0) + 1
            raise DataError(
                "{path}, row {row}: '{name}' must not be null. Fill it in or drop the row.",
                path=path,
                row=row,
                name=name,
            )
    items = pl.DataFrame(
        {
            "name": pl.Series(ids).cast(pl.String),
            "item": (np.arange(len(ids)) + space.slice(domain).start).astype(np.int32),
        }
    )
    columns = []
    for name in (c.HEAD, c.TAIL):
        end = pl.DataFrame({"name": frame[name].cast(pl.String)})
        end = end.join(items, on="name", how="left", maintain_order="left")
        own = f"{domain}:" if frame[name].dtype.is_integer() else ""  # every domain counts from the same number
        named = end.with_columns(name=pl.when(pl.col("item").is_null()).then(pl.lit(own) + pl.col("name")))
        columns.append(named.select("item", "name").to_struct(name))
    return pl.DataFrame([columns[0], frame[c.RELATION].cast(pl.String), columns[1]])


def _relation_names(folder: Path, kinds: list[str]) -> tuple[str, ...]:
    path = folder / "relations.parquet"
    if not path.is_file():
        return tuple(kinds)
    table = read_whole(path)
    for name in (c.RELATION, "name"):
        if name not in table.columns:
            known = ", ".join(table.columns)
            raise DataError(
                "{path}: the column '{column}' is missing, got {known}.", path=path, column=name, known=known
            )
    names = dict(zip(table[c.RELATION].cast(pl.String), table["name"].cast(pl.String), strict=True))
    return tuple(names.get(kind) or kind for kind in kinds)
