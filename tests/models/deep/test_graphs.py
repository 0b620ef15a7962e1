"""LightGCN and BiTGCF: the contract, and their propagation against dense matrices."""

import numpy as np
import pytest
from scipy import sparse

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.deep.configs import TrainingConfig
from kuajie.models.deep.set_configs import BiTGCFConfig, LightGCNConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.recommenders import RecommenderContract

torch = pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")
QUICK = TrainingConfig(epochs=8, batch_size=100, learning_rate=0.03, patience=2, validation_people=50)


class TestLightGCNContract(RecommenderContract):
    configs = (
        LightGCNConfig(dim=16, rounds=1, training=QUICK),
        LightGCNConfig(dim=16, loss="bpr", negatives=10, training=QUICK),
    )


class TestBiTGCFContract(RecommenderContract):
    configs = (BiTGCFConfig(dim=16, rounds=1, training=QUICK),)


def small_world(n_domains: int = 2, seed: int = 0) -> Interactions:
    """Random people, some known in a single domain."""
    rng = np.random.default_rng(seed)
    sizes = tuple(range(5, 5 + n_domains))
    space = ItemSpace(tuple("abcd"[:n_domains]), sizes)
    rows = [np.flatnonzero(rng.random(space.n_items) < 0.4).tolist() for _ in range(12)]
    rows += [[0, 1], [space.n_items - 1], []]
    return Interactions(space, Histories.from_lists(rows, space.n_items))


def fitted(config, world):
    return config_class(config)(config).fit(world, FitOptions(threads=1))


def config_class(config):
    from kuajie.models.registry import model_class

    return model_class(config.kind)


NO_VALIDATION = TrainingConfig(epochs=2, validation_people=0, batch_size=5)


def test_lightgcn_spreads_as_the_dense_normalised_adjacency_does() -> None:
    world = small_world()
    model = config_class(LightGCNConfig())(LightGCNConfig(dim=3, rounds=2, training=NO_VALIDATION))
    model.space_, model.support_ = world.space, world.support()
    network = model.network(world.space)
    model.prepare(network, world, FitOptions())
    n, m = world.n_people, world.space.n_items
    x = world.matrix().toarray()
    whole = np.zeros((n + m, n + m))
    whole[:n, n:], whole[n:, :n] = x, x.T
    degrees = whole.sum(axis=1)
    scale = np.divide(1, np.sqrt(degrees), out=np.zeros(n + m), where=degrees > 0)
    adjacency = scale[:, None] * whole * scale
    layer = np.concatenate([np.zeros((n, 3)), network.items.weight.detach().numpy()])
    layers = [layer]
    for _ in range(4):
        layer = adjacency @ layer
        layers.append(layer)
    wanted = sum(layers[::2])[n:] / 3
    with torch.no_grad():
        np.testing.assert_allclose(network().numpy(), wanted, rtol=1e-5, atol=1e-6)
    people = model.weights(world.histories, "a") @ wanted
    np.testing.assert_allclose(people, (adjacency @ sum(layers[::2]) / 3)[:n], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_domains", [2, 3])
def test_bitgcf_hands_on_what_the_formula_says(n_domains: int) -> None:
    world = small_world(n_domains)
    config = BiTGCFConfig(dim=3, rounds=2, own=0.7, training=NO_VALIDATION)
    model = config_class(config)(config)
    model.space_, model.support_ = world.space, world.support()
    network = model.network(world.space)
    model.prepare(network, world, FitOptions())
    x, space = world.matrix().toarray(), world.space
    items = world.support()
    layer = network.items.weight.detach().numpy().astype(np.float64)
    layers = [layer]
    for _ in range(2):
        handed = people_of(x, items, layer, space, 0.7)
        after = np.zeros_like(layer)
        for number, name in enumerate(space.domains):
            part = space.slice(name)
            for u in range(len(x)):
                for i in range(part.start, part.stop):
                    if x[u, i]:
                        after[i] += handed[u, number] / np.sqrt(x[u, part].sum() * items[i])
        layer = after
        layers.append(layer)
    wanted = sum(layers) / 3
    with torch.no_grad():
        np.testing.assert_allclose(network().numpy(), wanted, rtol=1e-4, atol=1e-5)
    for number, name in enumerate(space.domains):
        got = model.weights(world.histories, name) @ wanted
        np.testing.assert_allclose(got, people_of(x, items, wanted, space, 0.7)[:, number], rtol=1e-4, atol=1e-5)


def people_of(x, items, vectors, space, own):
    """u'_d of everybody, person by person: (n_people, n_domains, dim)."""
    found = np.zeros((len(x), len(space.domains), vectors.shape[1]))
    for u, row in enumerate(x):
        said, counts = {}, {}
        for number, name in enumerate(space.domains):
            part = space.slice(name)
            count = row[part].sum()
            if count:
                said[number] = sum(
                    vectors[i] / np.sqrt(count * items[i]) for i in range(part.start, part.stop) if row[i]
                )
                counts[number] = count
        for d in range(len(space.domains)):
            others = [said[s] for s in said if s != d]
            if not said:
                continue
            if d in said and others:
                common = own * said[d] + (1 - own) * np.mean(others, axis=0)
            else:
                common = said[d] if d in said else np.mean(others, axis=0)
            share = sum(counts[s] * said[s] for s in said) / sum(counts.values())
            found[u, d] = (common + share) / 2
    return found


def test_the_product_with_edges_has_the_gradient_of_a_dense_one() -> None:
    from kuajie.models.deep.edges import Edges

    rng = np.random.default_rng(1)
    matrix = sparse.csr_array(sparse.random(6, 9, 0.3, format="csr", dtype=np.float32, rng=rng))
    vectors = torch.randn(9, 4, requires_grad=True)
    dense = vectors.detach().clone().requires_grad_(True)
    weights = torch.randn(6, 4)
    ((Edges(matrix) @ vectors) * weights).sum().backward()
    ((torch.from_numpy(matrix.toarray()) @ dense) * weights).sum().backward()
    torch.testing.assert_close(vectors.grad, dense.grad)


def test_nothing_of_people_is_kept() -> None:
    world = two_domain_interactions(n_people=123)[0]
    config = LightGCNConfig(dim=4, training=NO_VALIDATION)
    model = fitted(config, world)
    assert not model.network_.hops
    assert all(123 not in array.shape for array in model.arrays().values())
