"""The knowledge graph of a domain, made of the same words as its titles.

    item -category-> category:...    item -brand-> brand:...      item -feature-> feature:...
    category:... -about-> topic:...  course -about-> topic:...

Topics, brands and features are named the same in every domain, so the graphs of all domains are one. Of topics,
categories, brands and teachers the English name is told too (`name_en`).
"""

import polars as pl

from kuajie.core import columns as c
from kuajie.worlds.catalogue import Catalogue
from kuajie.worlds.scenarios import PLATFORM
from kuajie.worlds.vocabulary import product_words, topics

_RELATIONS = {
    c.BRAND: "brand", "format": "format", "subject": "subject",
    "noun": "product", "attribute": "feature", "spec": "spec", "series": "series", "setting": "setting",
}  # fmt: skip


def knowledge_graph(catalogue: Catalogue) -> pl.DataFrame:
    """Triples: head, relation, tail."""
    table, platform = catalogue.table, catalogue.domain == PLATFORM
    relations = dict(_RELATIONS)
    if platform:
        relations[c.BRAND] = "teacher"
        relations[c.CATEGORY] = "topic"
    else:
        relations[c.CATEGORY] = "category"
    parts = [
        table.filter(pl.col(column) != "").select(
            pl.col(c.ITEM).alias(c.HEAD),
            pl.lit("about" if relation == "topic" else relation).alias(c.RELATION),
            pl.format(f"{relation}:{{}}", pl.col(column)).alias(c.TAIL),
        )
        for column, relation in relations.items()
        if column in table.columns
    ]
    english = [
        table.filter((pl.col(column) != "") & (pl.col(f"{column}_en") != ""))
        .select(
            pl.format(f"{relation}:{{}}", pl.col(column)).alias(c.HEAD),
            pl.lit(c.NAME_EN).alias(c.RELATION),
            pl.col(f"{column}_en").alias(c.TAIL),
        )
        .unique(c.HEAD, keep="first", maintain_order=True)
        for column, relation in relations.items()
        if f"{column}_en" in table.columns
    ]
    shelves = [] if platform else [_shelves(catalogue.domain), _topic_names()]
    return pl.concat([*parts, *english, *shelves])


def _topic_names() -> pl.DataFrame:
    rows = [(f"topic:{topic.name.zh}", c.NAME_EN, topic.name.en) for topic in topics()]
    return pl.DataFrame(rows, schema=[c.HEAD, c.RELATION, c.TAIL], orient="row")


def _shelves(domain: str) -> pl.DataFrame:
    names = {topic.key: topic.name.zh for topic in topics()}
    rows = [
        (f"category:{category.name.zh}", "about", f"topic:{names[key]}")
        for category in product_words(domain).categories
        for key in category.topics
    ]
    return pl.DataFrame(rows, schema=[c.HEAD, c.RELATION, c.TAIL], orient="row")
