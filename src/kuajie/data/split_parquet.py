"""A whole Parquet file of a split folder, with an error that names it."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from kuajie.core.errors import DataError


def read_whole(path: Path) -> pl.DataFrame:
    """All columns.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return pl.DataFrame(pl.from_arrow(pq.read_table(path).replace_schema_metadata()))
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            "{path} cannot be read as Parquet ({reason}). Write the file anew.", path=path, reason=reason
        ) from None
