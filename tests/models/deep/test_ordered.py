"""The models of order: the contract, and worlds whose answer only the order tells."""

import numpy as np
import pytest

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError, DataError
from kuajie.core.histories import Histories, Interactions, Order
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.deep.order_configs import (
    CaserConfig,
    ContrastConfig,
    FineTuneConfig,
    GRU4RecConfig,
    OrderTraining,
    SASRecConfig,
)
from kuajie.models.registry import build
from kuajie.models.sequence import SequenceConfig
from kuajie.models.trend import TrendConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.recommenders import RecommenderContract

torch = pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")

from kuajie.models.deep.lines import only_domain  # noqa: E402 # beside the others that need torch
from kuajie.models.deep.sasrec import SASRec  # noqa: E402 # needs torch

QUICK = OrderTraining(epochs=5, batch_size=32, learning_rate=0.02, validation_people=40)
SMALL = {"dim": 16, "length": 8, "dropout": 0.1, "training": QUICK}


@pytest.fixture(scope="module")
def planted() -> Interactions:
    return two_domain_interactions(n_people=200)[0]


@pytest.fixture(scope="module")
def early(planted: Interactions) -> SASRec:
    """One epoch is too little: whatever goes on from here is better."""
    training = QUICK.model_copy(update={"epochs": 1, "learning_rate": 0.005})
    config = SASRecConfig.parse({**SMALL, "blocks": 1, "training": training})
    return SASRec(config).fit(planted, FitOptions(threads=1))


class TestOrderedContract(RecommenderContract):
    configs = (
        SASRecConfig(blocks=1, negatives=None, diversity=0.1, **SMALL),
        GRU4RecConfig(hidden=16, loss="bpr-max", negatives=8, **SMALL),
        CaserConfig(window=3, filters=4, negatives=8, contrast=ContrastConfig(), trend=TrendConfig(power=0.1), **SMALL),
    )


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


@pytest.mark.parametrize("which", ["biases", "lora", "all"])
def test_fine_tuning_keeps_what_is_better_and_shares_the_tables(
    which: str, early: SASRec, planted: Interactions
) -> None:
    from kuajie.models.deep.finetune import own_parameters, tables

    tune = {"which": which, "rank": 4, "epochs": 4, "learning_rate": 0.03}
    config = early.config.model_copy(update={"fine_tune": FineTuneConfig.parse(tune)})
    model = SASRec(config).fit(planted, FitOptions(threads=1))
    assert model.tuned_
    for name, tensor in model.network_.state_dict().items():
        np.testing.assert_array_equal(tensor, early.network_.state_dict()[name])  # the base is as it was
    for network in model.tuned_.values():
        assert [id(table) for table in tables(network)] == [id(table) for table in tables(model.network_)]
        base = own_parameters(model.network_)
        moved = {name for name, value in own_parameters(network).items() if (value != base[name]).any()}
        matrices = {name for name in moved if base[name].ndim == 2}
        assert moved
        assert matrices == {"biases": set(), "lora": moved, "all": matrices}[which]
        assert all(parameter.requires_grad for parameter in network.parameters())
    again = SASRec.from_arrays(config, planted.space, model.arrays())
    histories = planted.histories.take(np.arange(9))
    for domain in planted.space.domains:
        np.testing.assert_allclose(again.score(histories, domain), model.score(histories, domain), rtol=1e-5, atol=1e-6)
        same = np.allclose(early.score(histories, domain), model.score(histories, domain), rtol=1e-2)
        assert same is (domain not in model.tuned_)


