"""RecBole atomic files: tab-separated, the header says `name:type`; `.inter .item .user .link .kg`.

Reference: https://recbole.io/docs/user_guide/data/atomic_files.html
"""

from collections.abc import Iterator

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.data.sources.base import Batch, FormatSpec, Request
from kuajie.data.sources.delimited import read_delimited
from kuajie.data.sources.lines import read_lines

TYPES = {"token", "token_seq", "float", "float_seq"}


def read_recbole(request: Request) -> Iterator[Batch]:
    """Batches of an atomic file.

    Raises:
        DataError: the header does not say `name:type`.
    """
    first = next(read_lines(request.path, request.name, request.source.encoding, 2**16)).text[0] or ""
    fields = [field.rpartition(":") for field in first.removesuffix("\r").split("\t")]
    for name, _, kind in fields:
        if not name or kind not in TYPES:
            raise DataError(
                "{source}, line 1: a RecBole header is name:type with tabs, where type is one of {known}; "
                "got '{got}'. Correct it, or set format = \"csv\".",
                source=request.name,
                known=", ".join(sorted(TYPES)),
                got=first[:80],
            )
    names = [name for name, _, _ in fields]
    batches = read_delimited(request, "\t", names)
    return _without_header(batches)


def _without_header(batches: Iterator[Batch]) -> Iterator[Batch]:
    for batch in batches:
        yield Batch(batch.frame.filter(batch.frame[c.ROW] > 1), batch.rejected, batch.fraction)


RECBOLE = FormatSpec(
    read_recbole,
    {
        "events": {c.USER: "user_id", c.ITEM: "item_id", c.VALUE: "rating", c.OCCURRED_AT: "timestamp"},
        "items": {c.ITEM: "item_id", c.CATEGORY: "class"},
        "users": {c.USER: "user_id"},
        "entities": {c.ITEM: "item_id", "entity": "entity_id"},
        "kg": {c.HEAD: "head_id", c.RELATION: "relation_id", c.TAIL: "tail_id"},
    },
)
