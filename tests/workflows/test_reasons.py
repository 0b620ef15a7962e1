import numpy as np
import pytest

from kuajie.core.language import translator
from kuajie.core.recommender import Explanation
from kuajie.workflows.reasons import reasons_of


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
