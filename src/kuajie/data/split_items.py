"""What a split folder says about its items: `<domain>_items.parquet`, or `items.parquet` with a column of domains."""

from pathlib import Path

import numpy as np
import polars as pl

from kuajie.core.errors import DataError
from kuajie.data.split_folder import SplitFolder


def read_items(path: Path | str, folder: SplitFolder) -> pl.DataFrame:
    """One row for each item of the joint space, in its order, with every column that some domain has.

    Args:
        path: of the folder.
        folder: as read.

    Returns:
        Column `item` with the folder's ids, then whatever the files hold; null where they say nothing. Only `item`
        where there is no such file.

    Raises:
        DataError: a file is damaged, or has no column `item`.
    """
    root = Path(path)
    parts = [_items_of(root, domain.name, domain.item_ids) for domain in folder.domains]
    return pl.concat(parts, how="diagonal_relaxed")


def _items_of(root: Path, domain: str, ids: np.ndarray) -> pl.DataFrame:
    own, shared = root / f"{domain}_items.parquet", root / "items.parquet"
    known = pl.DataFrame({"item": ids})
    file = own if own.is_file() else shared
    if not file.is_file():
        return known
    try:
        frame = pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError("{path} cannot be read: {reason}", path=file, reason=error) from None
    if "item" not in frame.columns:
        raise DataError("{path} has no column 'item'.", path=file)
    if "domain" in frame.columns:
        frame = frame.filter(pl.col("domain") == domain).drop("domain")
    frame = frame.with_columns(pl.col("item").cast(pl.Int64)).unique("item", keep="first", maintain_order=True)
    return known.join(frame, on="item", how="left", maintain_order="left")
