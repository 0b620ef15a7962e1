"""Reads a split folder: `<domain>_train.parquet`, `<domain>_test.parquet` and their companions, into arrays.

A folder of one domain leaves the prefix out (`train.parquet`, `test.parquet`); its domain is called "items".
Domains stand in alphabetical order. People are dense numbers over everybody in the folder, items are numbers of one
joint item space whose domains hold every item of any of that domain's files (the pool).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core.errors import DataError
from kuajie.core.histories import Order
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.data.rows import Rows
from kuajie.data.split_side import read_side

Ints = npt.NDArray[np.int64]
PARTS = ("train", "valid", "test", "valid_history", "test_history")
OPTIONAL = ("position", "timestamp", "label")
FORMAT = Text(
    "a split folder holds <domain>_train.parquet and <domain>_test.parquet for two or more domains, or train.parquet "
    "and test.parquet of one"
)
ALONE = "items"
"""The domain of a folder whose files name none."""


@dataclass(frozen=True, eq=False)
class FixedCandidates:
    """Negatives that the folder itself names: test row r has `items[indptr[r]:indptr[r + 1]]` (joint numbers)."""

    indptr: Ints
    items: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class SplitDomain:
    """One domain of a split folder.

    Attributes:
        name: its name.
        item_ids: int64 (pool,), ascending: the ids behind the numbers 0.. inside the domain.
        train, valid, test, valid_history, test_history: rows of the file, none where there is no such file.
        candidates: from `<domain>_candidates.parquet`, if there.
        shown, refused: training and test rows with label 0: what a person was asked about and did not use. They are
            never trained on.
    """

    name: str
    item_ids: Ints
    train: Rows
    valid: Rows
    test: Rows
    valid_history: Rows
    test_history: Rows
    candidates: FixedCandidates | None = None
    shown: Rows = field(default_factory=Rows.none)
    refused: Rows = field(default_factory=Rows.none)


@dataclass(frozen=True, eq=False)
class SplitFolder:
    """A split folder as arrays.

    Attributes:
        name: of the folder.
        space: the joint item space.
        people: int64 (n_people,), ascending: the ids behind the row numbers of people.
        domains: in alphabetical order.
        order: what positions mean.
        order_reason: one sentence to print.
        notes: sentences about what was found while reading.
        side: what the folder says of the items, where it does.
    """

    name: str
    space: ItemSpace
    people: Ints
    domains: tuple[SplitDomain, ...]
    order: Order
    order_reason: Text
    notes: tuple[Text, ...] = ()
    side: SideInformation | None = None

    @property
    def n_people(self) -> int:
        """Everybody in any file."""
        return len(self.people)

    def rows(self, *parts: str) -> Rows:
        """The rows of some parts ("train", "valid", ...) of all domains together."""
        return Rows.joined(getattr(domain, part) for domain in self.domains for part in parts)


def open_split_folder(path: Path | str) -> SplitFolder:
    """Read a split folder.

    Raises:
        DataError: the folder, a file or a column is missing, damaged or not of the format.
    """
    folder = Path(path)
    names = domain_names(folder)
    notes: list[Text] = []
    frames, zeros = {}, {}
    for name in names:
        for part in PARTS:
            frames[name, part], zeros[name, part] = read_part(folder, name, part, notes)
        if frames[name, "train"].is_empty():
            raise DataError("{path} has no rows. A domain needs training rows.", path=file_of(folder, name, "train"))
    fixed = {name: read_candidates(folder, name, frames[name, "test"].height) for name in names}
    frames, use_positions = settle_order_columns(frames, notes)
    order, reason = find_order(folder, frames, use_positions)

    people = distinct(frame["user"] for frame in (*frames.values(), *zeros.values()))
    ids = {}
    for name in names:
        own = [each[name, part]["item"] for part in PARTS for each in (frames, zeros)]
        ids[name] = distinct([*own, fixed[name]["item"]] if fixed[name] is not None else own)  # type: ignore[index]
    space = ItemSpace(tuple(names), tuple(len(ids[name]) for name in names))
    has_times = any(frame["timestamp"].null_count() < frame.height for frame in frames.values())

    def rows(name: str, part: str) -> Rows:
        frame = frames[name, part]
        return Rows(
            people=np.searchsorted(people, frame["user"].to_numpy()),
            items=number(frame["item"], ids[name], space.slice(name).start),
            positions=frame["position"].to_numpy().astype(np.float64) if order != "none" else None,
            times=frame["timestamp"].fill_null(float("nan")).to_numpy() if has_times else None,
        )

    def negatives(name: str, *parts: str) -> Rows:
        frame = pl.concat([zeros[name, part] for part in parts])
        return Rows(
            np.searchsorted(people, frame["user"].to_numpy()), number(frame["item"], ids[name], space.slice(name).start)
        )

    domains = tuple(
        SplitDomain(
            name,
            ids[name],
            **{part: rows(name, part) for part in PARTS},
            shown=negatives(name, "train", "valid"),
            refused=negatives(name, "test"),
            candidates=candidate_rows(fixed[name], frames[name, "test"].height, ids[name], space.slice(name).start),
        )
        for name in names
    )
    if not any(len(domain.test) for domain in domains):
        raise DataError("{folder} has no test rows in any domain, so there is nothing to measure.", folder=folder)
    side = read_side(folder, space, ids)
    return SplitFolder(folder.resolve().name, space, people, domains, order, reason, tuple(notes), side)


def domain_names(folder: Path) -> list[str]:
    """The domains of a folder, alphabetical.

    Raises:
        DataError: not a split folder.
    """
    if not folder.is_dir():
        raise DataError("there is no folder {folder}. Name a folder with prepared splits.", folder=folder)
    names = sorted(file.name.removesuffix("_train.parquet") for file in folder.glob("?*_train.parquet"))
    if not names and (folder / "train.parquet").is_file() and (folder / "test.parquet").is_file():
        return [ALONE]
    if len(names) < 2:
        got = Text("only the domain '{domain}'", domain=names[0]) if names else Text("no <domain>_train.parquet")
        raise DataError(
            "{folder} is not a split folder: {format}, got {got}. Name its files so, or another folder.",
            folder=folder,
            format=FORMAT,
            got=got,
        )
    for name in names:
        if not (folder / f"{name}_test.parquet").is_file():
            raise DataError(
                "{folder} is not a split folder: {format}, got no {name}_test.parquet.",
                folder=folder,
                format=FORMAT,
                name=name,
            )
    return names


def file_of(folder: Path, domain: str, part: str) -> Path:
    """The file of a part, whether it names its domain or not."""
    named = folder / f"{domain}_{part}.parquet"
    return folder / f"{part}.parquet" if domain == ALONE and not named.is_file() else named


def read_part(folder: Path, domain: str, part: str, notes: list[Text]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """user, item int64; position, timestamp float64 or null: one file, or no rows where there is none.

    Returns:
        the rows; and user, item of those whose label is 0.
    """
    path = file_of(folder, domain, part)
    nothing = pl.DataFrame(schema={"user": pl.Int64, "item": pl.Int64})
    if not path.is_file():
        columns = {"user": pl.Int64, "item": pl.Int64, "position": pl.Float64, "timestamp": pl.Float64}
        return pl.DataFrame(schema=columns), nothing
    frame = read_parquet(path)
    negatives = frame.clear()
    if "label" in frame.columns and frame["label"].dtype.is_numeric():
        positives = frame.filter(pl.col("label").fill_null(1) != 0)
        if positives.height < frame.height:
            left_out = frame.height - positives.height
            notes.append(
                Text("{file}: {count} rows with label 0 are negatives, left out.", file=path.name, count=left_out)
            )
            negatives = frame.filter(pl.col("label") == 0)
        frame = positives
    ids = [integers(frame, name, path) for name in ("user", "item")]
    rows = pl.DataFrame([*ids, *(reals(frame, name, path) for name in ("position", "timestamp"))])
    return rows, pl.DataFrame([integers(negatives, name, path) for name in ("user", "item")])


def read_candidates(folder: Path, domain: str, n_test: int) -> pl.DataFrame | None:
    """row, item int64, sorted by row; None where there is no such file.

    Raises:
        DataError: a row number outside the test file.
    """
    path = file_of(folder, domain, "candidates")
    if not path.is_file():
        return None
    frame = read_parquet(path, ("row", "item"))
    frame = pl.DataFrame([integers(frame, name, path) for name in ("row", "item")]).sort("row", maintain_order=True)
    if frame.height and not (frame["row"][0] >= 0 and frame["row"][-1] < n_test):
        got = frame["row"][0] if frame["row"][0] < 0 else frame["row"][-1]
        raise DataError(
            "{path}: 'row' must lie in 0..{last}, the rows of {domain}_test.parquet, got {got}.",
            path=path,
            last=n_test - 1,
            domain=domain,
            got=got,
        )
    return frame


def read_parquet(path: Path, required: tuple[str, ...] = ("user", "item")) -> pl.DataFrame:
    """The columns that count, with those of OPTIONAL that are there.

    Raises:
        DataError: it cannot be read, or a column is missing.
    """
    import pyarrow as pa  # slow to load, and the service imports this module without reading any file
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            missing = [name for name in required if name not in names]
            table = None if missing else file.read([name for name in (*required, *OPTIONAL) if name in names])
        frame = None if table is None else pl.DataFrame(pl.from_arrow(table.replace_schema_metadata()))
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            "{path} cannot be read as Parquet ({reason}). Write the file anew.", path=path, reason=reason
        ) from None
    if frame is None:
        raise DataError(
            "{path}: the column '{column}' is missing, got {known}.",
            path=path,
            column=missing[0],
            known=", ".join(names),
        )
    return frame


def integers(frame: pl.DataFrame, name: str, path: Path) -> pl.Series:
    """A column of whole numbers without nulls, int64.

    Raises:
        DataError: of another type, or with nulls.
    """
    column = frame[name]
    if column.dtype == pl.Null:
        column = column.cast(pl.Int64)
    if not column.dtype.is_integer():
        raise DataError("{path}: '{name}' must be whole numbers, got {type}.", path=path, name=name, type=column.dtype)
    if column.null_count():
        row = int(column.is_null().arg_max() or 0) + 1
        raise DataError(
            "{path}, row {row}: '{name}' must not be null. Fill it in or drop the row.", path=path, row=row, name=name
        )
    try:
        return column.cast(pl.Int64)
    except pl.exceptions.InvalidOperationError:
        raise DataError(
            "{path}: '{name}' must be below 2^63, got {got!r}.", path=path, name=name, got=column.max()
        ) from None


def reals(frame: pl.DataFrame, name: str, path: Path) -> pl.Series:
    """An optional column of numbers as float64, null where unknown; dates become unix seconds.

    Raises:
        DataError: of another type, or not finite.
    """
    if name not in frame.columns or frame[name].dtype == pl.Null:
        return pl.Series(name, [None] * frame.height, dtype=pl.Float64)
    column = frame[name]
    if column.dtype.is_temporal() and column.dtype in (pl.Datetime, pl.Date):
        column = column.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    if not column.dtype.is_numeric():
        raise DataError("{path}: '{name}' must be numbers, got {type}.", path=path, name=name, type=column.dtype)
    column = column.cast(pl.Float64)
    bad = ~column.is_finite()
    if bad.any():
        row = int(bad.fill_null(value=False).arg_max() or 0)
        raise DataError(
            "{path}, row {row}: '{name}' must be finite or null, got {got}.",
            path=path,
            row=row + 1,
            name=name,
            got=column[row],
        )
    return column


Frames = dict[tuple[str, str], pl.DataFrame]


def settle_order_columns(frames: Frames, notes: list[Text]) -> tuple[Frames, bool]:
    """Let `position` hold what orders the rows: itself, else the timestamp, else null; whether it was itself.

    A column orders only where every row has it.
    """
    filled = [frame for frame in frames.values() if frame.height]
    for name in ("position", "timestamp"):
        missing = sum(frame[name].null_count() for frame in filled)
        rows = sum(frame.height for frame in filled)
        if missing == 0:
            return {key: frame.with_columns(position=name) for key, frame in frames.items()}, name == "position"
        if missing < rows:
            notes.append(
                Text(
                    "'{name}' is null in {missing} of {rows} rows, so it gives no order.",
                    name=name,
                    missing=missing,
                    rows=rows,
                )
            )
    nothing = pl.lit(None, dtype=pl.Float64)
    return {key: frame.with_columns(position=nothing) for key, frame in frames.items()}, False


def find_order(folder: Path, frames: Frames, use_positions: bool) -> tuple[Order, Text]:
    """What `position` means, and why.

    Raises:
        DataError: `meta.json` demands something that the rows cannot give.
    """
    known = all(frame["position"].null_count() == 0 for frame in frames.values())
    wanted = order_in_meta(folder)
    if wanted is not None:
        if wanted != "none" and not known:
            raise DataError(
                "{path}: order '{wanted}' needs a 'position' or 'timestamp' in every row.",
                path=folder / "meta.json",
                wanted=wanted,
            )
        return wanted, Text("Order: {order}, as meta.json says.", order=wanted)
    if not known:
        return "none", Text("Order: none, for not every row has a position or a timestamp.")
    if not use_positions:
        return "joint", Text("Order: joint, by timestamp.")
    places = pl.concat(
        frame.select("user", "position", domain=pl.lit(name)) for (name, _), frame in frames.items() if frame.height
    )
    shared = places.group_by("user", "position").agg(pl.col("domain").n_unique()).filter(pl.col("domain") > 1).height
    if shared:
        return "domain", Text("Order: domain, for {shared} positions of a person occur in two domains.", shared=shared)
    return "joint", Text("Order: joint, for no person has one position in two domains.")


def order_in_meta(folder: Path) -> Order | None:
    """The `order` that `meta.json` names, if any.

    Raises:
        DataError: not JSON, or another word.
    """
    path = folder / "meta.json"
    if not path.is_file():
        return None
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError("{path} is not JSON ({error}). Correct or remove it.", path=path, error=error) from None
    order = meta.get("order") if isinstance(meta, dict) else None
    if order is not None and order not in get_args(Order):
        raise DataError(
            "{path}: 'order' must be one of {known}, got {order!r}.",
            path=path,
            known=", ".join(get_args(Order)),
            order=order,
        )
    return order


def distinct(columns: Iterable[pl.Series]) -> Ints:
    """All ids of some columns, ascending."""
    return np.unique(np.concatenate([column.to_numpy() for column in columns]))


def number(ids: pl.Series, known: Ints, start: int) -> npt.NDArray[np.int32]:
    """Joint item numbers of ids."""
    return (np.searchsorted(known, ids.to_numpy()) + start).astype(np.int32)


def candidate_rows(frame: pl.DataFrame | None, n_test: int, ids: Ints, start: int) -> FixedCandidates | None:
    """The folder's own negatives as a ragged array."""
    if frame is None:
        return None
    indptr = np.searchsorted(frame["row"].to_numpy(), np.arange(n_test + 1)).astype(np.int64)
    return FixedCandidates(indptr, number(frame["item"], ids, start))


def without_test(folder: SplitFolder) -> SplitFolder:
    """The same folder with its test rows and test histories taken away: all that a choice may look at."""
    none = Rows.none()
    blind = tuple(
        replace(domain, test=none, test_history=none, candidates=None, refused=none) for domain in folder.domains
    )
    return replace(folder, domains=blind)
