"""Parquet, in batches of rows; only the columns that are asked for are read."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.data.sources.base import Batch, FormatSpec, Request

BATCH_ROWS = 500_000


def read_parquet(request: Request) -> Iterator[Batch]:
    """Batches of a Parquet file.

    Raises:
        DataError: no such file, or one that is damaged or cut off.
    """
    path = request.path
    if not path.is_file():
        raise DataError(
            "{source}: there is no such file ({path}). Put it there, or correct 'path'.", source=request.name, path=path
        )
    try:
        with pq.ParquetFile(path) as file:
            chosen = request.choose(file.schema_arrow.names)
            total, first = max(1, file.metadata.num_rows), 1
            yield Batch(_frame(file.schema_arrow.empty_table(), chosen, first))
            for batch in file.iter_batches(BATCH_ROWS, columns=sorted(set(chosen.values()))):
                yield Batch(_frame(pa.table(batch), chosen, first), fraction=(first + batch.num_rows - 1) / total)
                first += batch.num_rows
    except (pa.ArrowException, OSError):
        raise DataError(
            "{source}: this is not a whole Parquet file (damaged or cut off). Write or copy it again.",
            source=request.name,
        ) from None


def _frame(table: pa.Table, chosen: dict[str, str], first: int) -> pl.DataFrame:
    renamed = pa.table([table[theirs] for theirs in chosen.values()], names=list(chosen))
    frame = pl.from_arrow(renamed)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes a frame
    return frame.with_columns(pl.Series(c.ROW, np.arange(first, first + len(frame), dtype=np.int64)))


PARQUET = FormatSpec(read_parquet)
