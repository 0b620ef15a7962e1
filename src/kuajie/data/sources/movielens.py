"""MovieLens: `ratings.dat` and `movies.dat` (`::`), `ratings.csv` and `movies.csv`, `u.data` and `u.item`.

Reference: https://files.grouplens.org/datasets/movielens/ (the README of each release)
"""

from collections.abc import Iterator
from dataclasses import replace

from kuajie.core import columns as c
from kuajie.data.sources.base import Batch, FormatSpec, Request
from kuajie.data.sources.delimited import read_delimited

RATINGS = ["userId", "movieId", "rating", "timestamp"]
MOVIES = ["movieId", "title", "genres"]
GENRES = 19  # columns of 0 and 1 at the end of u.item


def read_movielens(request: Request) -> Iterator[Batch]:
    """Batches of one of the files; the name says which form it has."""
    name = request.path.name.removesuffix(".gz")
    if name.endswith(".csv"):
        return read_delimited(request, ",", names=None, quotes=True)
    if name.endswith(".item"):
        old = ["movieId", "title", "released", "video", "url", *(f"genre{n}" for n in range(GENRES))]
        return read_delimited(_latin(request), "|", old)
    names = RATINGS if request.table == "events" else MOVIES
    return read_delimited(_latin(request), "\t" if name.endswith(".data") else "::", names)


def _latin(request: Request) -> Request:
    """The old releases are in Latin-1 and say so; an encoding that is configured wins."""
    if "encoding" in request.source.model_fields_set:
        return request
    return replace(request, source=request.source.model_copy(update={"encoding": "latin-1"}))


MOVIELENS = FormatSpec(
    read_movielens,
    {
        "events": {c.USER: "userId", c.ITEM: "movieId", c.VALUE: "rating", c.OCCURRED_AT: "timestamp"},
        "items": {c.ITEM: "movieId", c.TITLE: "title", c.CATEGORY: "genres"},
    },
    kind="rate",
)
