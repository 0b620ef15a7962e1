"""RDF as triples of names: Turtle (`.ttl`) and N-Triples (`.nt`), read as a stream through pyoxigraph.

A file is read twice: for the names of its resources, then for its triples. A resource is called, in this order,

* what follows `item_iri`, where its IRI begins so: the id of an item;
* its `rdfs:label`, Chinese before unmarked before English before any other;
* the end of its IRI, after the last `#` or `/`.

Two resources that would be called alike are called by their whole IRIs: nothing is joined by chance. Labels are names
and no triples; literals are entities of their own text. A bad line of N-Triples is quarantined; Turtle, where a
sentence may run over lines, is refused at its first error.
"""

import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import ConfigError, DataError, MissingExtraError
from kuajie.core.language import message
from kuajie.data.sources.base import Batch, FormatSpec, Request, no_rejects, rejects
from kuajie.data.sources.lines import NOT_TEXT, read_lines

LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
LANGUAGES = ("zh", "", "en")
BATCH_ROWS = 50_000
NOT_TRIPLE = message("the line is not a triple of N-Triples")


@dataclass
class Names:
    """What the resources of a file are called.

    Attributes:
        item_iri: beginning of the IRIs of items.
        labels: IRI -> (rank of its language, label).
        seen: every IRI.
    """

    item_iri: str | None
    labels: dict[str, tuple[int, str]] = field(default_factory=dict)
    seen: dict[str, None] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)

    def learn(self, triple: Any) -> None:  # noqa: ANN401 - of an optional library
        """Take in a triple."""
        subject, predicate, value = triple.subject.value, triple.predicate.value, triple.object
        self.seen[subject] = self.seen[predicate] = None
        if predicate != LABEL:
            if _is_iri(value):
                self.seen[value.value] = None
            return
        language = (getattr(value, "language", None) or "").partition("-")[0]
        rank = LANGUAGES.index(language) if language in LANGUAGES else len(LANGUAGES)
        if value.value and (subject not in self.labels or rank < self.labels[subject][0]):
            self.labels[subject] = (rank, value.value)

    def settle(self) -> None:
        """Give every resource its name."""
        wanted = {iri: self._wanted(iri) for iri in self.seen}
        counts = Counter(wanted.values())
        items = self.item_iri
        self.called = {
            iri: name if counts[name] == 1 or (items and iri.startswith(items)) else iri for iri, name in wanted.items()
        }

    def _wanted(self, iri: str) -> str:
        if self.item_iri and iri.startswith(self.item_iri) and len(iri) > len(self.item_iri):
            return unquote(iri[len(self.item_iri) :])
        if iri in self.labels:
            return self.labels[iri][1]
        trimmed = iri.rstrip("/#")
        end = trimmed[max(trimmed.rfind("#"), trimmed.rfind("/")) + 1 :]
        return unquote(end) or iri

    def of(self, term: Any) -> str:  # noqa: ANN401 - of an optional library
        """The name of a subject or object."""
        if _is_iri(term):
            return self.called[term.value]
        language = getattr(term, "language", None)
        return term.value if language is not None or hasattr(term, "datatype") else f"_:{term.value}"


def _is_iri(term: Any) -> bool:  # noqa: ANN401 - of an optional library
    return type(term).__name__ == "NamedNode"


def read_rdf(request: Request) -> Iterator[Batch]:
    """Batches of triples.

    Raises:
        ConfigError: the source is not one of triples.
        DataError: no such file, or Turtle with an error.
        MissingExtraError: without pyoxigraph.
    """
    if request.table != "kg":
        raise ConfigError(
            "{source}: RDF holds triples. Name it under kg, not under {table}.",
            source=request.name,
            table=request.table,
        )
    names = Names(request.source.item_iri)
    for _, triples, _ in _parts(request):
        for _, triple in triples:
            names.learn(triple)
    names.settle()
    for fraction, triples, rejected in _parts(request):
        rows = [
            (names.of(triple.subject), names.called[triple.predicate.value], names.of(triple.object), number)
            for number, triple in triples
            if triple.predicate.value != LABEL
        ]
        schema = {c.HEAD: pl.String(), c.RELATION: pl.String(), c.TAIL: pl.String(), c.ROW: pl.Int64()}
        yield Batch(pl.DataFrame(rows, schema=schema, orient="row"), rejected, fraction)


Part = tuple[float, list[tuple[int, Any]], pl.DataFrame]


def _parts(request: Request) -> Iterator[Part]:
    """Share read, numbered triples and bad lines, a part at a time; at least one part."""
    suffix = Path(request.path.name.removesuffix(".gz")).suffix.lower()
    return _lines(request) if suffix == ".nt" else _turtle(request)


def _lines(request: Request) -> Iterator[Part]:
    rdf = _pyoxigraph()
    how = rdf.RdfFormat.N_TRIPLES
    for lines in read_lines(request.path, request.name, request.source.encoding):
        triples: list[tuple[int, Any]] = []
        garbled: list[int] = []
        bad: tuple[list[int], list[str]] = ([], [])
        for number, line in enumerate(lines.text.to_list(), lines.first):
            if line is None:
                garbled.append(number)
                continue
            try:
                triples += [(number, triple) for triple in rdf.parse(input=line, format=how)]
            except (SyntaxError, ValueError):
                bad[0].append(number)
                bad[1].append(line)
        found = [rejects(garbled, NOT_TEXT, [""] * len(garbled)), rejects(bad[0], NOT_TRIPLE, bad[1])]
        yield lines.fraction, triples, pl.concat([no_rejects(), *found])


def _turtle(request: Request) -> Iterator[Part]:
    rdf = _pyoxigraph()
    for _ in read_lines(request.path, request.name, request.source.encoding, 2**16):
        break  # says what is wrong with the file itself
    triples: list[tuple[int, Any]] = []
    with _open(request.path) as file:
        try:
            for number, triple in enumerate(rdf.parse(input=file, format=rdf.RdfFormat.TURTLE), 1):
                triples.append((number, triple))
                if len(triples) == BATCH_ROWS:
                    yield 0.0, triples, no_rejects()
                    triples = []
        except SyntaxError as error:
            reason = str(error.msg).partition(": ")[2] or str(error.msg)
            raise DataError(
                "{source}, line {line}: this is not Turtle ({reason}). Correct the line.",
                source=request.name,
                line=error.lineno or 1,
                reason=reason[:200],
            ) from None
    yield 1.0, triples, no_rejects()


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _pyoxigraph() -> Any:  # noqa: ANN401 - of an optional library
    try:
        import pyoxigraph
    except ImportError:
        raise MissingExtraError("reading RDF", "pyoxigraph", "graph") from None
    return pyoxigraph


RDF = FormatSpec(read_rdf)
