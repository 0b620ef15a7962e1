"""A written world: files as companies keep them, and an import that reads them all."""

import filecmp
import re
import tomllib
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from kuajie.core.errors import ResourceError, UsageError
from kuajie.data.config import DataConfig
from kuajie.workflows.ingest import ingest
from kuajie.worlds import WorldSize, make_world
from kuajie.worlds.knowledge import knowledge_graph
from kuajie.worlds.layouts import FORMATS, LAYOUTS, dress_events, layout_of
from kuajie.worlds.seasons import END
from kuajie.worlds.writing import accounts_of, event_frames, links

HAN = re.compile("[\u4e00-\u9fff]")
SMALL = WorldSize(people=600, courses=120, products=90, events_per_account=14.0)


def config_of(folder):
    values = tomllib.loads((folder / "kuajie.toml").read_text("utf-8"))
    values.pop("workspace")
    return DataConfig.parse(values, folder / "kuajie.toml")


def imported(folder):
    return ingest(config_of(folder), folder, clock=lambda: datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    world = make_world("all", SMALL, 1)
    world.write(folder)
    return world, folder


def test_every_file_has_the_same_bytes_for_the_same_seed(written, tmp_path):
    _, folder = written
    make_world("all", SMALL, 1).write(tmp_path)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    names = [name for name in names if not name.startswith("warehouse")]
    assert len(names) > 25
    _, differing, missing = filecmp.cmpfiles(folder, tmp_path, names, shallow=False)
    assert (differing, missing) == ([], [])


def test_the_world_imports_and_the_account_adds_up(written):
    world, folder = written
    result = imported(folder)
    assert result.snapshot.domains == world.domains
    assert result.snapshot.items == dict(zip(world.domains, world.space.sizes, strict=True))
    for source in result.account.sources:
        assert source.read == source.kept + source.merged + source.bad
        if source.table != "events":
            assert source.kept == source.read, source
        else:
            assert 0.001 < source.bad_share < 0.01
            assert source.merged > 0
    assert result.overlap.linked_people > 0.3 * world.size.people


def test_an_import_without_noise_keeps_every_event(tmp_path):
    world = make_world("film", SMALL, 2)
    world.write(tmp_path, noise=False)
    result = imported(tmp_path)
    for source in result.account.sources:
        assert source.bad == 0, source
    read = sum(source.read for source in result.account.sources if source.table == "events")
    assert read == sum(len(week.person) for name in world.domains for week in world.events(name))


@pytest.mark.parametrize("form", FORMATS)
def test_any_domain_can_be_written_in_any_format(form, tmp_path):
    world = make_world("auto-finance", WorldSize(80, 60, 60), 0)
    formats = dict.fromkeys(world.domains, form)
    world.write(tmp_path, formats)
    assert tomllib.loads(world.config_toml(formats)) == tomllib.loads((tmp_path / "kuajie.toml").read_text("utf-8"))
    result = imported(tmp_path)
    assert result.snapshot.items == {"courses": 60, "auto_finance": 60}
    world.write(tmp_path, formats)  # over what is there


def test_wrong_formats_and_domains_are_refused(tmp_path):
    world = make_world("film", WorldSize(50, 60, 60))
    with pytest.raises(UsageError, match="no format 'xlsx' for film; the formats are csv, tsv"):
        world.write(tmp_path, {"film": "xlsx"})
    with pytest.raises(UsageError, match="no domain 'beauty'"):
        world.write(tmp_path, {"beauty": "csv"})
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="could not be written"):
        world.write(tmp_path / "file")


def test_companies_keep_their_data_in_different_ways():
    assert len({layout.format for layout in LAYOUTS.values()}) == len(FORMATS)
    assert len({tuple(layout.events.values()) for layout in LAYOUTS.values()}) == len(LAYOUTS)


def test_dressing_translates_columns_words_and_times():
    when = datetime(2026, 1, 1, 20, 30, tzinfo=UTC)
    frame = pl.DataFrame(
        {"user": ["王"], "item": ["7"], "kind": ["purchase"], "occurred_at": [when], "value": [3.5]},
        schema_overrides={"occurred_at": pl.Datetime("us", "UTC")},
    )
    assert dress_events(frame, layout_of("courses")).to_dicts() == [
        {"uid": "王", "course_id": "7", "action": "buy", "ts": "2026-01-02 04:30:00", "seconds_or_amount": 3.5}
    ]
    nested = dress_events(frame, layout_of("auto_finance")).to_dicts()[0]
    assert nested["client"] == {"no": "王"}
    assert nested["at_ms"] == when.timestamp() * 1000


