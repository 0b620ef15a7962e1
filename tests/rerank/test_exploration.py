"""Shuffled lists: the logged probabilities are those that happen."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.records import Account, RankedItem, RankedList
from kuajie.rerank.exploration import ExplorationConfig, explored
from kuajie.testing.stores import NOW


def ranked(size: int, list_id: str = "l") -> RankedList:
    items = tuple(
        RankedItem(domain="车", item=f"物{n}", title="", score=float(-n), propensity=1.0) for n in range(size)
    )
    account = Account(domain="课程", user="张三")
    return RankedList(list_id=list_id, account=account, target="车", model_version="v", created_at=NOW, items=items)


@pytest.mark.parametrize(
    ("size", "k", "epsilon", "pool"), [(6, 3, 0.3, 6), (8, 8, 1.0, 4), (3, 5, 0.5, 20), (30, 2, 0.1, 5)]
)
def test_what_is_logged_is_what_happens(size: int, k: int, epsilon: float, pool: int) -> None:
    config = ExplorationConfig(epsilon=epsilon, pool=pool)
    best = ranked(min(size, config.candidates(k)))
    lists = 8_000
    seen = np.zeros((len(best.items), min(k, size)))
    logged = np.full_like(seen, np.nan)
    for number in range(lists):
        shown = explored(
            RankedList(**{**{f: getattr(best, f) for f in best.__struct_fields__}, "list_id": f"{number}"}), k, config
        )
        for place, each in enumerate(shown.items):
            item = int(each.item[1:])
            seen[item, place] += 1
            assert np.isnan(logged[item, place]) or logged[item, place] == each.propensity, "one number for a place"
            logged[item, place] = each.propensity
    happened = np.nan_to_num(logged)
    error = 5 * np.sqrt(happened * (1 - happened) / lists) + 1e-12
    assert (np.abs(seen / lists - happened) <= error).all()
    assert happened.sum(axis=0) == pytest.approx(np.ones(min(k, size))), "somebody is at every place"


def test_weighing_by_propensities_is_unbiased() -> None:
    """Inverse propensity scoring of shuffled lists gives the clicks that the lists in their own order would have."""
    config, best, k, lists = ExplorationConfig(epsilon=0.4, pool=5), ranked(5), 3, 10_000
    click = np.array([[0.5, 0.2, 0.1], [0.3, 0.6, 0.1], [0.9, 0.1, 0.7], [0.2, 0.2, 0.2], [0.8, 0.8, 0.8]])
    generator = np.random.default_rng(0)
    total = []
    for number in range(lists):
        shown = explored(msgspec.structs.replace(best, list_id=str(number)), k, config)
        for place, each in enumerate(shown.items):
            item = int(each.item[1:])
            clicked = generator.random() < click[item, place]
            total.append(clicked * (item == place) / each.propensity)
    truth = click[[0, 1, 2], [0, 1, 2]].sum()
    assert np.sum(total) / lists == pytest.approx(truth, abs=0.05)
    assert best.items[0].propensity == 1.0


def test_a_list_id_gives_one_list() -> None:
    config = ExplorationConfig(epsilon=0.5, pool=10)
    assert explored(ranked(10, "一"), 5, config) == explored(ranked(10, "一"), 5, config)
    assert len({explored(ranked(10, f"{n}"), 5, config).items for n in range(50)}) > 10


@given(st.integers(0, 12), st.integers(1, 12), st.floats(0, 1), st.integers(1, 200), st.text())
def test_lists_stay_lists(size: int, k: int, epsilon: float, pool: int, list_id: str) -> None:
    config = ExplorationConfig(epsilon=epsilon, pool=pool)
    shown = explored(ranked(size, list_id.encode("utf-8", "replace").decode()), k, config)
    names = [each.item for each in shown.items]
    assert len(set(names)) == len(names) == min(size, k)
    assert all(0 < each.propensity <= 1 + 1e-9 for each in shown.items)


def test_it_is_off_unless_told() -> None:
    best = ranked(6)
    assert explored(best, 6, ExplorationConfig()) is best
    assert explored(best, 2, ExplorationConfig()).items == best.items[:2]
    assert ExplorationConfig().candidates(7) == 7
