"""The models of order: the contract, and worlds whose answer only the order tells."""

import numpy as np
import pytest

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError, DataError
from kuajie.core.histories import Histories, Interactions, Order
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.core.space import ItemSpace
from kuajie.models.deep.order_configs import CaserConfig, ContrastConfig, GRU4RecConfig, OrderTraining, SASRecConfig
from kuajie.models.registry import build
from kuajie.models.trend import TrendConfig
from kuajie.testing.recommenders import RecommenderContract, World

pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")
QUICK = OrderTraining(epochs=5, batch_size=32, learning_rate=0.02, validation_people=40)
SMALL = {"dim": 16, "length": 8, "dropout": 0.1, "training": QUICK}
FITTED: dict[Config, Recommender] = {}


class TestOrderedContract(RecommenderContract):
    configs = (
        SASRecConfig(blocks=1, negatives=None, diversity=0.1, **SMALL),
        GRU4RecConfig(hidden=16, loss="bpr-max", negatives=8, **SMALL),
        CaserConfig(window=3, filters=4, negatives=8, contrast=ContrastConfig(), trend=TrendConfig(power=0.1), **SMALL),
    )

    @pytest.fixture
    def model(self, config: Config, world: World) -> Recommender:
        """Fitted once for all tests, which change nothing of it."""
        if config not in FITTED:
            FITTED[config] = build(config).fit(world[0], FitOptions(threads=1))
        return FITTED[config]


SPACE = ItemSpace(("a", "b"), (12, 12))
STEP = np.random.default_rng(5).permutation(24)


def walks(n_people: int, order: Order, seed: int = 0) -> Histories:
    """Everybody starts anywhere and goes where the item leads: sets of items say nothing about the next one."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n_people):
        row = [int(rng.integers(24))]
        for _ in range(7):
            row.append(int(STEP[row[-1]]) if rng.random() < 0.9 else int(rng.integers(24)))
        rows.append(row)
    return Histories.from_lists(rows, 24, order=order)


@pytest.mark.parametrize(
    "config",
    [
        SASRecConfig(**SMALL | {"training": QUICK.model_copy(update={"epochs": 12})}),
        GRU4RecConfig(**SMALL | {"training": QUICK.model_copy(update={"epochs": 12})}),
        CaserConfig(**SMALL | {"training": QUICK.model_copy(update={"epochs": 12})}),
    ],
    ids=lambda config: config.kind,
)
def test_what_follows_is_told_from_the_newest_entry(config: Config) -> None:
    model = build(config).fit(Interactions(SPACE, walks(300, "joint")), FitOptions(threads=1))
    asked, right = walks(100, "joint", seed=9), 0
    for domain in SPACE.domains:
        part = SPACE.slice(domain)
        wanted = STEP[asked.items[asked.indptr[1:] - 1]]
        rows = np.flatnonzero((wanted >= part.start) & (wanted < part.stop))
        best = model.score(asked.take(rows), domain).argmax(axis=1) + part.start
        right += int((best == wanted[rows]).sum())
    assert right > 90


def test_orders_inside_domains_are_never_interleaved() -> None:
    """Both domains' rows are kept, the same however the domains are woven together."""
    config = SASRecConfig(**SMALL)
    woven = Histories.from_lists([[0, 12, 1, 13, 2], [14, 3, 15, 4], [5, 6, 16]], 24, order="domain")
    apart = Histories.from_lists([[0, 1, 2, 12, 13], [3, 4, 14, 15], [16, 5, 6]], 24, order="domain")
    model = build(config).fit(Interactions(SPACE, walks(60, "domain")), FitOptions(threads=1))
    for domain in SPACE.domains:
        np.testing.assert_array_equal(model.score(woven, domain), model.score(apart, domain))


def test_events_without_order_are_refused() -> None:
    with pytest.raises(DataError, match="reads the order of events, and these have none"):
        build(SASRecConfig(**SMALL)).fit(Interactions(SPACE, walks(20, "none")))


@pytest.mark.parametrize(
    ("kind", "values", "problem"),
    [
        (SASRecConfig, {"dim": 10, "heads": 3}, "heads must divide dim, got 3 and 10"),
        (GRU4RecConfig, {"loss": "bpr-max", "negatives": None}, "loss = bpr-max needs negatives"),
        (CaserConfig, {"dropout": 1.0}, "dropout"),
        (SASRecConfig, {"training": {"epochs": 0}}, "epochs"),
    ],
)
def test_wrong_settings_are_refused(kind: type[Config], values: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        kind.parse(values)
