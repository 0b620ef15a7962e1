"""Douban-style tab files: user, item, rating, time; with or without a header, fields perhaps in quotes.

A rating of -1 (and of 0) means that the person collected the item without rating it, as in the Douban releases used
by Song et al., "Session-based Social Recommendation via Dynamic Graph Attention Networks", WSDM 2019.
"""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from kuajie.core import columns as c
from kuajie.data.sources.base import Batch, FormatSpec, Request
from kuajie.data.sources.delimited import read_delimited
from kuajie.data.sources.lines import read_lines

ORDER = {"events": (c.USER, c.ITEM, c.VALUE, c.OCCURRED_AT), "items": (c.ITEM, c.TITLE), "users": (c.USER,)}
ALIASES = {
    c.USER: ("userid", "user_id", "user"),
    c.ITEM: ("itemid", "item_id", "item", "movie_id", "book_id", "music_id"),
    c.VALUE: ("rating", "value"),
    c.OCCURRED_AT: ("timestamp", "time", "occurred_at"),
    c.TITLE: ("title", "name"),
}


def read_douban(request: Request) -> Iterator[Batch]:
    """Batches of a tab file; a first line without any digit is a header."""
    first = next(read_lines(request.path, request.name, request.source.encoding, 2**16)).text[0] or ""
    fields = [field.strip('"') for field in first.removesuffix("\r").split("\t")]
    has_header = not any(character.isdigit() for character in first)
    names = None if has_header else [*ORDER.get(request.table, ()), *map(str, range(len(fields)))][: len(fields)]
    found = dict(request.defaults)
    for name, aliases in ALIASES.items():
        match = next((field for field in fields if has_header and field.lower() in aliases), None)
        if match is not None:
            found[name] = match
    for batch in read_delimited(replace(request, defaults=found), "\t", names, quotes=True):
        yield replace(batch, frame=_collected(batch.frame)) if request.table == "events" else batch


def _collected(frame: pl.DataFrame) -> pl.DataFrame:
    if c.VALUE not in frame.columns or c.KIND in frame.columns:
        return frame
    unrated = pl.col(c.VALUE).str.strip_chars().is_in(["-1", "0", "-1.0", "0.0", ""])
    return frame.with_columns(
        pl.when(unrated).then(pl.lit("collect")).otherwise(pl.lit("rate")).alias(c.KIND),
        pl.when(~unrated).then(pl.col(c.VALUE)).alias(c.VALUE),
    )


DOUBAN = FormatSpec(read_douban, kind="rate")
