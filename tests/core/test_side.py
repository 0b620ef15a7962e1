"""Side information: labels, graphs, and what does not fit together."""

import numpy as np
import pytest

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.side import Labels, SideInformation, TripleGraph
from kuajie.core.space import ItemSpace


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_labels_are_numbered_by_first_appearance() -> None:
    labels = Labels.of(["口红", "", None, ["轮毂", "口红", "轮毂", ""]])
    assert labels.names == ("口红", "轮毂")
    assert labels.matrix.toarray().tolist() == [[True, False], [False, False], [False, False], [True, True]]


def test_a_graph_counts_its_entities() -> None:
    graph = TripleGraph(2, ("涡轮",), ("about",), ints(0, 1), ints(0, 0), ints(2, 2))
    assert (graph.n_entities, graph.n_triples) == (3, 2)


@pytest.mark.parametrize(
    ("heads", "kinds", "tails"), [([3], [0], [0]), ([0], [1], [0]), ([0], [0], [-1]), ([0], [0], [1, 2])]
)
def test_a_graph_outside_its_entities_is_refused(heads: list[int], kinds: list[int], tails: list[int]) -> None:
    with pytest.raises(UsageError, match=r"a graph needs 1 .* in 0\.\."):
        TripleGraph(2, ("a",), ("r",), ints(*heads), ints(*kinds), ints(*tails))


def test_side_information_of_other_items_is_refused() -> None:
    with pytest.raises(UsageError, match="'title' is of 1 items, the space has 2"):
        SideInformation(2, texts={"title": ["one"]})
    histories = Histories.from_lists([[0, 1]], 2)
    with pytest.raises(UsageError, match="side information is of 3 items, the space has 2"):
        Interactions(ItemSpace(("a",), (2,)), histories, SideInformation(3))


def test_it_stays_with_the_interactions() -> None:
    side = SideInformation(2, texts={"title": ["一", "two"]})
    interactions = Interactions(ItemSpace(("a", "b"), (1, 1)), Histories.from_lists([[0, 1], [0]], 2), side)
    assert interactions.only("a").side is side
    assert interactions.take([1]).side is side
    assert interactions.take([1]).n_people == 1


def test_labels_become_entities_where_no_triple_says_them() -> None:
    graph = TripleGraph(
        3, ("brand:Ｂosch", "涡轮"), ("brand", "about"), *(np.array(x, np.int32) for x in ([0, 1], [0, 1], [3, 4]))
    )
    labels = {"brand": Labels.of(["bosch", "BOSCH", None]), "topic": Labels.of([None, ["涡轮", "刹车"], "刹车"])}
    joint = SideInformation(3, labels=labels, graph=graph).joint
    assert joint.entities == ("brand:Ｂosch", "涡轮", "topic:刹车")
    assert joint.relations == ("brand", "about", "topic")
    listed = sorted(zip(joint.heads.tolist(), joint.kinds.tolist(), joint.tails.tolist(), strict=True))
    assert listed == [(0, 0, 3), (1, 0, 3), (1, 1, 4), (1, 2, 5), (2, 2, 5)]
    assert SideInformation(3).joint.n_triples == 0


def test_a_label_is_the_entity_of_its_bare_name_only_where_a_triple_says_so() -> None:
    graph = TripleGraph(3, ("apple", "high"), ("contains",), ints(0, 2), ints(0, 0), ints(3, 4))
    labels = {"brand": Labels.of([None, "Apple", None]), "level": Labels.of(["high", None, "Ｈigh"])}
    joint = SideInformation(3, labels=labels, graph=graph).joint
    assert joint.entities == ("apple", "high", "brand:Apple")
    listed = list(zip(joint.heads.tolist(), joint.kinds.tolist(), joint.tails.tolist(), strict=True))
    # a triple joins item 2 to its level, so that the level is that entity; none joins Apple to an item of the brand
    assert listed == [(0, 0, 3), (2, 0, 4), (1, 1, 5), (0, 2, 4)]


def test_the_joint_graph_is_made_once_and_keeps_english_names() -> None:
    graph = TripleGraph(1, ("涡轮",), ("about",), ints(0), ints(0), ints(1), {"涡轮": "turbo"})
    side = SideInformation(1, labels={"brand": Labels.of(["博世"])}, graph=graph)
    assert side.joint is side.joint
    assert side.joint.english == {"涡轮": "turbo"}


def test_null_in_a_list_is_no_label() -> None:
    labels = Labels.of([["a", None], [None], None])
    assert labels.names == ("a",)
    assert labels.matrix.toarray().tolist() == [[True], [False], [False]]
