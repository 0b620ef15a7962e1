import numpy as np

from kuajie.core.space import ItemSpace
from kuajie.data.rows import Rows
from kuajie.evaluation.protocols import hide_for_cold

SPACE = ItemSpace(("a", "b"), (10, 10))


def rows(people: list[int], items: list[int]) -> Rows:
    return Rows(np.array(people, np.int64), np.array(items, np.int32))


def test_linked_people_lose_one_domain_and_keep_the_other() -> None:
    people = list(range(20))
    train = rows(people * 2, [p % 10 for p in people] + [10 + p % 10 for p in people])
    asked = {"a": rows(people, [9] * 20), "b": rows(people, [19] * 20)}
    kept = hide_for_cold(train, asked, SPACE, np.random.default_rng(0), share=0.25)
    lost = {}
    for domain in SPACE.domains:
        part = SPACE.slice(domain)
        lost[domain] = set(people) - set(kept.within(part).people.tolist())
    assert len(lost["a"]) == 5
    assert len(lost["b"]) == round(0.25 * 15)  # whoever lost a keeps b
    assert not lost["a"] & lost["b"]


def test_nobody_is_hidden_where_somebody_is_cold_already() -> None:
    train = rows([0, 0, 1], [1, 11, 12])
    asked = {"a": rows([0, 1], [2, 3])}  # person 1 has nothing in a
    assert len(hide_for_cold(train, asked, SPACE, np.random.default_rng(0))) == 3


def test_people_of_one_domain_are_never_hidden() -> None:
    train = rows([0, 1], [1, 2])
    asked = {"a": rows([0, 1], [2, 3])}
    assert len(hide_for_cold(train, asked, SPACE, np.random.default_rng(0), share=1.0)) == 2
