"""Ready-made vectors of items, such as those of images and sounds: lists of finite numbers of one length."""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.texts import Text
from kuajie.data.checking import NO_VALUE, Checking

LISTS = pl.List(pl.Float32)
LARGEST = 1e18
"""Squares of larger numbers would not fit into 32 bits."""


def vector_names(columns: Sequence[str]) -> list[str]:
    """Those of the columns that hold vectors."""
    return [column for column in columns if column.startswith(c.VECTOR)]


def vector(check: Checking, column: str, sizes: dict[str, int]) -> pl.Series:
    """A column of vectors, null where none is given; rows that hold something else are bad.

    Args:
        check: gets the reasons against rows.
        column: its name.
        sizes: column -> length of its vectors; the first vector decides, for all domains, and is noted here.
    """
    read = [_numbers(value) for value in check.raw(column).to_list()]
    for row in read:
        if row:
            sizes.setdefault(column, len(row))
            break
    wrong = [row is not None and not row for row in read]
    size = sizes.get(column, 0)
    check.add_flags(pl.Series(wrong, dtype=pl.Boolean), Text("{column} is no list of finite numbers", column=column))
    other = [row is not None and len(row) not in {0, size} for row in read]
    check.add_flags(
        pl.Series(other, dtype=pl.Boolean), Text("{column} is not of length {size}", column=column, size=size)
    )
    return pl.Series(column, read, LISTS)


def _numbers(value: object) -> list[float] | None:
    """The numbers of one value; None where there is none, no number where it is something else."""
    if value is None or (isinstance(value, str) and value.strip() in NO_VALUE):
        return None
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return []
    if not isinstance(value, list):
        return []
    usable = all(
        isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= LARGEST for number in value
    )
    return [float(number) for number in value] if usable and all(map(math.isfinite, value)) else []


def vector_arrays(table: pl.DataFrame) -> Mapping[str, npt.NDArray[np.float32]]:
    """Name -> float32 (n_items, dimension), NaN where an item has none, of columns of lists of one length each."""
    arrays = {}
    for column in vector_names(table.columns):
        given = table[column].is_not_null().to_numpy()
        rows = table[column].drop_nulls()
        width = int(rows.list.len()[0]) if len(rows) else 0
        array = np.full((len(table), width), np.nan, np.float32)
        array[given] = rows.explode().to_numpy().reshape(-1, width) if len(rows) else 0
        arrays[column.removeprefix(c.VECTOR)] = array
    return arrays
