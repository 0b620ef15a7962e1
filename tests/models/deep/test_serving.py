"""A blend with a deep member: merged, stored, loaded in another place, and asked for one history at a time."""

from pathlib import Path

import numpy as np
import pytest

from kuajie.core.recommender import FitOptions
from kuajie.models.answering import answering
from kuajie.models.blend import Blend, BlendConfig, Member, Mix
from kuajie.models.deep.order_configs import FineTuneConfig, OrderTraining, SASRecConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.merged import Merged, merge
from kuajie.models.registry import parse_config
from kuajie.models.trend import TrendConfig
from kuajie.storage.tensors import map_tensors, write_tensors
from kuajie.testing.planted import two_domain_interactions

pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")


def test_a_blend_with_a_deep_member_serves(tmp_path: Path) -> None:
    interactions = two_domain_interactions(n_people=100)[0]
    training = OrderTraining(epochs=2, learning_rate=0.02)
    deep = SASRecConfig(dim=8, blocks=1, trend=TrendConfig(), fine_tune=FineTuneConfig(epochs=2), training=training)
    members = (Member(name="near", model=ItemKNNConfig()), Member(name="order", model=deep))
    mixes = tuple(Mix(target=domain, weights={"near": 0.5, "order": 0.5}) for domain in ("a", "b"))
    blend = Blend(BlendConfig(members=members, mixes=mixes)).fit(interactions, FitOptions(threads=1))
    merged = merge(blend)
    assert not merged.contains_histories
    write_tensors(tmp_path / "arrays.safetensors", merged.arrays())
    config = parse_config(merged.config.model_dump(mode="json"))
    again = Merged.from_arrays(config, interactions.space, map_tensors(tmp_path / "arrays.safetensors"))
    histories = interactions.histories.take(np.arange(6))
    for domain in interactions.space.domains:
        wanted = blend.score(histories, domain)
        np.testing.assert_allclose(again.score(histories, domain), wanted, rtol=1e-3, atol=1e-4)
        found = answering(again).answer(histories.take([2]), domain, 3, seen=np.zeros(0, np.int32))
        assert found is not None
        assert found.explanation is not None
        np.testing.assert_array_equal(found.places, np.argsort(-wanted[2], kind="stable")[:3])
