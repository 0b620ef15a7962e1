"""Side information of a split folder: `items.parquet` with a `domain`, `<domain>_items.parquet`, both optional.

Triples beside them are read by `split_graph`.

Known columns: title, title_en, description, category, brand (texts; the last two are labels too), lists of names or
whole numbers (labels), lists of real numbers of one length (vectors), and real numbers such as price.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.data.split_graph import read_graph
from kuajie.data.split_parquet import read_whole

TEXTS = (c.TITLE, c.TITLE_EN, "description", c.CATEGORY, c.BRAND)
LABELS = (c.CATEGORY, c.BRAND)
KEYS = (c.ITEM, c.DOMAIN)


def read_side(folder: Path, space: ItemSpace, item_ids: Mapping[str, npt.NDArray[np.int64]]) -> SideInformation | None:
    """What the folder says of the items of its pools; None where it says nothing.

    Args and errors: see `read_items`.
    """
    graph, table = read_graph(folder, space, item_ids), read_items(folder, space, item_ids)
    if len(table.columns) == len(KEYS):
        return None if graph is None else SideInformation(space.n_items, graph=graph)
    return replace(side_of_table(table), graph=graph)


def read_items(folder: Path, space: ItemSpace, item_ids: Mapping[str, npt.NDArray[np.int64]]) -> pl.DataFrame:
    """One row for each item of the joint space, in its order, with every column that some file has.

    Args:
        folder: a split folder.
        space: the joint item space.
        item_ids: of each domain, the ids behind its numbers.

    Returns:
        Columns `domain` and `item`, then what the files hold, null where they say nothing; where both files name an
        item, what the first leaves out is the second's.

    Raises:
        DataError: a file is damaged, has no column `item`, or vectors of different lengths.
    """
    known = pl.concat(
        pl.DataFrame({c.DOMAIN: domain, c.ITEM: item_ids[domain]}).with_columns(pl.col(c.ITEM).cast(pl.Int64))
        for domain in space.domains
    )
    frames = [frame for domain in space.domains for frame in _frames(folder, domain)]
    if not frames:
        return known
    said = pl.concat(frames, how="diagonal_relaxed").group_by(KEYS).agg(pl.all().drop_nulls().first())
    return known.join(said, on=[c.DOMAIN, c.ITEM], how="left", maintain_order="left")


def side_of_table(table: pl.DataFrame) -> SideInformation:
    """Side information from one row for each item, by the types of the columns."""
    texts: dict[str, list[str]] = {}
    labels: dict[str, Labels] = {}
    numbers: dict[str, npt.NDArray[np.float64]] = {}
    vectors: dict[str, npt.NDArray[np.float32]] = {}
    for name, kind in table.schema.items():
        column = table[name]
        if name in KEYS or column.null_count() == len(column):
            continue
        if kind == pl.String and name in TEXTS:
            texts[name] = column.fill_null("").to_list()
        if kind == pl.String and name in LABELS:
            labels[name] = Labels.of(column.to_list())
        elif _is_vector(kind):
            vectors[name] = _vectors(column)
        elif isinstance(kind, pl.List):
            labels[name] = Labels.of(column.to_list())
        elif kind.is_float() or (name == c.PRICE and kind.is_numeric()):
            numbers[name] = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return SideInformation(len(table), texts, labels, numbers, vectors)


def _frames(folder: Path, domain: str) -> Iterable[pl.DataFrame]:
    for path in (folder / "items.parquet", folder / f"{domain}_items.parquet"):
        if not path.is_file():
            continue
        frame = _checked(read_whole(path), path)
        if c.ITEM not in frame.columns or not frame[c.ITEM].dtype.is_integer():
            raise DataError("{path}: needs a column '{column}' of whole numbers.", path=path, column=c.ITEM)
        if c.DOMAIN in frame.columns:
            frame = frame.filter(pl.col(c.DOMAIN) == domain)
        yield frame.with_columns(pl.lit(domain).alias(c.DOMAIN), pl.col(c.ITEM).cast(pl.Int64))


def _is_vector(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.List | pl.Array) and kind.inner is not None and bool(kind.inner.is_float())


def _checked(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The frame, if the vectors of each column have one length and hold finite numbers alone."""
    for name in (name for name, kind in frame.schema.items() if _is_vector(kind)):
        rows = frame[name].cast(pl.List(pl.Float64)).to_frame().with_row_index("row", offset=1).drop_nulls()
        size = rows[name].list.len().mode().max()
        whole = pl.col(name).list.eval(pl.element().is_finite().fill_null(value=False)).list.all()
        bad = rows.filter((pl.col(name).list.len() != size) | ~whole)
        if len(bad):
            raise DataError(
                "{path}, row {row}: '{name}' must be {size} finite numbers, as in most rows. Correct it, or leave it "
                "null where the vector is not known.",
                path=path,
                row=bad["row"][0],
                name=name,
                size=size,
            )
    return frame


def _vectors(column: pl.Series) -> npt.NDArray[np.float32]:
    rows = column.to_list()
    sizes = {len(row) for row in rows if row is not None}
    if len(sizes) > 1:
        raise DataError(
            "the vectors '{name}' have {sizes} numbers in different domains. Give all vectors of one name one length.",
            name=column.name,
            sizes=", ".join(map(str, sorted(sizes))),
        )
    found = np.full((len(rows), sizes.pop()), np.nan, np.float32)
    for place, row in enumerate(rows):
        if row is not None:
            found[place] = row
    return found