def test_links_join_the_right_people_with_a_few_errors_and_some_one_to_many(written):
    world, folder = written
    table = pl.read_csv(folder / "sources" / "links.csv", schema_overrides={"user_a": pl.String, "user_b": pl.String})
    truth = pl.read_parquet(folder / "truth" / "accounts.parquet")
    sides = [truth.rename({"domain": f"domain_{s}", "user": f"user_{s}", "person": f"person_{s}"}) for s in "ab"]
    joined = table.join(sides[0], on=["domain_a", "user_a"], how="left").join(
        sides[1], on=["domain_b", "user_b"], how="left"
    )
    right = (joined["person_a"] == joined["person_b"]).fill_null(value=False)
    assert 0.97 < right.mean() < 1
    assert joined.filter(~right)["confidence"].max() < 0.8
    assert set(joined["domain_a"]) == {"courses"}
    assert set(joined["domain_b"]) == set(world.domains[1:])
    expired = joined["expires_at"].drop_nulls().str.to_datetime(time_zone="UTC") < END.astimezone(UTC)
    assert 0.02 < expired.sum() / len(joined) < 0.06
    assert joined.filter(right).group_by("domain_b", "user_a").len()["len"].max() == 2


def test_the_link_table_finds_most_but_not_all_of_the_overlap(written):
    world, _ = written
    accounts = [accounts_of(world, name, noise=True) for name in world.domains]
    both = sum(int((accounts[0].first >= 0)[partner.first >= 0].sum()) for partner in accounts[1:])
    found = len(links(world, accounts).filter(pl.col("confidence") >= 0.8))
    assert 0.7 < found / both < 0.95


def test_ids_are_distinct_and_bots_are_nobody(written):
    world, _ = written
    for domain in world.domains:
        accounts = accounts_of(world, domain, noise=True)
        assert accounts.ids.n_unique() == len(accounts.ids)
        table = accounts.table()
        assert table["person"].is_null().sum() == len(accounts.bots) == 2
        people = table["person"].drop_nulls().to_numpy()
        assert (np.bincount(people, minlength=world.size.people) <= (1 if domain == "courses" else 2)).all()
    nowhere = ~world.people.member.any(axis=1)
    assert (accounts_of(world, "courses", noise=False).first[nowhere] >= 0).all()


def test_second_accounts_share_the_events_of_their_person(written):
    world, _ = written
    accounts = accounts_of(world, "film", noise=False)
    users = pl.concat(event_frames(world, accounts, noise=False))["user"]
    seconds = accounts.ids.gather(accounts.second[accounts.second >= 0])
    assert 0 < users.is_in(seconds.implode()).sum() < 0.05 * len(users)


def test_the_graph_is_made_of_the_catalogue(everybody):
    about = {}
    for domain in everybody.domains:
        catalogue, graph = everybody.catalogues[domain], knowledge_graph(everybody.catalogues[domain])
        english, graph = graph.filter(pl.col("relation") == "name_en"), graph.filter(pl.col("relation") != "name_en")
        assert english["head"].is_unique().all()
        assert set(english["head"]) >= set(graph.filter(pl.col("relation").is_in(["brand", "teacher"]))["tail"])
        assert not english["tail"].str.contains(r"[\u4e00-\u9fff]").any()
        items = set(catalogue.table["item"])
        heads = graph.filter(~pl.col("head").str.starts_with("category:"))
        assert set(heads["head"]) == items
        brands = heads.filter(pl.col("relation").is_in(["brand", "teacher"])).sort("head")
        expected = catalogue.table.sort("item")
        assert brands["tail"].str.split(":").list.last().to_list() == expected["brand"].to_list()
        assert graph.null_count().sum_horizontal()[0] == 0
        about[domain] = set(graph.filter(pl.col("relation") == "about")["tail"])
    for partner in everybody.domains[1:]:
        assert len(about[partner] & about["courses"]) > 30  # topics join the catalogues


def test_truth_is_kept_apart_from_the_sources(written):
    world, folder = written
    people = pl.read_parquet(folder / "truth" / "people.parquet")
    assert people.height == world.size.people
    weights = people.select(f"weight_{slot}" for slot in range(1, 6)).sum_horizontal()
    np.testing.assert_allclose(weights, 1, rtol=1e-5)
    items = pl.read_parquet(folder / "truth" / "items.parquet")
    assert items.height == world.space.n_items
    text = (folder / "kuajie.toml").read_text("utf-8")
    assert "truth" not in text


def test_domains_are_named_in_both_languages() -> None:
    config = tomllib.loads(make_world("all", SMALL).config_toml())
    for domain in config["domains"].values():
        assert HAN.search(domain["title"])
        assert domain["title_en"]
        assert not HAN.search(domain["title_en"])
