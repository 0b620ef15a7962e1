"""Triples that were not given: links by name, and what texts mention. Given triples are never changed.

given triples + items  ->  drawn triples: domain, head, relation, tail, sureness, origin
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec
import polars as pl
from pydantic import Field

from kuajie.core import columns as c
from kuajie.core.config import Config
from kuajie.graph.linking import SAME, Ambiguous, Links, Method, link, same_entities
from kuajie.graph.mentions import Dictionary

DRAWN = {
    c.DOMAIN: pl.String(), c.HEAD: pl.String(), c.RELATION: pl.String(), c.TAIL: pl.String(),
    "sureness": pl.Float64(), "origin": pl.String(),
}  # fmt: skip
SAME_ENTITY = 1.0


class GraphConfig(Config):
    """What is made of the triples when they are imported.

    Attributes:
        link: entities are items of an equal id only (`id`), of an equal name too (`exact`), or of a nearly equal one
            (`fuzzy`).
        threshold: of likeness, for `fuzzy`.
        mentions: whether names of entities in titles and descriptions become triples.
        least_sureness: drawn triples below it are left out.
        functional: relations of which a thing has one, such as `brand`: two are a contradiction in the report.
    """

    link: Method = "id"
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.9
    mentions: bool = False
    least_sureness: Annotated[float, Field(ge=0, le=1)] = 0.5
    functional: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn.

    Attributes:
        triples: `DRAWN`, each pair of nodes once.
        links: of entities to items.
        ambiguous_names: names of several entities, not looked for in texts.
        left_out: drawn, but not sure enough.
    """

    triples: pl.DataFrame
    links: Links
    ambiguous_names: tuple[str, ...]
    left_out: int

    @property
    def ambiguous(self) -> tuple[Ambiguous, ...]:
        """Entities whose name several items have."""
        return self.links.ambiguous


def draw(triples: pl.DataFrame, items: pl.DataFrame, config: GraphConfig) -> Drawn:
    """Links and mentions of a graph.

    Args:
        triples: domain, head, relation, tail; those of the relation `name_en` give entities a second name.
        items: domain, item, title, title_en, attributes (JSON).
        config: what is wanted.

    Raises:
        MissingExtraError: `fuzzy` without rapidfuzz.
    """
    named_en = pl.col(c.RELATION) == c.NAME_EN
    english = dict(triples.filter(named_en).select(c.HEAD, c.TAIL).iter_rows())
    triples = triples.filter(~named_en)
    named = _entities(triples, items)
    entities = list(named)
    rows: list[tuple[str, str, str, str, float, str]] = []
    names = items.select(c.TITLE, c.TITLE_EN).rows()
    keys = items.select(c.DOMAIN, c.ITEM).rows()
    links = link(entities, names, config.link, config.threshold, english=english)
    for each in links.links:
        domain, item = keys[each.key]
        rows.append((domain, item, SAME, each.entity, each.sureness, each.method))
    if config.link != "id":
        rows += [(named[a], a, SAME, b, SAME_ENTITY, "exact") for a, b in same_entities(entities)]
    dictionary = Dictionary(entities if config.mentions else (), english)
    if config.mentions:
        rows += _mentioned(dictionary, triples, items)
    found = pl.DataFrame(rows, schema=DRAWN, orient="row").unique(
        [c.DOMAIN, c.HEAD, c.TAIL], keep="first", maintain_order=True
    )
    sure = found.filter(pl.col("sureness") >= config.least_sureness)
    return Drawn(sure, links, dictionary.ambiguous, len(found) - len(sure))


def enriched(triples: pl.DataFrame, items: pl.DataFrame, config: GraphConfig) -> pl.DataFrame:
    """The given triples, and after them those that were drawn: domain, head, relation, tail."""
    if config.link == "id" and not config.mentions:
        return triples
    return pl.concat([triples, draw(triples, items, config).triples.select(triples.columns)])


def _entities(triples: pl.DataFrame, items: pl.DataFrame) -> dict[str, str]:
    """Names that are no item of their domain, and the domain that says them first."""
    ends = [triples.select(c.DOMAIN, pl.col(column).alias(c.ITEM)) for column in (c.HEAD, c.TAIL)]
    others = (
        pl.concat(ends)
        .unique(maintain_order=True)
        .join(items, on=[c.DOMAIN, c.ITEM], how="anti", maintain_order="left")
    )
    first = others.unique(c.ITEM, keep="first", maintain_order=True)
    return dict(first.select(c.ITEM, c.DOMAIN).rows())


def _mentioned(
    dictionary: Dictionary, triples: pl.DataFrame, items: pl.DataFrame
) -> list[tuple[str, str, str, str, float, str]]:
    own: dict[tuple[str, str], set[str]] = {}
    for domain, head, _, tail in triples.select(c.DOMAIN, c.HEAD, c.RELATION, c.TAIL).iter_rows():
        own.setdefault((domain, head), set()).add(tail)
        own.setdefault((domain, tail), set()).add(head)
    rows = []
    columns = (c.DOMAIN, c.ITEM, c.TITLE, c.TITLE_EN, c.ATTRIBUTES)
    for domain, item, title, title_en, attributes in items.select(*columns).iter_rows():
        said = msgspec.json.decode(attributes) if attributes else {}
        texts = {"title": [title, title_en], "description": [str(said.get("description") or "")]}
        found = dictionary.mentions(texts, own.get((domain, item), ()))
        rows += [(domain, item, mention.relation, mention.entity, mention.sureness, "text") for mention in found]
    return rows
