"""Links between items: the nearest and rarest thing, paths that can be walked, words in both languages."""

import numpy as np
import pytest
from scipy import sparse

from kuajie.core.side import Labels, SideInformation, TripleGraph
from kuajie.workflows.links import FURTHER, MOST_SHARE, Link, Links, Things, shared_words, words_of

TITLES = ["涡轮增压入门", "Turbo kits for beginners", "涡轮增压套件", "口红", "Turbo basics", "口红"]
NAMES = ["涡轮", "动力", "大家", "光"]


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def graph(*triples: tuple[int, int, int], n_items: int = 6) -> TripleGraph:
    heads, kinds, tails = zip(*triples, strict=True)
    return TripleGraph(n_items, tuple(NAMES), ("about", "category"), ints(*heads), ints(*kinds), ints(*tails))


def links(*triples: tuple[int, int, int], titles: list[str] = TITLES) -> Links:
    return Links.of(Things.of(SideInformation(len(titles), graph=graph(*triples) if triples else None)), titles)


def one(found: Links, used: int, item: int) -> Link | None:
    return found.between(ints(used), ints(item))[0]


def test_a_course_leads_to_a_product_by_its_topic() -> None:
    found = links((0, 0, 6), (2, 1, 7), (7, 0, 6))  # course about 涡轮; product in 动力, which is about 涡轮
    link = one(found, 0, 2)
    assert link == Link("path", ("about", "涡轮", "about", "动力", "category"))
    assert link.things == ("涡轮", "动力")
    assert one(found, 2, 0) == Link("path", ("category", "动力", "about", "涡轮", "about"))
    assert one(found, 0, 3) is None


def test_the_rarer_thing_tells_more_and_what_everybody_has_tells_nothing() -> None:
    everybody = [(item, 0, 8) for item in range(6)]
    found = links(*everybody, (0, 0, 6), (2, 0, 6), (0, 0, 9), (1, 0, 9), (2, 0, 9))
    assert one(found, 0, 2) == Link("path", ("about", "涡轮", "about"))  # 涡轮 has two items, 光 three
    assert one(found, 3, 5) == Link("words", ("口红",))


def test_labels_stand_in_where_there_is_no_graph() -> None:
    side = SideInformation(4, labels={"brand": Labels.of(["花", "", "花", "x"]), "none": Labels.of([""] * 4)})
    found = Links.of(Things.of(side), ["a", "b", "c", "d"])
    assert one(found, 0, 2) == Link("path", ("brand", "花", "brand"))
    assert one(found, 0, 1) is None


def test_words_in_both_languages() -> None:
    assert shared_words("涡轮增压入门", "汽车涡轮增压套件") == ("涡轮增压",)
    assert shared_words("Turbo basics", "The TURBO kit in 36 parts") == ("TURBO",)
    assert shared_words("36 kits", "36 courses of it") == ()
    assert shared_words("Before you buy: for beginners", "Before it is too late, for all") == ()
    assert shared_words("", "涡轮") == ()
    assert one(links(), 0, 2) == Link("words", ("涡轮增压",))
    assert one(links(), 1, 4) == Link("words", ("Turbo",))


def test_frequent_words_are_no_link() -> None:
    titles = [f"lipstick {name}" for name in ("one", "two", "three", "four")]
    assert one(links(titles=[*titles, "rare lipstick", "rare thing"]), 0, 1) is None
    assert one(links(titles=[*titles, "rare lipstick", "rare thing"]), 4, 5) == Link("words", ("rare",))


@pytest.mark.parametrize("seed", range(5))
def test_every_path_can_be_walked(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_items, n_triples = 30, 80
    heads, tails = rng.integers(0, 50, (2, n_triples)).astype(np.int32)
    names = tuple(f"t{number}" for number in range(20))
    made = TripleGraph(n_items, names, ("r0", "r1", "r2"), heads, rng.integers(0, 3, n_triples).astype(np.int32), tails)
    edges = {
        (*pair, made.relations[kind])
        for a, kind, b in zip(heads.tolist(), made.kinds.tolist(), tails.tolist(), strict=True)
        for pair in ((a, b), (b, a))
    }
    found = Links.of(Things.of(SideInformation(n_items, graph=made)), [""] * n_items)
    first, second = np.divmod(np.arange(n_items**2, dtype=np.int32), n_items)
    seen = 0
    for a, b, link in zip(first.tolist(), second.tolist(), found.between(first, second), strict=True):
        if link is None or a == b:
            continue
        seen += 1
        stops = [a, *(n_items + names.index(name) for name in link.things), b]
        for start, relation, end in zip(stops, link.via[::2], stops[1:], strict=False):
            assert any((start, end, other) in edges for other in (relation,)), (link, stops)
    assert seen > 50


def test_the_best_shared_column_against_the_obvious() -> None:
    rng = np.random.default_rng(1)
    dense = (rng.random((40, 25)) * (rng.random((40, 25)) < 0.15)).astype(np.float32)
    from kuajie.workflows.links import Shared

    first, second = rng.integers(0, 40, (2, 300)).astype(np.int32)
    found = Shared(sparse.csr_array(dense)).between(first, second)
    for a, b, column in zip(first, second, found, strict=True):
        products = dense[a] * dense[b]
        assert column == (int(np.argmax(products)) if products.any() else -1)


def test_large_catalogues_are_not_read_for_words() -> None:
    assert words_of(["x y"] * 50_001).matrix.shape == (50_001, 0)
    assert Things.of(SideInformation(3)).shared.between(ints(0), ints(1)).tolist() == [-1]


def test_hubs_are_dropped_before_the_product_without_another_result() -> None:
    rng = np.random.default_rng(3)
    items, things = 60, 30
    beside = sparse.csr_array((rng.random((items, things)) < np.linspace(0.01, 0.4, things)).astype(np.int32))
    onwards = sparse.csr_array((rng.random((things, things)) < 0.08).astype(np.int32))
    near, leads = beside.toarray() > 0, onwards.toarray() > 0
    reached = np.maximum(near, FURTHER * (near.astype(int) @ leads.astype(int) > 0))
    holding = (reached > 0).sum(axis=0)
    telling = (holding > 1) & (holding <= MOST_SHARE * items)
    slow = reached * np.where(telling, np.sqrt(np.log(items / np.maximum(holding, 1)) + 1e-6), 0)
    assert 0 < telling.sum() < things
    found = Things(tuple(map(str, range(things))), ("r",), beside, onwards).shared.matrix
    np.testing.assert_allclose(found.toarray(), slow, rtol=1e-5)


def test_words_of_an_old_title_are_no_link_any_more() -> None:
    titles = ["涡轮增压入门", "别的", "涡轮增压套件", "口红", "口红"]
    found = Links.of(Things.of(SideInformation(5)), titles)
    assert one(found, 0, 2) == Link("words", ("涡轮增压",))
    titles[2] = "轮胎"
    found.retitled(2)
    assert one(found, 0, 2) is None
    assert one(found, 3, 4) == Link("words", ("口红",))
