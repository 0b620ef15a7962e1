import numpy as np
import pytest
from scipy import sparse

from kuajie.core.errors import DataError, ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace
from kuajie.models.answering import Fast, Plain, answering
from kuajie.models.best import best_items
from kuajie.models.blend import Blend, BlendConfig, Member, Mix
from kuajie.models.content import Content, ContentConfig
from kuajie.models.item_features import FeatureWeights
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.merged import Merged, MergedConfig, merge
from kuajie.models.popularity import Popularity, PopularityConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.recommenders import RecommenderContract
from kuajie.text.tfidf import TfidfConfig
from kuajie.text.word2vec import Word2VecConfig

WORDS = FeatureWeights(labels=0, numbers=0, vectors=0)


class TestContentContract(RecommenderContract):
    scores_unseen = True
    configs = (
        ContentConfig(),
        ContentConfig(
            encoder=TfidfConfig(unit="characters"), weights=WORDS, k=8, sharpness=2.0, popularity_power=0, background=0
        ),
        ContentConfig(encoder=Word2VecConfig(size=8, epochs=2), weights=FeatureWeights(texts=0.1), bins=3),
        ContentConfig(fields=("category",), k=12),
        ContentConfig(fields=("image", "price"), weights=FeatureWeights(numbers=0.01)),
    )


def world_of(texts: list[str], sizes: tuple[int, int], rows: list[list[int]]) -> Interactions:
    space = ItemSpace(("courses", "parts"), sizes)
    side = SideInformation(space.n_items, {"title": texts})
    return Interactions(space, Histories.from_lists(rows, space.n_items), side)


TEXTS = ["turbo engines explained", "口红的秘密", "turbo kit", "哑光口红", "matte red mat", "matte"]
APART = world_of(TEXTS, (2, 4), [[0], [1], [2, 4], [3, 4], [4], [5]])
"""Nobody is known in both domains; the mat is what most people use."""


def test_texts_lead_across_domains_that_share_nobody() -> None:
    model = Content().fit(APART)
    scores = model.score(Histories.from_lists([[0], [1]], 6), "parts")
    assert np.isfinite(scores).all()
    assert np.argmax(scores, axis=1).tolist() == [0, 1]
    back = model.score(Histories.from_lists([[2], [3]], 6), "courses")
    assert np.argmax(back, axis=1).tolist() == [0, 1]


def test_where_the_history_says_nothing_the_order_is_that_of_popularity() -> None:
    world = world_of(["alpha", "beta", "alpha", "gamma", "delta"], (2, 3), [[1, 3], [1, 4, 3], [0, 2]])
    model = Content(ContentConfig(encoder=TfidfConfig(least_texts=1))).fit(world)
    scores = model.score(Histories.from_lists([[1]], 5), "parts")[0]
    popular = Popularity().fit(world).score(Histories.from_lists([[1]], 5), "parts")[0]
    np.testing.assert_array_equal(np.argsort(-scores, kind="stable"), np.argsort(-popular, kind="stable"))
    explanation = model.explain(Histories.from_lists([[1]], 5), "parts", np.array([1]))
    assert explanation.contributions.sum() == 0
    np.testing.assert_allclose(explanation.base, scores[[1]], rtol=1e-6)


def test_a_score_is_the_formula() -> None:
    config = ContentConfig(weights=WORDS, encoder=TfidfConfig(least_texts=1, most_share=1), sharpness=2)
    world = world_of(["a b", "c", "a d", "b b e", "f"], (2, 3), [[0, 2], [1, 3], [3]])
    scores = Content(config).fit(world).score(Histories.from_lists([[0, 1]], 5, [[2.0, 1.0]]), "parts")[0]
    idf = {t: 1 + np.log(6 / (1 + n)) for t, n in {"a": 2, "b": 2, "c": 1, "d": 1, "e": 1, "f": 1}.items()}

    def cosine(left: dict[str, float], right: dict[str, float]) -> float:
        x, y = ({t: (1 + np.log(n)) * idf[t] for t, n in text.items()} for text in (left, right))
        product = sum(x[t] * y[t] for t in x.keys() & y.keys())
        return product / np.sqrt(sum(v * v for v in x.values()) * sum(v * v for v in y.values()))

    first = {"a": 1, "b": 1}
    likeness = np.array([cosine(first, {"a": 1, "d": 1}), cosine(first, {"b": 2, "e": 1}), 0.0])
    used = np.array([1, 2, 1.5])  # the last was used by nobody: the median
    np.testing.assert_allclose(scores, (2 * likeness**2 + config.background) * np.sqrt(used), rtol=1e-5)


@pytest.mark.parametrize(("reach", "crosses", "stays"), [("all", 1, 1), ("within", 0, 1), ("across", 1, 0)])
def test_the_reach_says_which_domains_an_item_speaks_for(reach: str, crosses: int, stays: int) -> None:
    world = two_domain_interactions()[0]
    config = ContentConfig(reach=reach, background=0)
    weights = Content(config).fit(world).weights_.matrix.toarray()
    part, other = world.space.slice("a"), world.space.slice("b")
    assert weights[part, other].any() == bool(crosses)
    assert weights[part, part].any() == bool(stays)
    assert not np.diagonal(weights).any()


