import numpy as np
import pytest

from kuajie.core.language import translator
from kuajie.core.recommender import Explanation
from kuajie.core.side import SideInformation, TripleGraph
from kuajie.workflows.links import Link, Links, Things
from kuajie.workflows.reasons import _linked, reasons_of


def name(item: int) -> tuple[str, str, str]:
    return "courses", str(item), f"课程{item}"


def explained(contributions: list[float], base: float = 0.0) -> Explanation:
    history = np.arange(len(contributions), dtype=np.int32)
    return Explanation(history, np.array([contributions], np.float64), np.array([base], np.float64), exact=True)


def test_reasons_are_sorted_shares_of_the_score() -> None:
    (reasons,) = reasons_of(explained([0.1, 0.6, 0.0], base=0.3), [1.0], name, translator("zh"))
    assert [reason.item for reason in reasons] == ["1", "", "0"]
    assert [reason.share for reason in reasons] == pytest.approx([0.6, 0.3, 0.1])
    assert reasons[0].text == "因为您用过“课程1”"
    assert reasons[1].text == "大家都喜欢"


def test_no_share_is_above_the_whole() -> None:
    """One thing speaks for the item, another against it."""
    (reasons,) = reasons_of(explained([1.26, -0.26]), [1.0], name, translator("en"))
    assert [(reason.item, reason.share) for reason in reasons] == [("0", 1.0)]
    (reasons,) = reasons_of(explained([-0.5], base=1.5), [1.0], name, translator("en"))
    assert [(reason.item, reason.share) for reason in reasons] == [("", 1.0)]


def test_nothing_carries_what_has_no_score() -> None:
    assert reasons_of(explained([0.5, -0.5]), [0.0], name, translator("en")) == [()]


GRAPH = TripleGraph(
    4,
    ("topic:涡轮", "x"),
    ("about",),
    *(np.array(values, np.int32) for values in ([0, 2], [0, 0], [4, 4])),
    {"topic:涡轮": "Turbo engines"},
)


@pytest.mark.parametrize(
    ("language", "path", "words"),
    [
        ("zh", "因为您用过“课程0”，二者通过“涡轮”相关", "因为您用过“课程1”，标题都提到“改装”"),
        (
            "en",
            "Because of “课程0” in your history, by way of “Turbo engines”",
            "Because of “课程1” in your history: both say “改装”",
        ),
    ],
)
def test_reasons_say_how_things_belong_together(language: str, path: str, words: str) -> None:
    things = Things.of(SideInformation(4, graph=GRAPH))
    titles = ["a", "改装课", "汽车改装件", "d"]
    links = Links.of(things, titles, GRAPH.english if language == "en" else {})
    explanation = explained([0.5, 0.3, 0.0], base=0.2)
    items = np.array([2])
    (reasons,) = reasons_of(explanation, [1.0], name, translator(language), links=links, items=items)
    assert [reason.text for reason in reasons[:2]] == [path, words]
    assert [(reason.kind, reason.via) for reason in reasons] == [
        ("path", ("about", "topic:涡轮", "about")),
        ("words", ("改装",)),
        ("popular", ()),
    ]


def test_an_item_that_comes_back_is_no_way_to_itself() -> None:
    titles = ["涡轮增压套件", "涡轮增压入门"]
    links = Links.of(Things.of(SideInformation(2)), titles)
    found = _linked(links, np.array([[0, 1]], np.int32), np.array([0]))
    assert found[0][0] is None
    assert found[0][1] == Link("words", ("涡轮增压",))
