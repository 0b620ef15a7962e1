"""The events of a snapshot once more, as plain columns that processes map into memory instead of copying.

    events.parquet  ->  events.row.npy, events.item.npy, ...     one number for each event, in the same order

Whoever maps them shares them with every other process of the machine, and reads nothing before it is used.
"""

from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import ArtifactError
from kuajie.data.kinds import KINDS
from kuajie.data.strength import Events

ACCOUNT = "account"
SOURCES = [c.PERSON, ACCOUNT, c.ITEM, c.KIND, c.OCCURRED_AT, c.VALUE]
"""Columns of the Parquet file that these are made of."""
DTYPES = {"row": "<i4", "account": "<i4", "item": "<i4", "kind": "|u1", "time": "<f8", "value": "<f4"}
FILES = {name: f"events.{name}.npy" for name in DTYPES}
Columns = dict[str, npt.NDArray[np.generic]]


def columns_of(rows: pl.DataFrame) -> Columns:
    """The columns of some rows of the Parquet file; NaN where a time or a value is not known."""
    return {
        "row": rows[c.PERSON].to_numpy(),
        "account": rows[ACCOUNT].to_numpy(),
        "item": rows[c.ITEM].to_numpy(),
        "kind": rows[c.KIND].cast(pl.Enum(KINDS)).to_physical().to_numpy(),
        "time": _seconds(rows[c.OCCURRED_AT]),
        "value": rows[c.VALUE].cast(pl.Float32).fill_null(float("nan")).to_numpy(),
    }


def write_columns(events: Path, count: int) -> None:
    """Write the columns beside the Parquet file, one of its row groups at a time.

    Args:
        events: the Parquet file.
        count: its rows.
    """
    import pyarrow.parquet as pq  # what only reads the columns need not load it

    with ExitStack() as opened:
        parquet = opened.enter_context(pq.ParquetFile(events))
        made = {name: opened.enter_context((events.parent / file).open("wb")) for name, file in FILES.items()}
        for name, file in made.items():
            header = {"descr": DTYPES[name], "fortran_order": False, "shape": (count,)}
            np.lib.format.write_array_header_1_0(file, header)
        for group in range(parquet.num_row_groups):
            rows = pl.DataFrame(parquet.read_row_group(group, columns=SOURCES))
            for name, column in columns_of(rows).items():
                made[name].write(column.astype(DTYPES[name]).tobytes())


def read_columns(folder: Path, files: Collection[str], count: int) -> tuple[Events, npt.NDArray[np.int32]]:
    """The events of a snapshot, and the account of each.

    Args:
        folder: of the snapshot.
        files: that its manifest names; without the columns, as an earlier kuajie wrote it, the Parquet file is read.
        count: of its events.

    Raises:
        ArtifactError: the columns are not of the length or type that they should be.
    """
    if set(FILES.values()) <= set(files):
        columns = {name: _mapped(folder / file, DTYPES[name], count) for name, file in FILES.items()}
    else:
        columns = columns_of(pl.read_parquet(folder / "events.parquet", columns=SOURCES))
    account = columns.pop("account")
    return Events(**columns), account  # type: ignore[arg-type, return-value]


def _mapped(path: Path, dtype: str, count: int) -> npt.NDArray[np.generic]:
    try:
        column = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError as error:
        raise ArtifactError("{path} is damaged: {error}. Run the import again.", path=path, error=error) from None
    if column.dtype != np.dtype(dtype) or column.shape != (count,):
        raise ArtifactError(
            "{path} is damaged: it holds {got} instead of {expected}. Run the import again.",
            path=path,
            got=f"{column.dtype} {column.shape}",
            expected=f"{np.dtype(dtype)} {(count,)}",
        )
    return column


def _seconds(times: pl.Series) -> npt.NDArray[np.float64]:
    return (times.dt.timestamp("us").cast(pl.Float64) / 1e6).fill_null(float("nan")).to_numpy()
