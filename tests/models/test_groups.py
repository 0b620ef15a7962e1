import numpy as np
import pytest

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.side import Labels
from kuajie.core.space import ItemSpace
from kuajie.models.groups import GroupPopularity

SPACE = ItemSpace(("课程", "parts"), (12, 9))
PLACES = ("上海", "北京", "Ulm")


def world(differ: bool = True, n_people: int = 300, seed: int = 0) -> tuple[Interactions, dict[str, Labels]]:
    """People of a place use the parts of that place; courses are the same everywhere."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 3, n_people)
    rows = []
    for person in range(n_people):
        chance = np.where(np.arange(9) % 3 == place[person], 6.0, 1.0) if differ else np.arange(9) + 1.0
        rows.append(
            [*rng.choice(12, 2, replace=False), *(12 + rng.choice(9, 3, replace=False, p=chance / chance.sum()))]
        )
    return Interactions(SPACE, Histories.from_lists(rows, 21)), {"place": Labels.of([PLACES[p] for p in place])}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_group_is_told_what_it_likes(number: int) -> None:
    model = GroupPopularity.fit(*world())
    scores = model.score({"place": Labels.of([PLACES[number]])}, "parts")[0]
    mine = np.arange(9) % 3 == number
    first = world()[1]["place"].names
    assert set(first) == set(PLACES)
    assert scores[mine].min() > scores[~mine].max()


def test_groups_that_do_not_differ_are_told_what_is_popular() -> None:
    model = GroupPopularity.fit(*world(differ=False))
    of_group = model.score({"place": Labels.of(["上海"])}, "parts")[0]
    of_all = model.score({}, "parts")[0]
    np.testing.assert_allclose(of_group, of_all, rtol=0.2)
    assert min(model.fields["place"].strengths) > 100


def test_unknown_groups_and_none_are_told_what_is_popular() -> None:
    model = GroupPopularity.fit(*world())
    everybody = model.score({}, "parts")[0]
    for labels in ({"place": Labels.of(["火星"])}, {"place": Labels.of([None])}, {"trade": Labels.of(["工程师"])}):
        np.testing.assert_allclose(model.score(labels, "parts")[0], everybody, rtol=1e-6)


def test_what_a_few_people_do_is_not_told() -> None:
    data, _ = world()
    names = ["山村" if person < 4 else name for person, name in enumerate(["上海"] * 300)]
    model = GroupPopularity.fit(data, {"place": Labels.of(names)})
    np.testing.assert_allclose(
        model.score({"place": Labels.of(["山村"])}, "parts"), model.score({}, "parts"), rtol=1e-6
    )


def test_who_did_nothing_hides_nobody() -> None:
    data, _ = world()
    quiet = np.isin(data.histories.rows(), [1, 2, 3, 4]) & (data.histories.items >= 12)
    kept = Interactions(SPACE, data.histories.keep(~quiet))  # of five people one used parts, all used courses
    labels = {"place": Labels.of(["山村" if person < 5 else "上海" for person in range(300)])}
    model, village = GroupPopularity.fit(kept, labels), {"place": Labels.of(["山村"])}
    np.testing.assert_allclose(model.score(village, "parts"), model.score({}, "parts"), rtol=1e-6)
    assert model.fields["place"].counts[[0]][:, 12:].nnz == 0
    assert model.fields["place"].counts[[0]][:, :12].sum() == 10


def test_a_field_of_one_value_says_nothing() -> None:
    data, _ = world()
    model = GroupPopularity.fit(data, {"country": Labels.of(["中国"] * 300)})
    of_group = model.score({"country": Labels.of(["中国"])}, "parts")
    np.testing.assert_allclose(of_group, model.score({}, "parts"), rtol=1e-3)


def test_unused_items_are_unknown_and_counts_must_fit() -> None:
    data, attributes = world()
    kept = Interactions(SPACE, data.histories.keep(data.histories.items != 14))
    scores = GroupPopularity.fit(kept, attributes).score({"place": Labels.of(["Ulm", "北京"])}, "parts", 2)
    assert np.isnan(scores[:, 2]).all()
    assert np.isfinite(np.delete(scores, 2, axis=1)).all()
    with pytest.raises(UsageError, match="299 people"):
        GroupPopularity.fit(data, {"place": Labels.of(["a"] * 299)})
