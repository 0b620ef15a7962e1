"""What every reader of a source gives: batches of rows in our column names, with the number of each row.

A reader renames columns and leaves types alone; `data.unify` makes ids, times and numbers of them. Text files yield
text columns. `row` is the line of a text file and the row of a table (1-based): what a person needs to find it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import ConfigError, DataError
from kuajie.core.records import Kind
from kuajie.core.texts import Text
from kuajie.data.config import SourceConfig

Table = Literal["events", "items", "users", "links", "kg", "entities", "places"]

REQUIRED: dict[Table, tuple[str, ...]] = {
    "events": (c.USER, c.ITEM),
    "items": (c.ITEM,),
    "users": (c.USER,),
    "links": (c.USER_A, c.USER_B),
    "kg": (c.HEAD, c.RELATION, c.TAIL),
    "entities": (c.ITEM, "entity"),
    "places": (c.USER, "place"),
}
OPTIONAL: dict[Table, tuple[str, ...]] = {
    "events": (c.KIND, c.OCCURRED_AT, c.VALUE, c.EVENT_ID, c.EXPOSURE_ID),
    "items": (c.TITLE, c.TITLE_EN, c.CATEGORY, c.BRAND, c.PRICE, c.ATTRIBUTES),
    "users": ("key", c.ATTRIBUTES),
    "links": (c.DOMAIN_A, c.DOMAIN_B, c.CONFIDENCE, c.EVIDENCE, c.EXPIRES_AT),
    "kg": (),
    "entities": (),
    "places": (),
}

CONTENT = "content"
REJECTED = {c.ROW: pl.Int64(), c.REASON: pl.String(), CONTENT: pl.String()}


def no_rejects() -> pl.DataFrame:
    """No bad rows: row, reason, content."""
    return pl.DataFrame(schema=REJECTED)


def rejects(rows: Sequence[int], reason: str, contents: Sequence[str]) -> pl.DataFrame:
    """Bad rows that share a reason."""
    reasons = [reason] * len(rows)
    return pl.DataFrame({c.ROW: rows, c.REASON: reasons, CONTENT: contents}, schema=REJECTED)


@dataclass(frozen=True)
class Batch:
    """Some rows of a source.

    Attributes:
        frame: our names (only those that the source has) and `row`.
        rejected: rows that could not even be split into columns: row, reason, content.
        fraction: how much of the source has been read, 0..1; 0 where it cannot be known.
    """

    frame: pl.DataFrame
    rejected: pl.DataFrame = field(default_factory=no_rejects)
    fraction: float = 0.0


@dataclass(frozen=True)
class Request:
    """What to read.

    Attributes:
        source: as configured.
        name: what errors and accounts call it.
        path: the file, or for a database the folder that relative files are relative to.
        table: what kind of table it is.
        defaults: our name -> the format's own name for it.
    """

    source: SourceConfig
    name: str
    path: Path
    table: Table
    defaults: Mapping[str, str]

    def choose(self, available: Sequence[str], optional: bool = False) -> dict[str, str]:
        """Our name -> the source's, of the columns to read.

        Args:
            available: the names that the source has.
            optional: rows may lack columns (JSON lines), so none is missed here.

        Raises:
            DataError: a column is missing or occurs twice.
            ConfigError: `columns` names something that this table does not have.
        """
        vectors = {c.VECTOR + name: theirs for name, theirs in self.source.vectors.items()}
        wanted = self.source.columns | vectors
        if vectors and self.table != "items":
            raise ConfigError(
                "{source}: only items have vectors. Remove 'vectors' from the source of {table}.",
                source=self.name,
                table=self.table,
            )
        known = REQUIRED[self.table] + OPTIONAL[self.table]
        unknown = [name for name in wanted if name not in known]
        if unknown and self.table not in {"items", "users"}:
            raise ConfigError(
                "{source}: columns names '{key}', but {table} have only {known}. Correct the key on the left of '='.",
                source=self.name,
                key=unknown[0],
                table=self.table,
                known=", ".join(known),
            )
        twice = [name for name, count in Counter(available).items() if count > 1]
        if twice:
            raise DataError(
                "{source}: the column '{column}' occurs twice. Rename one of them.", source=self.name, column=twice[0]
            )
        chosen = dict(wanted)
        for name in known:
            if name not in chosen:
                found = next((each for each in (self.defaults.get(name, name), name) if each in available), None)
                if found is not None:
                    chosen[name] = found
        if not optional:
            self._miss_none(chosen, available)
        return chosen

    def _miss_none(self, chosen: dict[str, str], available: Sequence[str]) -> None:
        for name in (*chosen, *REQUIRED[self.table]):
            theirs = chosen.get(name, self.defaults.get(name, name))
            if name in chosen and theirs in available:
                continue
            close = get_close_matches(theirs, available, 1, 0.5)
            hint = Text(" Name the right one in columns.")
            if close:
                hint = Text(' Perhaps columns = {{ {column} = "{close}" }}.', column=name, close=close[0])
            listed = ", ".join(list(available)[:30]) or Text("none")
            raise DataError(
                "{source}: there is no column '{theirs}' for '{column}'; the columns are: {listed}.{hint}",
                source=self.name,
                theirs=theirs,
                column=name,
                listed=listed,
                hint=hint,
            )


Read = Callable[[Request], Iterator[Batch]]


@dataclass(frozen=True)
class FormatSpec:
    """How one format is read.

    Attributes:
        read: yields batches; at least one, so that columns are checked even where there is no row.
        defaults: for each table, our name -> the format's.
        kind: of events where the configuration does not say it.
    """

    read: Read
    defaults: Mapping[Table, Mapping[str, str]] = field(default_factory=dict)
    kind: Kind = "view"
