from dataclasses import replace

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.histories import Histories
from kuajie.core.recommender import FitOptions
from kuajie.core.side import Labels, SideInformation
from kuajie.models.blend import Blend, BlendConfig, Member, Mix, scale_sample, score_scale
from kuajie.models.content import ContentConfig
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.models.merged import MergedConfig, merge
from kuajie.models.popularity import PopularityConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.recommenders import RecommenderContract

MEMBERS = (
    Member(name="knn", model=ItemKNNConfig(), scope="joint"),
    Member(name="knn-target", model=ItemKNNConfig(shrinkage=2.0), scope="target"),
    Member(name="knn-source", model=ItemKNNConfig(), scope="source"),
    Member(name="popular", model=PopularityConfig(), scope="target"),
)
FEW = {"knn": 1.0, "knn-source": 0.5, "popular": 0.2}
MANY = {"knn": 0.5, "knn-target": 1.0, "popular": 0.1}
CONFIG = BlendConfig(
    members=MEMBERS,
    mixes=tuple(Mix(target=t, at_least=n, weights=w) for t in ("a", "b") for n, w in ((0, FEW), (4, MANY))),
)


class TestBlendContract(RecommenderContract):
    configs = (CONFIG,)


class TestMergedContract(RecommenderContract):
    configs = (MergedConfig(blend=CONFIG), MergedConfig(blend=CONFIG, dense_bytes=0, top_k=20))


@pytest.fixture(scope="module")
def world():
    return two_domain_interactions()[0]


def test_a_blend_is_the_weighted_sum_of_its_scaled_members(world) -> None:
    config = BlendConfig(members=MEMBERS[:2], mixes=(Mix(target="b", weights={"knn": 2.0, "knn-target": 1.0}),))
    blend = Blend(config).fit(world, FitOptions())
    rows = world.histories.take(np.arange(20))
    joint = ItemKNN(ItemKNNConfig()).fit(world).score(rows, "b")
    target = ItemKNN(ItemKNNConfig(shrinkage=2.0)).fit(world.only("b")).score(rows.only(world.space.slice("b")), "b")
    everybody = world.histories.take(scale_sample(world, FitOptions().seed))
    scales = [
        score_scale(ItemKNN(ItemKNNConfig()).fit(world).score(everybody, "b")),
        score_scale(
            ItemKNN(ItemKNNConfig(shrinkage=2.0))
            .fit(world.only("b"))
            .score(everybody.only(world.space.slice("b")), "b")
        ),
    ]
    np.testing.assert_allclose(blend.score(rows, "b"), 2 * joint / scales[0] + target / scales[1], rtol=1e-4)


def test_the_mix_depends_on_the_known_entries_of_the_target(world) -> None:
    blend = Blend(CONFIG).fit(world, FitOptions())
    part = world.space.slice("b")
    histories = world.histories.take(np.arange(50))
    counts = histories.only(part).lengths
    coefficients = blend.coefficients(histories, "b")
    assert set(counts >= 4) == {True, False}
    np.testing.assert_array_equal(coefficients["knn-target"] > 0, counts >= 4)
    np.testing.assert_array_equal(coefficients["knn-source"] > 0, counts < 4)


def test_merging_changes_no_score(world) -> None:
    blend = Blend(CONFIG).fit(world, FitOptions())
    merged = merge(blend)
    for domain in world.space.domains:
        np.testing.assert_allclose(
            merged.score(world.histories, domain), blend.score(world.histories, domain), rtol=2e-4, atol=1e-5
        )


def test_members_without_a_score_add_nothing(world) -> None:
    blend = Blend(CONFIG).fit(world, FitOptions())
    alone = world.histories.only(world.space.slice("b")).take(np.arange(5))  # no source history: knn-source is NaN
    assert np.isfinite(blend.score(alone, "b")).all()


def test_scale_of_scores_that_do_not_vary_is_one() -> None:
    assert score_scale(np.full((3, 4), 7.0, dtype=np.float32)) == 1.0
    assert score_scale(np.full((3, 4), np.nan, dtype=np.float32)) == 1.0


def test_wrong_names_are_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="unknown"):
        BlendConfig(members=MEMBERS, mixes=(Mix(target="a", weights={"nobody": 1.0}),))
    with pytest.raises(pydantic.ValidationError, match="at_least = 0"):
        BlendConfig(members=MEMBERS, mixes=(Mix(target="a", at_least=2, weights={"knn": 1.0}),))


def test_people_that_no_member_knows_are_left_to_the_fallback(world) -> None:
    config = BlendConfig(members=MEMBERS[1:2], mixes=(Mix(target="b", weights={"knn-target": 1.0}),))
    strangers = world.histories.without(world.space.slice("b")).take([0, 1])
    blend = Blend(config).fit(world, FitOptions())
    assert np.isnan(blend.score(strangers, "b")).all()
    assert np.isnan(merge(blend).score(strangers, "b")).all()


@given(described=st.integers(0, 2**12 - 1), scope=st.sampled_from(["joint", "target"]), at=st.integers(0, 39))
@settings(deadline=None, max_examples=15)
def test_merging_changes_no_score_where_a_member_has_a_base(world, described: int, scope: str, at: int) -> None:
    """Some items have no label: who used only those gets nothing of `content`, its base neither."""
    labels = Labels.of([f"类{n % 3}" if n >= 12 or described >> n & 1 else None for n in range(40)])
    data = replace(world, side=SideInformation(40, labels={"category": labels}))
    members = (MEMBERS[0], Member(name="content", model=ContentConfig(background=0.5), scope=scope))
    mixes = tuple(Mix(target=t, weights={"knn": 1.0, "content": 1.0}) for t in ("a", "b"))
    blend = Blend(BlendConfig(members=members, mixes=mixes)).fit(data, FitOptions())
    merged = merge(blend)
    histories = Histories.from_lists([[at], [0, 1], [11, 39], []], 40)
    for domain in world.space.domains:
        scores = blend.score(histories, domain)
        np.testing.assert_allclose(merged.score(histories, domain), scores, rtol=2e-4, atol=1e-5)
        for model in (blend, merged):
            told = model.explain(histories.take([0]), domain, np.arange(20))
            known = ~np.isnan(scores[0])
            np.testing.assert_allclose(
                (told.contributions.sum(axis=1) + told.base)[known], scores[0][known], rtol=2e-4, atol=1e-5
            )
