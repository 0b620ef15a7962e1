"""Finding: the words decide what, the person in which order; what arrives later is found too."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.errors import StoreError, UsageError
from kuajie.core.histories import Histories
from kuajie.core.records import Account, Item
from kuajie.core.search import LONGEST_QUERY
from kuajie.data.catalog import Catalog
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.testing.memory_store import MemoryStore
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.find import LIKING, Findings, Search, check_query, falling, find, of_ties
from kuajie.workflows.library import Library, Shelves
from kuajie.workflows.recommend import Engine

TOPICS = ("丝绒", "哑光", "滋润", "变色")
INTERACTIONS, _, TOPIC = two_domain_interactions()
SIZE = INTERACTIONS.space.sizes[0]
KNOWLEDGE = pl.DataFrame(
    [(domain, f"{domain}{n}", "kind", "kind:口红") for domain in ("a", "b") for n in range(3)]
    + [("b", "kind:口红", "about", "topic:美妆"), ("a", "a1", "about", "topic:美妆")],
    schema=["domain", "head", "relation", "tail"],
    orient="row",
)


def catalogue() -> Catalog:
    """Item i of either domain is a lipstick; titles are equally long and hold the words 口红 and lipstick."""
    rows = [
        {
            "domain": domain,
            "item": f"{domain}{n}",
            "title": f"口红 {chr(0x4E00 + n)}",
            "title_en": f"Lipstick {chr(97 + n)}",
            "category": "唇妆" if n % 2 else "妆",
            "brand": "南枝",
            "attributes": f'{{"finish": "{TOPICS[n % 4]}", "none": null}}',
        }
        for domain in ("a", "b")
        for n in range(SIZE)
    ]
    return Catalog.of(pl.DataFrame(rows), ("a", "b"))


CATALOG = catalogue()
LIBRARY = Shelves(CATALOG, lambda: KNOWLEDGE).library()
MODEL = ItemKNN(ItemKNNConfig()).fit(INTERACTIONS)


def engine(language: str = "en", **changed: object) -> Engine:
    values = {"model": MODEL, "catalog": CATALOG, "popularity": INTERACTIONS.support(), "model_version": "v"}
    return Engine(**{**values, **changed}, language=language)  # type: ignore[arg-type]


def person(number: int) -> Histories:
    """Likes topic number % 4."""
    return INTERACTIONS.histories.take([number])


def found(query: str, history: Histories | None = None, library: Library = LIBRARY, **more: object) -> Findings:
    return find(library, engine(), history, Search(query, **more))  # type: ignore[arg-type]


def topics(findings: Findings) -> list[int]:
    return [int(hit.item.item[1:]) % 4 for hit in findings.hits]


@pytest.mark.parametrize("query", ["口红", "lipstick", "LIPSTICKS", "口紅口红"])
def test_two_people_ask_alike_and_see_what_fits_each(query: str) -> None:
    for number in range(4):
        seen = found(query, person(number), domains=("b",), k=4, unseen=True)
        assert seen.personalised
        own = SIZE // 4 - int(np.isin(person(number).items, np.flatnonzero(number == TOPIC)[SIZE // 4 :]).sum())
        assert set(topics(seen)[: min(own, 4)]) <= {number}
        assert all(
            reason.item for hit in seen.hits[:1] for reason in hit.reasons if reason.text != "Popular with everybody"
        )
    assert [hit.item for hit in found(query, person(0)).hits] != [hit.item for hit in found(query, person(1)).hits]


def test_without_a_person_words_and_popularity_order() -> None:
    seen = found("口红", k=2 * SIZE)
    assert not seen.personalised
    assert not any(hit.reasons for hit in seen.hits)
    popularity = INTERACTIONS.support()
    for domain in ("a", "b"):
        order = [popularity[CATALOG.number(domain, hit.item.item)] for hit in seen.hits if hit.item.domain == domain]
        assert order == sorted(order, reverse=True)
    nobody = Histories.from_lists([[]], CATALOG.space.n_items)
    assert found("口红", nobody, k=2 * SIZE) == seen


def test_the_words_come_first() -> None:
    """What fits twice as well is shown first, whoever likes the other: 1 > 1/2 + 0.4."""
    seen = found("口红 变色", person(0), k=2 * SIZE)
    scores = {hit.item.item: hit.text_score for hit in seen.hits}
    assert topics(seen)[0] == 3
    best = max(scores.values())
    for hit in seen.hits:
        assert hit.text_score / best <= hit.score + 1e-6 <= hit.text_score / best + LIKING + 1e-5


def test_what_cannot_be_among_the_best_is_not_scored_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    import kuajie.workflows.find as module

    queries = ("口红", "口红 变色", "lipstick a", "哑光 南枝", "a7")
    quick = [found(query, person(n), k=k) for n, query in enumerate(queries) for k in (1, 3, 50)]
    monkeypatch.setattr(module, "_near", lambda relative, _: np.arange(len(relative)))
    slow = [found(query, person(n), k=k) for n, query in enumerate(queries) for k in (1, 3, 50)]
    assert [each.hits for each in quick] == [each.hits for each in slow]
    assert [each.counts for each in quick] == [each.counts for each in slow]


def test_every_item_is_found_by_its_id_first() -> None:
    for item in ("a7", "b13"):
        assert found(item).hits[0].item.item == item


def test_where_the_words_are() -> None:
    hit = found("南枝 丝绒 lipstick", k=1).hits[0]
    said = {match.field: [match.text[start:end] for start, end in match.ranges] for match in hit.matches}
    assert said == {"title": ["Lipstick"], "brand": ["南枝"], "attributes.finish": ["丝绒"]}
    assert hit.title.startswith("Lipstick")
    assert find(LIBRARY, engine("zh"), None, Search("南枝", k=1)).hits[0].title.startswith("口红")


def test_domains_narrow_and_everything_is_counted() -> None:
    seen = found("口红", k=1)
    assert [(each.domain, each.count) for each in seen.counts] == [("a", SIZE), ("b", SIZE)]
    assert dict(seen.counts[0].categories) == {"唇妆": SIZE // 2, "妆": SIZE // 2}
    narrow = found("口红", domains=("b",))
    assert {hit.item.domain for hit in narrow.hits} == {each.domain for each in narrow.counts} == {"b"}
    with pytest.raises(UsageError, match="no domain 'c'"):
        found("口红", domains=("c",))


def test_what_is_excluded_or_seen_is_left_out() -> None:
    history = person(2)
    seen = {CATALOG.name(number) for number in history.items.tolist()}
    left = {("a", "a0"), ("b", "b1"), ("b", "nothing"), ("c", "a2")}
    listed = {(hit.item.domain, hit.item.item) for hit in found("口红", history, k=100, exclude=frozenset(left)).hits}
    assert len(listed) == 2 * SIZE - 2
    assert seen <= listed | left, "what somebody has used can be looked for"
    unseen = {(hit.item.domain, hit.item.item) for hit in found("口红", history, k=100, unseen=True).hits}
    assert len(unseen) == 2 * SIZE - len(seen)
    assert not unseen & seen


def test_knowledge_joins_the_domains() -> None:
    things = found("口红").things
    assert (things[0].name, dict(things[0].domains)) == ("kind:口红", {"a": 3, "b": 4})
    assert [triple.domain for triple in things[0].triples] == ["a", "b", "a"]
    assert things[0].relations == ("kind", "about")
    assert [thing.name for thing in found("美妆").things] == ["topic:美妆"]
    assert dict(found("美妆", domains=("b",)).things[0].domains) == {"b": 1}
    assert not found("美妆").hits
    assert "a1" not in {thing.name for thing in found("a1").things}, "items are no things"


def test_a_model_that_fails_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def answer(self, *_: object, **__: object) -> None:
            raise ZeroDivisionError

    broken = engine()
    object.__setattr__(broken, "answering", Broken())
    seen = find(LIBRARY, broken, person(0), Search("口红"))
    assert (seen.degraded, seen.personalised, len(seen.hits)) == (True, False, 10)
    assert [hit.item for hit in seen.hits] == [hit.item for hit in found("口红").hits]
    assert "the model failed" in caplog.text


def test_as_a_list_it_can_be_answered() -> None:
    seen = found("口红", person(0), k=3)
    ranked = seen.ranked(engine(), Account(domain="a", user="x"), "")
    assert [(each.domain, each.item) for each in ranked.items] == [(h.item.domain, h.item.item) for h in seen.hits]
    assert (ranked.fallback, ranked.target) == ("", "")
    assert found("口红").ranked(engine(), Account(domain="a", user="x"), "a").fallback == "popular"


@pytest.mark.parametrize("query", ["", " \u3000\t", "!?……", "\x00\x00", "\u202e", "（）"])
def test_no_word_is_no_query(query: str) -> None:
    with pytest.raises(UsageError, match="no word"):
        check_query(query)
    assert len(LIBRARY.find(query)[0]) == 0


def test_a_query_is_bounded() -> None:
    check_query("口" * LONGEST_QUERY)
    with pytest.raises(UsageError, match="at most 200 characters, got 201"):
        check_query("口" * (LONGEST_QUERY + 1))


@given(st.text(max_size=LONGEST_QUERY))
def test_any_text_is_answered_in_order(query: str) -> None:
    try:
        check_query(query)
    except UsageError:
        return
    seen = found(query, person(1), k=7)
    scores = [hit.score for hit in seen.hits]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) <= 7
    assert all(np.isfinite(scores))


@given(st.integers(0, 5_000))
def test_the_curve_falls_from_one(n: int) -> None:
    curve = falling(n)
    assert len(curve) == n
    assert (np.diff(curve) < 0).all()
    assert n == 0 or (curve[0] == 1 and 0 <= curve[-1] <= 1)


def test_what_is_liked_alike_counts_alike() -> None:
    values = np.array([1.0, 0.8, 0.6, 0.1])
    assert of_ties(values, np.array([9.0, 5.0, 5.0, 5.0])).tolist() == pytest.approx([1.0, 0.5, 0.5, 0.5])
    assert of_ties(values, np.array([4.0, 3.0, 2.0, 1.0])).tolist() == values.tolist()
    assert of_ties(values[:0], values[:0]).tolist() == []


def item(name: str, **more: object) -> Item:
    return Item(domain="b", item=name, **more)  # type: ignore[arg-type]


def shelves(store: MemoryStore) -> Shelves:
    return Shelves(CATALOG, lambda: KNOWLEDGE, store.catalogue, monotonic=lambda: 0.0)


def test_items_that_arrive_are_found_beside_the_others() -> None:
    store = MemoryStore()
    kept = shelves(store)
    assert kept.ready is None
    kept.look()
    assert len(found("眼影", library=kept.library()).hits) == 0
    store.catalogue.put_items(
        [item("新", title="流沙眼影", title_en="Sand Eyeshadow", category="眼妆"), item("b99", title="口红 新")]
    )
    kept.look()
    library = kept.library()
    hit = found("眼影", person(0), library=library).hits[0]
    assert (hit.item.item, hit.title, hit.reasons) == ("新", "Sand Eyeshadow", ())
    assert found("眼影", library=library).counts[0].categories == (("眼妆", 1),)
    seen = found("口红", person(3), library=library, k=100)
    assert len(seen.hits) == 2 * SIZE + 1
    unknown = next(hit for hit in seen.hits if hit.item.item == "b99")
    best = max(hit.text_score for hit in seen.hits)
    mean = pytest.approx(LIKING * falling(SIZE).mean(), abs=1e-3)
    assert unknown.score - unknown.text_score / best == mean, "what nobody knows yet counts as the mean"
    excluded = found("口红", library=library, k=100, exclude=frozenset({("b", "b99")}))
    assert "b99" not in {hit.item.item for hit in excluded.hits}


def test_an_item_that_changed_is_found_by_what_it_is_now_alone() -> None:
    store = MemoryStore()
    kept = shelves(store)
    store.catalogue.put_items([item("b3", title="旅行箱"), CATALOG.item(CATALOG.number("a", "a3"))])
    kept.look()
    library = kept.library()
    assert [each.item for each in library.new] == ["b3"], "one that is as it was is no new one"
    assert [hit.item.item for hit in found("旅行箱", library=library).hits] == ["b3"]
    assert len(found("口红", library=library, k=100).hits) == 2 * SIZE - 1
    assert found("b3", library=library).hits[0].item.title == "旅行箱"
    store.catalogue.put_items([CATALOG.item(CATALOG.number("b", "b3"))])
    kept.look()
    assert len(found("口红", library=kept.library(), k=100).hits) == 2 * SIZE


def test_items_of_domains_that_the_snapshot_does_not_know_wait_for_the_next() -> None:
    store = MemoryStore()
    store.catalogue.put_items([Item(domain="c", item="1", title="口红")])
    kept = shelves(store)
    kept.look()
    assert kept.library().new == ()


def test_a_store_that_is_away_leaves_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    kept = shelves(store)

    def down(*_: object) -> None:
        raise StoreError("down")

    with monkeypatch.context() as broken:
        broken.setattr(store.catalogue, "items_after", down)
        with pytest.raises(StoreError):
            kept.look()
        kept.restock()
    assert len(found("口红", library=kept.library()).hits) == 10


def test_a_bulk_load_is_not_indexed_all_the_time() -> None:
    store, now = MemoryStore(), [0.0]

    def clock() -> float:
        now[0] += 1.0
        return now[0]

    kept = Shelves(CATALOG, lambda: KNOWLEDGE, store.catalogue, monotonic=clock)
    for number in range(10):
        store.catalogue.put_items([item(f"n{number}", title="旅行箱")])
        kept.look()
    assert len(kept.library().new) == 1
    now[0] += 100.0
    kept.look()
    assert len(kept.library().new) == 10
