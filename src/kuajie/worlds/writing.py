"""Write a world down as its companies would: source files, links, graph; and the truth apart from them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from kuajie.core import columns as c
from kuajie.core.files import filled_folder, write_file
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Text
from kuajie.worlds.accounts import Accounts, make_accounts, make_links
from kuajie.worlds.behaviour import Events
from kuajie.worlds.config_text import FOLDER, config_text, file_name
from kuajie.worlds.files import Writing
from kuajie.worlds.knowledge import knowledge_graph
from kuajie.worlds.layouts import Layout, dress_events, dress_items, layout_of
from kuajie.worlds.noise import bot_events, bots_for, spoil
from kuajie.worlds.people import AGE_BANDS, CITY_TIERS
from kuajie.worlds.seasons import WEEKS
from kuajie.worlds.vocabulary import topics

if TYPE_CHECKING:
    from kuajie.worlds.world import World

TRUTH = "truth"
BATCH_EVENTS = 200_000


def write_world(
    world: "World", folder: Path, formats: Mapping[str, str], noise: bool, progress: Progress = silent
) -> None:
    """Write `sources/`, `truth/` and `kuajie.toml` into a folder; see `World.write`."""
    layouts = {name: layout_of(name, formats.get(name)) for name in world.domains}
    with filled_folder(folder) as draft:
        (draft / FOLDER).mkdir()
        (draft / TRUTH).mkdir()
        accounts = [accounts_of(world, name, noise) for name in world.domains]
        for mine in accounts:
            _write_domain(world, mine, layouts[mine.domain], draft / FOLDER, noise, progress)
        links(world, accounts).write_csv(draft / FOLDER / "links.csv")
        _write_truth(world, accounts, draft / TRUTH)
    write_file(folder / "kuajie.toml", config_text(world.scenario, world.seed, world.domains, formats))


def accounts_of(world: "World", domain: str, noise: bool) -> Accounts:
    """The accounts of one domain."""
    index = world.index(domain)
    bots = bots_for(world.people.n_people) if noise else 0
    return make_accounts(world.people, domain, index, bots, np.random.default_rng([world.seed, 11, index]))


def links(world: "World", accounts: list[Accounts]) -> pl.DataFrame:
    """Links between the platform and every partner."""
    tables = [
        make_links(accounts[0], partner, np.random.default_rng([world.seed, 12, number]))
        for number, partner in enumerate(accounts[1:], 1)
    ]
    return pl.concat(tables)


def event_frames(
    world: "World", accounts: Accounts, noise: bool, progress: Progress = silent
) -> Iterator[pl.DataFrame]:
    """user, item, kind, occurred_at, value of one domain: some weeks at a time, in order."""
    domain, index = accounts.domain, world.index(accounts.domain)
    items = world.catalogues[domain].table[c.ITEM]
    at_week = np.random.default_rng([world.seed, 13, index]).integers(0, WEEKS, len(accounts.bots))
    for weeks, events in _batches(world.events(domain)):
        rng = np.random.default_rng([world.seed, 14, index, weeks.start])
        frame = _named(events, accounts, items, rng)
        if noise:
            awake = (at_week >= weeks.start) & (at_week < weeks.stop)
            bots = accounts.ids.gather(accounts.bots[awake])
            frame = spoil(pl.concat([frame, bot_events(bots, items, at_week[awake], rng)]), rng)
        yield frame
        progress(Text("writing {domain}", domain=domain), weeks.stop, WEEKS)


def _batches(weeks: Iterator[Events]) -> Iterator[tuple[range, Events]]:
    """Consecutive weeks, joined until they hold enough events."""
    held: list[Events] = []
    for week, events in enumerate(weeks):
        held.append(events)
        if sum(len(part.item) for part in held) >= BATCH_EVENTS or week == WEEKS - 1:
            yield range(week + 1 - len(held), week + 1), Events.joined(held)
            held = []


def _named(events: Events, accounts: Accounts, items: pl.Series, rng: np.random.Generator) -> pl.DataFrame:
    micros = (events.time * 1e6).astype(np.int64)
    return pl.DataFrame(
        {
            c.USER: accounts.ids.gather(accounts.of(events.person, rng)),
            c.ITEM: items.gather(events.item),
            c.KIND: pl.Series(events.kinds, dtype=pl.String).gather(events.kind_code.astype(np.int64)),
            c.OCCURRED_AT: pl.Series(micros).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            c.VALUE: pl.Series(events.value).fill_nan(None),
        }
    )


def _write_domain(
    world: "World", accounts: Accounts, layout: Layout, folder: Path, noise: bool, progress: Progress
) -> None:
    domain = accounts.domain

    def file(table: str) -> Writing:
        path = folder / file_name(domain, table, layout)
        return Writing.to(path, layout.format, table, layout.delimiter, layout.encoding)

    with file("events") as sink:
        for frame in event_frames(world, accounts, noise, progress):
            sink.write(dress_events(frame, layout))
    with file("items") as sink:
        sink.write(dress_items(world.catalogues[domain].table, layout))
    with file("users") as sink:
        sink.write(_declared(world, accounts, layout))
    knowledge_graph(world.catalogues[domain]).write_csv(folder / f"{domain}_kg.csv")


def _declared(world: "World", accounts: Accounts, layout: Layout) -> pl.DataFrame:
    """What accounts say of themselves; some leave it out."""
    rng = np.random.default_rng([world.seed, 15, world.index(accounts.domain)])
    table = accounts.table()
    person = table[c.PERSON].fill_null(0).to_numpy()
    told = pl.Series(rng.random(len(table)) < 0.8) & table[c.PERSON].is_not_null()
    city = pl.Series(CITY_TIERS).gather(world.people.city[person].astype(np.int64))
    age = pl.Series(AGE_BANDS).gather(world.people.age[person].astype(np.int64))
    empty = pl.Series([""], dtype=pl.String)
    return pl.DataFrame(
        {layout.user: table[c.USER], "city_tier": city.zip_with(told, empty), "age_band": age.zip_with(told, empty)}
    )[rng.permutation(len(table))]


def _write_truth(world: "World", accounts: list[Accounts], folder: Path) -> None:
    people, interests = world.people, topics()
    keys = pl.Series([topic.key for topic in interests])
    pl.DataFrame(
        {
            c.PERSON: np.arange(people.n_people),
            "age_band": pl.Series(AGE_BANDS).gather(people.age.astype(np.int64)),
            "city_tier": pl.Series(CITY_TIERS).gather(people.city.astype(np.int64)),
            "buying_tier": people.buying,
            **{
                f"interest_{slot + 1}": keys.gather(people.interests[:, slot].astype(np.int64))
                for slot in range(people.interests.shape[1])
            },
            **{f"weight_{slot + 1}": people.weights[:, slot] for slot in range(people.weights.shape[1])},
        }
    ).write_parquet(folder / "people.parquet")
    pl.concat(
        mine.table().select(pl.lit(mine.domain).alias(c.DOMAIN), c.USER, c.PERSON) for mine in accounts
    ).write_parquet(folder / "accounts.parquet")
    pl.concat(
        pl.DataFrame(
            {
                c.DOMAIN: [name] * cat.n_items,
                c.ITEM: cat.table[c.ITEM],
                "topic": keys.gather(cat.topic),
                "price_tier": cat.tier,
                "popularity": cat.popularity,
                "launch_week": cat.launch,
            }
        )
        for name, cat in world.catalogues.items()
    ).write_parquet(folder / "items.parquet")
