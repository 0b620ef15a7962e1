"""EMCDR and PTUPCDR: the contract, and people who are new in a domain whose topics are shuffled against the other's."""

import numpy as np
import pytest

from kuajie.core.recommender import FitOptions
from kuajie.models.deep.configs import TrainingConfig
from kuajie.models.deep.mapped import own_share
from kuajie.models.deep.set_configs import EMCDRConfig, PTUPCDRConfig
from kuajie.models.registry import build
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.recommenders import RecommenderContract

pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")
QUICK = TrainingConfig(epochs=10, batch_size=100, learning_rate=0.03, patience=4, validation_people=50)


class TestEMCDRContract(RecommenderContract):
    configs = (EMCDRConfig(dim=16, hidden=16, training=QUICK),)


class TestPTUPCDRContract(RecommenderContract):
    configs = (PTUPCDRConfig(dim=8, hidden=8, prior=1.0, training=QUICK),)


@pytest.mark.parametrize(
    "config", [EMCDRConfig(dim=16, hidden=None, training=QUICK), PTUPCDRConfig(dim=8, training=QUICK)]
)
def test_people_new_in_a_domain_are_mapped_by_linked_ones(config) -> None:
    interactions, topics, item_topics = two_domain_interactions()
    space, new = interactions.space, np.arange(40)
    histories = interactions.histories
    hidden = np.isin(histories.rows(), new) & (space.domain_of(histories.items) == 1)
    known = type(interactions)(space, histories.keep(~hidden))
    model = build(config).fit(known, FitOptions(threads=1))
    scores = model.score(known.histories.take(new), "b")
    assert (item_topics[space.slice("b")][np.argmax(scores, axis=1)] == topics[new]).mean() > 0.95


def test_own_history_weighs_against_the_mapped() -> None:
    counts, elsewhere = np.array([0, 0, 3, 3]), np.array([True, False, True, False])
    np.testing.assert_allclose(own_share(counts, elsewhere, 0.0), [0, 1, 1, 1])
    np.testing.assert_allclose(own_share(counts, elsewhere, 1.0), [0, 1, 0.75, 1])