@pytest.mark.parametrize("side", [None, SideInformation(6)])
def test_without_side_information_the_error_says_what_to_do(side: SideInformation | None) -> None:
    with pytest.raises(DataError, match="Give items a title"):
        Content().fit(Interactions(APART.space, APART.histories, side))


def test_a_field_that_does_not_exist_is_named() -> None:
    with pytest.raises(DataError, match="nothing of image; they know title"):
        Content(ContentConfig(fields=("image", "title"))).fit(APART)


def test_a_field_that_says_nothing_leaves_every_item_unknown() -> None:
    world = world_of(["", "  ", "!", "", ""], (2, 3), [[0, 2], [1, 3]])
    model = Content().fit(world)
    assert np.isnan(model.score(world.histories, "parts")).all()


def test_what_does_not_fit_into_memory_is_refused() -> None:
    shape = DataShape(10, 100, ItemSpace(("a", "b"), (500_000, 500_000)))
    with pytest.raises(ResourceError, match="Choose a smaller k"):
        Content().plan(shape, FitOptions(memory_bytes=2**30))


@pytest.mark.parametrize("background", [0.0, 0.1])
def test_best_items_are_those_of_the_scores(background: float) -> None:
    world = two_domain_interactions()[0]
    used = world.histories.keep(world.histories.items != 23)
    model = Content(ContentConfig(background=background, weights=WORDS)).fit(
        Interactions(world.space, used, world.side)
    )
    rows = used.take(np.arange(9))
    best = best_items(model, world.space, rows, "b", 4)
    scores = model.score(rows, "b")
    np.testing.assert_allclose(best.scores, -np.sort(-scores, axis=1)[:, :4], rtol=1e-5)


MEMBERS = (
    Member(name="content", model=ContentConfig(background=0.05)),
    Member(name="content-source", model=ContentConfig(background=0.05, k=30), scope="source"),
    Member(name="knn", model=ItemKNNConfig()),
    Member(name="popular", model=PopularityConfig(), scope="target"),
)
WEIGHTS = {"content": 0.4, "content-source": 0.1, "knn": 0.6, "popular": 0.2}
BLEND = BlendConfig(members=MEMBERS, mixes=tuple(Mix(target=target, weights=WEIGHTS) for target in ("a", "b")))


@pytest.fixture(scope="module")
def unused() -> Interactions:
    """The planted world, but nobody has used item 3 of b."""
    world = two_domain_interactions()[0]
    return Interactions(world.space, world.histories.keep(world.histories.items != 23), world.side)


class TestBlendWithContentContract(RecommenderContract):
    scores_unseen = True
    configs = (BLEND, MergedConfig(blend=BLEND), MergedConfig(blend=BLEND, dense_bytes=0, top_k=40))


def test_an_unused_item_counts_in_a_blend_by_what_content_says(unused: Interactions) -> None:
    blend = Blend(BLEND).fit(unused)
    rows = unused.histories.take(np.arange(20))
    scores = blend.score(rows, "b")
    parts = [
        blend.coefficients(rows, "b")[member.name] * blend._member_scores(member, rows, "b")[:, 3]
        for member in MEMBERS[:2]
    ]
    np.testing.assert_allclose(scores[:, 3], sum(parts), rtol=1e-5)


def test_merged_answers_equal_those_of_the_blend(unused: Interactions) -> None:
    blend = Blend(BLEND).fit(unused)
    small = merge(blend)
    again = Merged.from_arrays(small.config, unused.space, small.arrays())
    odd = Histories.from_lists([[23], [3, 23, 23], [], [0, 1, 2]], 40)
    for rows in (unused.histories.take(np.arange(20)), odd):
        for domain in ("a", "b"):
            expected = blend.score(rows, domain)
            np.testing.assert_allclose(again.score(rows, domain), expected, rtol=1e-4, atol=1e-5)
    assert np.isfinite(again.score(odd.take([0]), "a")).all()


def merged_without(unused: Interactions, background: float) -> Merged:
    members = (Member(name="content", model=ContentConfig(background=background)), *MEMBERS[2:])
    weights = {member.name: 0.5 for member in members}
    config = BlendConfig(members=members, mixes=tuple(Mix(target=target, weights=weights) for target in ("a", "b")))
    return merge(Blend(config).fit(unused))


def test_fast_answers_equal_plain_ones(unused: Interactions) -> None:
    model = merged_without(unused, background=0.0)
    assert isinstance(answering(model), Fast)
    assert isinstance(answering(merged_without(unused, background=0.05)), Plain), "it stays unmerged"
    for row in ([23], [3, 23, 23], [0, 1, 2], [0, 20]):
        history = Histories.from_lists([row], 40)
        for domain in ("a", "b"):
            fast, plain = (way(model).answer(history, domain, 5) for way in (Fast, Plain))
            assert fast is not None
            assert plain is not None
            np.testing.assert_array_equal(fast.places, plain.places)
            np.testing.assert_allclose(fast.scores, plain.scores, rtol=1e-4)
            np.testing.assert_allclose(fast.explanation.contributions, plain.explanation.contributions, atol=1e-4)
    assert Fast(model).answer(Histories.from_lists([[]], 40), "a", 5) is None


def test_weights_are_saved_as_plain_arrays() -> None:
    arrays = Content().fit(APART).arrays()
    assert set(arrays) == {"support", "data", "indices", "indptr", "described", "popularity"}
    matrix = sparse.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=(6, 6))
    assert matrix[0, 2] > 0
