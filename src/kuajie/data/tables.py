"""The small tables of an import, held in memory: items, accounts named by the sources, links, triples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import ConfigError
from kuajie.data.catalog import ITEM_COLUMNS
from kuajie.data.config import DomainConfig, IdentityConfig, LinkSourceConfig, PlaceSourceConfig, SocialConfig
from kuajie.data.kinds import DECLARED, TRIPLES
from kuajie.data.reading import Reader, Tally
from kuajie.data.vectors import vector_names

NAMES = (c.DOMAIN, c.USER)
USERS = {c.DOMAIN: pl.String(), c.USER: pl.String(), "key": pl.String(), c.ATTRIBUTES: pl.String()}
LINKS = {
    c.DOMAIN_A: pl.String(),
    c.USER_A: pl.String(),
    c.DOMAIN_B: pl.String(),
    c.USER_B: pl.String(),
    c.CONFIDENCE: pl.Float64(),
    c.EVIDENCE: pl.String(),
    c.EXPIRES_AT: pl.Datetime("us", "UTC"),
}
PLACES = {c.DOMAIN: pl.String(), c.USER: pl.String(), "place": pl.String()}


@dataclass(frozen=True, eq=False)
class Tables:
    """Everything but the events.

    Attributes:
        items: `ITEM_COLUMNS` and columns of vectors, grouped by domain.
        users: `USERS`.
        links: `LINKS`.
        knowledge: `TRIPLES`.
        friends: `LINKS`.
        places: `PLACES`.
    """

    items: pl.DataFrame
    users: pl.DataFrame
    links: pl.DataFrame
    knowledge: pl.DataFrame
    friends: pl.DataFrame
    places: pl.DataFrame

    def accounts(self) -> pl.DataFrame:
        """Every account that is named: domain, user."""
        sides = ((c.DOMAIN_A, c.USER_A), (c.DOMAIN_B, c.USER_B))
        ends = [
            links.select(pl.col(domain).alias(c.DOMAIN), pl.col(user).alias(c.USER))
            for links in (self.links, self.friends)
            for domain, user in sides
        ]
        return pl.concat([self.users.select(NAMES), self.places.select(NAMES), *ends])

    def declared(self) -> pl.DataFrame:
        """What accounts declared: `DECLARED`, of those that declared something."""
        return self.users.select(list(DECLARED)).filter(pl.col(c.ATTRIBUTES) != "").sort(c.USER, c.DOMAIN)


def read_tables(
    reader: Reader, domains: Mapping[str, DomainConfig], identity: IdentityConfig, social: SocialConfig | None = None
) -> Tables:
    """Read them all."""
    return Tables(
        items=pl.concat([read_items(reader, name, domain) for name, domain in domains.items()], how="diagonal"),
        users=pl.concat([read_users(reader, name, domain) for name, domain in domains.items()]),
        links=read_links(reader, identity.links),
        knowledge=pl.concat([read_knowledge(reader, name, domain) for name, domain in domains.items()]),
        friends=read_links(reader, () if social is None else social.friends),
        places=read_places(reader, () if social is None else social.places),
    )


def read_items(reader: Reader, domain: str, config: DomainConfig) -> pl.DataFrame:
    """The described items of a domain, each once; of repeats the first counts."""
    frames: list[pl.DataFrame] = []
    for source in config.items:
        frames.extend(_numbered(reader, reader.read(source, "items", domain)))
    if not frames:
        return pl.DataFrame(schema=ITEM_COLUMNS)
    items = pl.concat(frames, how="diagonal").with_columns(pl.lit(domain).alias(c.DOMAIN))
    names = [*ITEM_COLUMNS, *vector_names(items.columns)]
    return _first(items, names, c.ITEM, reader.tallies).select(names)


def read_users(reader: Reader, domain: str, config: DomainConfig) -> pl.DataFrame:
    """Accounts that a domain lists: `USERS`; each once."""
    frames: list[pl.DataFrame] = []
    for source in config.users:
        frames.extend(_numbered(reader, reader.read(source, "users", domain)))
    if not frames:
        return pl.DataFrame(schema=USERS)
    users = pl.concat(frames).with_columns(pl.lit(domain).alias(c.DOMAIN))
    told = pl.col(c.ATTRIBUTES).filter(pl.col(c.ATTRIBUTES) != "").last().over(c.USER)  # the newest source is the last
    users = users.with_columns(told.fill_null("").alias(c.ATTRIBUTES))
    return _first(users, [c.DOMAIN, c.USER, "key"], c.USER, reader.tallies).select(list(USERS))


def read_links(reader: Reader, sources: Sequence[LinkSourceConfig]) -> pl.DataFrame:
    """The links of all tables."""
    frames = [frame.select(list(LINKS)) for source in sources for frame in reader.read(source, "links")]
    return pl.concat([pl.DataFrame(schema=LINKS), *frames])


def read_places(reader: Reader, sources: Sequence[PlaceSourceConfig]) -> pl.DataFrame:
    """Where accounts are.

    Raises:
        ConfigError: a table of a domain that does not exist.
    """
    frames = [pl.DataFrame(schema=PLACES)]
    for source in sources:
        if source.domain not in reader.domains:
            raise ConfigError(
                "[social] places names the domain '{domain}'; the domains are {known}",
                domain=source.domain,
                known=", ".join(reader.domains),
            )
        named = pl.lit(source.domain).alias(c.DOMAIN)
        frames += [
            frame.with_columns(named).select(list(PLACES)) for frame in reader.read(source, "places", source.domain)
        ]
    return pl.concat(frames)


def read_knowledge(reader: Reader, domain: str, config: DomainConfig) -> pl.DataFrame:
    """Triples of a domain; an entity that a `.link` file names as an item gets the item's id."""
    triples, entities = [pl.DataFrame(schema=TRIPLES)], []
    for source in config.kg:
        if (source.path or "").removesuffix(".gz").endswith(".link"):
            entities += [frame.select(c.ITEM, "entity") for frame in reader.read(source, "entities", domain)]
        else:
            named = (frame.with_columns(pl.lit(domain).alias(c.DOMAIN)) for frame in reader.read(source, "kg", domain))
            triples += [frame.select(list(TRIPLES)) for frame in named]
    graph = pl.concat(triples)
    if not entities:
        return graph
    items = pl.concat(entities).unique("entity", keep="first", maintain_order=True)
    return graph.with_columns(
        pl.col(name).replace(items["entity"], items[c.ITEM]).alias(name) for name in (c.HEAD, c.TAIL)
    )


