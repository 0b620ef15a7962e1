"""What a workspace says about its data: sources, cleaning, strength of events, identity."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.ids import LONGEST_ID
from kuajie.core.records import Kind
from kuajie.core.texts import Text

Format = Literal["csv", "parquet", "jsonl", "sql", "recbole", "movielens", "amazon", "douban", "rdf"]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class SourceConfig(Config):
    """Where one table comes from and how its columns are named.

    Attributes:
        path: a file, relative to the workspace; text files may end in `.gz`.
        url: an SQLAlchemy URL, with `query`; relative SQLite files are relative to the workspace.
        url_env: name of the environment variable that holds the URL (for URLs with a password).
        query: the SQL query.
        format: how to read it; left out: guessed from the name.
        columns: our name -> the source's name. For items and users, every further name becomes an attribute;
            of users they are what is declared. In JSON lines a dot reaches inside: `user = "account.id"`.
        vectors: of items: name of a ready-made vector -> its column, such as `{ image = "image_vector" }`;
            lists of numbers of one length, in text files as JSON.
        kind: the kind of every event, where there is no column of kinds; `view` if not said.
        kinds: the source's word for a kind -> ours, such as `{ "播放" = "play" }`.
        encoding: of text files; any Python codec, such as `gb18030`.
        delimiter: of CSV files; left out: a comma, or a tab where the name ends in `.tsv` or `.tab`.
        time_unit: of numbers in `occurred_at`; `auto` decides by their size.
        time_format: of text in `occurred_at`, as in `strptime`; left out: ISO 8601 or a number.
        timezone: of times that name none.
        value_scale: `value` is multiplied by it (milliseconds to seconds: 0.001; ratings of ten to five: 0.5).
        item_iri: of RDF: IRIs that begin so are items, and what follows is their id.
        name: what errors and accounts call it; left out: its path, or the query.
    """

    path: str | None = None
    url: str | None = None
    url_env: str | None = None
    query: str | None = None
    format: Format | None = None
    columns: dict[str, str] = Field(default={})
    vectors: dict[str, str] = Field(default={})
    kind: Kind | None = None
    kinds: dict[str, Kind] = Field(default={})
    encoding: str = "utf-8"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    time_unit: Literal["auto", "s", "ms", "us", "ns"] = "auto"
    time_format: str | None = None
    timezone: str = "UTC"
    value_scale: Positive = 1.0
    item_iri: str | None = Field(default=None, min_length=1)
    name: str | None = None

    @pydantic.model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.path, self.url, self.url_env)) != 1:
            raise ValueError(Text("a source needs exactly one of path, url and url_env"))
        if (self.path is None) != (self.query is not None):
            raise ValueError(Text("a source needs a query where it has a url, and none where it has a path"))
        return self


class LinkSourceConfig(SourceConfig):
    """A table of links between accounts.

    Columns: `user_a`, `user_b`, and `domain_a`, `domain_b` where the two domains are not given here; optionally
    `confidence` (0..1, else 1), `evidence`, `expires_at`.
    """

    domain_a: str | None = None
    domain_b: str | None = None


class PlaceSourceConfig(SourceConfig):
    """A table of where accounts are. Columns: `user`, `place`.

    Attributes:
        domain: whose accounts.
    """

    domain: str


class DomainConfig(Config):
    """One catalogue and the behaviour on it.

    Attributes:
        title: its name for people.
        title_en: the same for English readers; left out: `title`.
        events: behaviour; at least one source.
        items: the catalogue; items that only occur in events work too, without a title.
        users: accounts, also those without any event; column `key` for hashed identity.
        kg: triples head, relation, tail; RecBole `.link` files translate entities into items.
    """

    title: str = ""
    title_en: str = ""
    events: tuple[SourceConfig, ...] = Field(min_length=1)
    items: tuple[SourceConfig, ...] = ()
    users: tuple[SourceConfig, ...] = ()
    kg: tuple[SourceConfig, ...] = ()


class CleaningConfig(Config):
    """The rules of cleaning. Every row is kept, merged as a duplicate, or quarantined with its reason.

    Attributes:
        max_quarantined: share of a source's rows above which the import fails.
        near_duplicate_seconds: an event at most this long after the one before with the same account, item and kind
            is merged into it; 0 merges exact duplicates only.
        earliest: times before it are impossible.
        future_hours: times later than now plus this are impossible.
        max_value: the largest possible value of a kind; other kinds know no limit but 1e12.
        max_id_bytes: longest id, in bytes of UTF-8.
        flag_events_per_minute: accounts with more events in any 60 seconds are flagged (times finer than a day only).
        flag_events_per_day: accounts with more events in any UTC day are flagged.
        flagged: whether events of flagged accounts are trained on.
    """

    max_quarantined: Share = 0.05
    near_duplicate_seconds: float = Field(default=2.0, ge=0)
    earliest: datetime = datetime.fromisoformat("1990-01-01T00:00:00+00:00")
    future_hours: float = Field(default=24.0, ge=0)
    max_value: dict[Kind, Positive] = Field(
        default={"play": 86_400.0, "read": 86_400.0, "listen": 86_400.0, "rate": 100.0}
    )
    max_id_bytes: int = Field(default=LONGEST_ID, ge=1, le=LONGEST_ID)
    flag_events_per_minute: int = Field(default=120, ge=1)
    flag_events_per_day: int = Field(default=2_000, ge=1)
    flagged: Literal["keep", "exclude"] = "keep"


class StrengthConfig(Config):
    """How much an event says: weight of its kind x share of its value x saturation x age (see `data.strength`).

    Attributes:
        weights: of each kind; a kind that is not named weighs 1. Weight 0: seen, but says nothing.
        full_seconds: a play of at least this many seconds counts in full, a shorter one its share. An event without
            a value counts in full.
        saturation: of the repeats of one kind on one item, newest first, the r-th counts saturation ** (r - 1).
        half_life_days: an event this old counts half; none: age does not matter.
        rating_max: a rating of this much counts in full, a lower one its share.
        dislike_below: a lower rating is a dislike, as is every `dismiss`. A dislike excludes: it weighs 0 and so
            does everything the person did with that item before.
    """

    weights: dict[Kind, Annotated[float, Field(ge=0)]] = Field(default={
        "view": 1.0, "click": 1.0, "search": 0.5, "play": 2.0, "read": 2.0, "listen": 2.0, "collect": 3.0,
        "cart": 3.0, "purchase": 5.0, "rate": 4.0, "share": 4.0, "register": 1.0, "dismiss": 0.0,
    })  # fmt: skip
    full_seconds: dict[Kind, Positive] = Field(default={"play": 600.0, "read": 300.0, "listen": 600.0})
    saturation: Annotated[float, Field(ge=0, lt=1)] = 0.5
    half_life_days: Positive | None = 180.0
    rating_max: Positive = 5.0
    dislike_below: float = 2.5


class IdentityConfig(Config):
    """Which accounts of different domains are one person.

    Attributes:
        method: `shared`: equal ids are one person; `links`: a table of links; `hashed`: equal keyed hashes are.
        links: the tables of links.
        min_confidence: links below it never make one person; they lend history.
        lend_confidence: links below it are not used at all.
        secret_env: name of the environment variable with the secret of the hashes (HMAC-SHA256).
        hashed_domains: domains whose keys arrive hashed already.
    """

    method: Literal["shared", "links", "hashed"] = "shared"
    links: tuple[LinkSourceConfig, ...] = ()
    min_confidence: Share = 0.8
    lend_confidence: Share = 0.3
    secret_env: str = "KUAJIE_IDENTITY_SECRET"  # noqa: S105 - a name, not a secret
    hashed_domains: tuple[str, ...] = ()

    @pydantic.model_validator(mode="after")
    def _links_where_needed(self) -> Self:
        if (self.method == "links") != bool(self.links):
            raise ValueError(Text("method 'links' needs at least one [[identity.links]], the other methods take none"))
        return self


class SocialConfig(Config):
    """Who knows whom, and who is where: what a person without history is shown instead of nothing (see `data.social`).

    Attributes:
        friends: tables of links between accounts, of one domain or two; `confidence` is how close they are.
        places: tables of where accounts are; what is popular there is shown before what everybody likes.
        below: people with fewer events borrow.
        friend_share: weight of all friends together, against 1 for what a person did.
        place_share: weight of all people of a place together, as lenders; 0: a place lends no history.
        most: lenders of a borrower, the closest friends and the most active people of a place.
        least_people: places of fewer people who did something lend nothing: it would tell what one of them does.
    """

    friends: tuple[LinkSourceConfig, ...] = ()
    places: tuple[PlaceSourceConfig, ...] = ()
    below: int = Field(default=1, ge=1)
    friend_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    place_share: Share = 0.0
    most: int = Field(default=20, ge=1)
    least_people: int = Field(default=5, ge=1)


class DataConfig(Config):
    """Everything that an import reads; a workspace's configuration has the same fields and more."""

    domains: dict[str, DomainConfig] = Field(min_length=1)
    cleaning: CleaningConfig = CleaningConfig()
    strength: StrengthConfig = StrengthConfig()
    identity: IdentityConfig = IdentityConfig()
    social: SocialConfig = SocialConfig()

    @pydantic.field_validator("domains")
    @classmethod
    def _names(cls, domains: dict[str, DomainConfig]) -> dict[str, DomainConfig]:
        for name in domains:
            check_domain_name(name)
        return domains


def check_domain_name(name: str) -> None:
    """Names are parts of file names and of `DOMAIN:ID`.

    Raises:
        ValueError: not such a name.
    """
    if not re.fullmatch(r"[\w-]{1,64}", name):
        raise ValueError(Text("a domain's name is letters, digits, '_' and '-', got {name!r}", name=name))
