"""Side information of a catalogue: its texts, labels and numbers, and the triples of its domains as one graph."""

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.side import Labels, SideInformation, TripleGraph
from kuajie.data.catalog import Catalog
from kuajie.data.vectors import vector_arrays

TEXTS = (c.TITLE, c.TITLE_EN, c.CATEGORY, c.BRAND)
LABELS = (c.CATEGORY, c.BRAND)
DESCRIPTION = "description"
"""The attribute that is a text of its own."""


def side_of(
    catalog: Catalog, triples: pl.DataFrame | None = None, vectors: pl.DataFrame | None = None
) -> SideInformation:
    """What a catalogue and its triples say of its items.

    Attributes whose values are all numbers become numbers, `description` a text, all others labels.

    Args:
        catalog: all items.
        triples: domain, head, relation, tail; names that are items of their domain are those items.
        vectors: columns of lists, see `data.vectors`, one row for each item.
    """
    table = catalog.table
    decoded = [msgspec.json.decode(text) if text else {} for text in table[c.ATTRIBUTES]]
    names = dict.fromkeys(name for attributes in decoded for name in attributes)
    texts = {name: table[name].to_list() for name in TEXTS}
    labels = {name: Labels.of(table[name].to_list()) for name in LABELS}
    numbers = {c.PRICE: table[c.PRICE].cast(pl.Float64).fill_null(float("nan")).to_numpy()}
    for name in names:
        values = [attributes.get(name) for attributes in decoded]
        if name == DESCRIPTION:
            texts[name] = ["" if value is None else str(value) for value in values]
        elif (found := _numbers(values)) is not None:
            numbers.setdefault(name, found)
        else:
            labels.setdefault(name, Labels.of([None if value is None else str(value) for value in values]))
    labels = {name: found for name, found in labels.items() if found.names}
    graph = None if triples is None or triples.is_empty() else graph_of(triples, catalog)
    ready = {} if vectors is None else vector_arrays(vectors)
    return SideInformation(catalog.space.n_items, texts, labels, numbers, ready, graph)


def _numbers(values: list[object]) -> npt.NDArray[np.float64] | None:
    column = pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)
    read = column.cast(pl.Float64, strict=False)
    if read.null_count() > column.null_count() or not read.fill_null(0.0).is_finite().all():
        return None
    return read.fill_null(float("nan")).to_numpy()


def graph_of(triples: pl.DataFrame, catalog: Catalog) -> TripleGraph:
    """Triples of all domains as one graph: an item is known by its id in its domain, everything else by its name.

    What two domains name alike is one entity, which is how a topic of courses leads to products. Triples of the
    relation `name_en` say what English readers call an entity.
    """
    named_en = pl.col(c.RELATION) == c.NAME_EN
    english = dict(triples.filter(named_en).select(c.HEAD, c.TAIL).iter_rows())
    triples = triples.filter(~named_en)
    ends = [triples.select(c.DOMAIN, pl.col(column).alias("name")) for column in (c.HEAD, c.TAIL)]
    named = pl.concat(ends).unique(maintain_order=True)
    others: dict[str, int] = {}
    n_items = catalog.space.n_items

    def number(domain: str, name: str) -> int:
        own = catalog.ids.get(domain)
        if own is not None and name in own:
            return catalog.number(domain, name)
        return n_items + others.setdefault(name, len(others))

    named = named.with_columns(number=pl.Series([number(*row) for row in named.rows()], dtype=pl.Int32))
    heads, tails = (
        end.join(named, on=[c.DOMAIN, "name"], how="left", maintain_order="left")["number"].to_numpy() for end in ends
    )
    relations = triples[c.RELATION].unique(maintain_order=True)
    kinds = triples[c.RELATION].replace_strict(relations, np.arange(len(relations)), return_dtype=pl.Int32)
    return TripleGraph(n_items, tuple(others), tuple(relations), heads, kinds.to_numpy(), tails, english)
