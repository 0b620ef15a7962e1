import numpy as np
import pytest
from scipy import sparse

from kuajie.core.errors import ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.diffusion import Diffusion, DiffusionConfig, rp3beta
from kuajie.testing.recommenders import RecommenderContract


class TestDiffusionContract(RecommenderContract):
    configs = (
        DiffusionConfig(),
        DiffusionConfig(form="top-k", k=15, steps=4, binary=False),
        DiffusionConfig(form="low-rank", rank=40, continuation=0.5),
        rp3beta(),
    )


def random_interactions(seed: int = 0, n_people: int = 60, sizes: tuple[int, int] = (30, 21)) -> Interactions:
    rng = np.random.default_rng(seed)
    matrix = (rng.random((n_people, sum(sizes))) < 0.1) * rng.integers(1, 4, (n_people, sum(sizes)))
    matrix[:, 5] = 0  # an item that nobody used
    matrix[7] = 0  # a person who used nothing
    histories = Histories.from_matrix(sparse.csr_array(matrix.astype(np.float32)))
    return Interactions(ItemSpace(("a", "b"), sizes), histories)


def slow_scores(interactions: Interactions, config: DiffusionConfig, history: np.ndarray) -> np.ndarray:
    """The formula, person by person and item by item in loops, then matrix powers."""
    X = interactions.matrix().toarray().astype(float)
    uses = (X > 0).sum(axis=0)
    if config.binary:
        X = (X > 0).astype(float)
    D = np.zeros_like(X)
    for person in range(X.shape[0]):
        for item in range(X.shape[1]):
            if X[person, item]:
                people, items = X[person].sum(), X[:, item].sum()
                D[person, item] = X[person, item] * people**-config.person_power * items**-config.item_power
    start = np.array([h * X[:, i].sum() ** -config.item_power if h else 0.0 for i, h in enumerate(history)])
    growth = np.linalg.eigvalsh(D.T @ D).max()
    scores = np.zeros(X.shape[1])
    reached = start
    for step in range(config.steps):
        reached = reached @ D.T @ D
        scores += (config.continuation / growth) ** step * reached
    return np.where(uses > 0, scores * uses**config.popularity_power, np.nan)


@pytest.mark.parametrize("form", ["dense", "top-k", "low-rank"])
@pytest.mark.parametrize("binary", [True, False])
def test_every_form_is_the_series(form: str, binary: bool) -> None:
    interactions = random_interactions()
    config = DiffusionConfig(form=form, k=100, rank=60, binary=binary, steps=3, continuation=0.8)
    model = Diffusion(config).fit(interactions)
    history = Histories.from_lists([[0, 9, 33, 33]], 51, weights=[[1.0, 2.0, 0.5, 0.5]])
    expected = slow_scores(interactions, config, history.matrix().toarray()[0])
    got = np.concatenate([model.score(history, "a")[0], model.score(history, "b")[0]])
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=1e-6)


def test_top_k_keeps_the_largest_entries_of_each_domain() -> None:
    interactions = random_interactions(1)
    whole = Diffusion(DiffusionConfig(form="dense")).fit(interactions).weights_.arrays()["dense"]
    kept = Diffusion(DiffusionConfig(form="top-k", k=4)).fit(interactions, FitOptions(threads=2)).weights_.arrays()
    kept = sparse.csr_array((kept["data"], kept["indices"], kept["indptr"]), shape=whole.shape).toarray()
    for item in range(51):
        for part in (slice(0, 30), slice(30, 51)):
            largest = np.sort(whole[item, part])[::-1][:4]
            np.testing.assert_allclose(np.sort(kept[item, part])[::-1][:4], largest, rtol=1e-4, atol=1e-9)
            assert (kept[item, part] > 0).sum() <= 4


def test_threads_do_not_change_the_result() -> None:
    interactions = random_interactions(2, 90, (70, 80))
    models = [Diffusion(DiffusionConfig(form="top-k", k=9)).fit(interactions, FitOptions(threads=t)) for t in (1, 3)]
    for name, array in models[0].arrays().items():
        np.testing.assert_array_equal(array, models[1].arrays()[name])


def test_one_round_trip_is_rp3beta() -> None:
    interactions = random_interactions(3)
    X = (interactions.matrix().toarray() > 0).astype(float)
    people, items = X.sum(axis=1), X.sum(axis=0)
    alpha, beta = 0.8, 0.6
    to_person = np.divide(X, items, out=np.zeros_like(X), where=items > 0) ** alpha
    to_item = np.divide(X, people[:, None], out=np.zeros_like(X), where=people[:, None] > 0) ** alpha
    expected = (to_person.T @ to_item)[4] * np.maximum(items, 1) ** -beta
    got = Diffusion(rp3beta(alpha, beta)).fit(interactions).score(Histories.from_lists([[4]], 51), "b")
    np.testing.assert_allclose(got[0], expected[30:], rtol=1e-4)


def test_a_person_reached_in_two_round_trips_needs_two_steps() -> None:
    # item 0 - person 0 - item 1 - person 1 - item 2 of the other domain: nobody used both 0 and 2
    interactions = Interactions(ItemSpace(("a", "b"), (2, 1)), Histories.from_lists([[0, 1], [1, 2]], 3))
    history = Histories.from_lists([[0]], 3)
    assert Diffusion(DiffusionConfig(steps=1)).fit(interactions).score(history, "b")[0, 0] == 0
    assert Diffusion(DiffusionConfig(steps=2)).fit(interactions).score(history, "b")[0, 0] > 0


def test_one_item_catalogues_and_no_overlap_work() -> None:
    space = ItemSpace(("a", "b"), (1, 1))
    model = Diffusion().fit(Interactions(space, Histories.from_lists([[0], [1]], 2)))
    np.testing.assert_array_equal(model.score(Histories.from_lists([[0]], 2), "b"), [[0.0]])


def test_the_plan_goes_from_exact_to_low_rank_and_refuses() -> None:
    def shape(n_people: int, entries: int, items: int) -> DataShape:
        return DataShape(n_people, entries, ItemSpace(("a", "b"), (items, items)))

    assert Diffusion().plan(shape(100_000, 2_000_000, 750), FitOptions()).method == "dense"
    assert Diffusion().plan(shape(5_000, 90_000, 18_000), FitOptions()).method == "top-k"
    assert Diffusion().plan(shape(1_000_000, 20_000_000, 7_500), FitOptions()).method == "low-rank"
    with pytest.raises(ResourceError, match=r"diffusion needs at least .* GiB .* Choose a smaller"):
        Diffusion().plan(shape(1_000_000, 20_000_000, 7_500), FitOptions(memory_bytes=2**27))
