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
