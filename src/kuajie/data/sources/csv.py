"""CSV: a header, one separator, quotes as in RFC 4180; also gzipped, and in other encodings than UTF-8."""

from collections.abc import Iterator

from kuajie.data.sources.base import Batch, FormatSpec, Request
from kuajie.data.sources.delimited import read_delimited


def read_csv(request: Request) -> Iterator[Batch]:
    """Batches of a CSV file."""
    tabs = {".tsv", ".tab"} & set(request.path.suffixes)
    delimiter = request.source.delimiter or ("\t" if tabs else ",")
    return read_delimited(request, delimiter, names=None, quotes=True)


CSV = FormatSpec(read_csv)