def test_tuned_networks_stay_on_the_device_until_the_last_is_tuned(
    planted: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share the tables: one that is moved takes those of all others along."""
    from kuajie.models.deep.finetune import sharing_tables

    done: list[str] = []

    def tuned(self: SASRec, network: torch.nn.Module, windows: object, target: str, *_: object) -> torch.nn.Module:
        done.append(target)
        found = sharing_tables(network)
        monkeypatch.setattr(found, "to", lambda device: done.append(f"to {device}"), raising=False)
        return found

    monkeypatch.setattr(SASRec, "_fine_tune", tuned)
    early = QUICK.model_copy(update={"epochs": 1})
    config = SASRecConfig.parse({**SMALL, "blocks": 1, "training": early, "fine_tune": FineTuneConfig()})
    SASRec(config).fit(planted, FitOptions(threads=1))
    assert done == [*planted.space.domains, "to cpu", "to cpu"]


def test_a_prior_is_multiplied_to_the_probabilities(planted: Interactions) -> None:
    few = {**SMALL, "blocks": 1, "training": QUICK.model_copy(update={"epochs": 2})}
    plain = SASRec(SASRecConfig.parse(few)).fit(planted, FitOptions(threads=1))
    prior = SequenceConfig(steps=1, window=2, neighbours=4, trend=TrendConfig())
    config = SASRecConfig.parse({**few, "prior": prior.model_dump(), "prior_weight": 0.5})
    model = SASRec(config).fit(planted, FitOptions(threads=1))
    histories = planted.histories.take(np.arange(7))
    for domain in planted.space.domains:
        near = model.prior_.score(histories, domain)
        assert (near == 0).any()  # what no way leads to comes after everything else, but has an order
        got, known = model.score(histories, domain), near > 0
        wanted = 0.5 * plain.score(histories, domain) + np.log(np.where(known, near, 1e-6 * near.max(axis=1)[:, None]))
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
        flat = model.with_config(config.model_copy(update={"prior_weight": 0.0}))
        np.testing.assert_allclose(flat.score(histories, domain)[known], np.log(near[known]), rtol=1e-4, atol=1e-4)
        again = SASRec.from_arrays(config, planted.space, model.arrays())
        np.testing.assert_allclose(again.score(histories, domain), got, rtol=1e-5, atol=1e-5)
    shape = DataShape.of(planted)
    assert model.plan(shape, FitOptions()).seconds > plain.plan(shape, FitOptions()).seconds


def test_the_losses_that_are_asked_for_are_added(planted: Interactions) -> None:
    """Contrast over the rows that have both domains; diversity over each domain's entries; nothing else changes."""
    from kuajie.models.deep.losses import info_nce_loss, similarity_of_lists

    def model(**more: object) -> SASRec:
        made = SASRec(SASRecConfig.parse({**SMALL, "negatives": None, **more}))
        made.space_, made.support_ = planted.space, planted.support()
        made.covered_ = made.support_ > 0
        return made

    plain = model()
    torch.manual_seed(0)
    network = plain.network(planted.space).eval()
    some = Interactions(planted.space, planted.histories.take(np.arange(20)))
    some = Interactions(planted.space, some.histories.keep((some.histories.rows() > 2) | (some.histories.items < 20)))
    items, told, lengths, rng = next(iter(plain.batches(some)(np.random.default_rng(0))))
    batch = (items, told, lengths, rng)
    parts = [only_domain(items, planted.space, domain) for domain in planted.space.domains]
    both = np.flatnonzero((parts[0][1] > 0) & (parts[1][1] > 0))
    assert 2 < len(both) < len(items)
    views = [network.last_state(torch.from_numpy(line[both]), torch.from_numpy(size[both])) for line, size in parts]
    added = 3 * info_nce_loss(views[0], views[1], 0.5)
    base = plain.loss(network, batch)
    contrasted = model(contrast={"weight": 3.0, "temperature": 0.5}).loss(network, batch)
    torch.testing.assert_close(contrasted, base + added)
    states, alike = network.states(torch.from_numpy(items), torch.from_numpy(lengths)), 0.0
    for number, domain in enumerate(planted.space.domains):
        part = planted.space.slice(domain)
        inside = torch.from_numpy((told >= part.start) & (told < part.stop))
        logits = network.logits(states[inside], number, part)
        alike = alike + int(inside.sum()) * similarity_of_lists(logits, network.items.weight[part])
    wanted = base + 2 * alike / int((told >= 0).sum())
    torch.testing.assert_close(model(diversity=2.0).loss(network, batch), wanted)


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