def _numbered(reader: Reader, frames: Iterable[pl.DataFrame]) -> Iterable[pl.DataFrame]:
    for frame in frames:
        yield frame.with_columns(pl.lit(len(reader.tallies) - 1).alias("tally"))


def _first(frame: pl.DataFrame, names: Sequence[str], key: str, tallies: Sequence[Tally]) -> pl.DataFrame:
    """The first row of each key; the others count as exact duplicates where all is equal, else as near ones."""
    first = frame[key].is_first_distinct()
    repeated = frame.select(~pl.struct(names).is_first_distinct()).to_series()
    for number, tally in enumerate(tallies):
        mine = frame["tally"] == number
        tally.exact += int((mine & repeated).sum())
        tally.near += int((mine & ~first & ~repeated).sum())
    return frame.filter(first)


@dataclass(frozen=True, eq=False)
class Items:
    """All items of all domains, numbered jointly: by domain, then by id; `ITEM_COLUMNS` and columns of vectors."""

    table: pl.DataFrame

    @classmethod
    def of(cls, described: pl.DataFrame, seen: pl.DataFrame, domains: Sequence[str]) -> "Items":
        """Items with a description, and those that only occur in events.

        Args:
            described: `ITEM_COLUMNS` and columns of vectors.
            seen: domain, item.
            domains: in order.
        """
        bare = seen.unique().join(described, on=(c.DOMAIN, c.ITEM), how="anti")
        everything = pl.concat([described, bare], how="diagonal").select(
            [*ITEM_COLUMNS, *vector_names(described.columns)]
        )
        order = everything[c.DOMAIN].cast(pl.Enum(list(domains)))
        table = everything.with_columns(order.alias("order")).sort("order", c.ITEM).drop("order")
        return cls(table.with_columns(pl.col(pl.String).fill_null("")))

    def numbers(self) -> pl.DataFrame:
        """The number of each item: domain, item, number."""
        return self.table.select(c.DOMAIN, c.ITEM, pl.int_range(pl.len(), dtype=pl.Int32).alias("number"))

    def counts(self, domains: Sequence[str]) -> dict[str, int]:
        """Items of each domain."""
        found = dict(self.table.group_by(c.DOMAIN).len().iter_rows())
        return {name: found.get(name, 0) for name in domains}
