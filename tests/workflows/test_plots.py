import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.workflows.plots import (
    Interval,
    Line,
    Part,
    Path,
    curve_plot,
    interval_plot,
    label_of,
    line_plot,
    nice_ticks,
    share_bar,
)

NUMBER = st.floats(-1e6, 1e6)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("text")]


@given(NUMBER, NUMBER)
def test_ticks_cover_the_values_with_round_steps(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    ticks = nice_ticks(low, high)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= high - 1e-6 * step
    assert 2 <= len(ticks) <= 12


@pytest.mark.parametrize(("ticks", "label"), [([0.0, 0.05], "0.05"), ([0.0, 20.0], "20"), ([0.0, 0.5], "0.5")])
def test_labels_have_the_decimals_they_need(ticks: list[float], label: str) -> None:
    assert label_of(ticks[1], ticks) == label


def test_an_interval_lies_where_its_numbers_say() -> None:
    svg = interval_plot([Interval("自动", 0.2, 0.1, 0.3, marked=True), Interval("b", 0.0)], "标题")
    root = ET.fromstring(svg)
    dots = [float(e.get("cx", "")) for e in root.iter("circle")]
    whisker = next(e for e in root.iter("line") if "whisker" in e.get("class", ""))
    ends = float(whisker.get("x1", "")), float(whisker.get("x2", ""))
    assert sum(ends) / 2 == pytest.approx(dots[0], abs=0.1)
    assert dots[1] == 170
    assert "自动" in texts(svg)
    assert "0.2000" in texts(svg)


def test_a_missing_value_leaves_its_point_out() -> None:
    root = ET.fromstring(line_plot(["0", "1-4", "5+"], [Line("a", [0.1, None, 0.3])], "x"))
    assert len(list(root.iter("circle"))) == 2


def test_shares_fill_the_bar() -> None:
    svg = share_bar([("来源", [Part("kept", 3), Part("merged", 1)]), ("empty", [Part("kept", 0)])], "x")
    widths = [float(e.get("width", "")) for e in ET.fromstring(svg).iter("rect")]
    assert widths[0] == pytest.approx(3 * widths[1])
    assert widths[2] == 0


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=20))
def test_every_text_is_escaped(text: str) -> None:
    for svg in (
        interval_plot([Interval(text, 1.0)], text),
        line_plot([text, "b"], [Line(text, [1.0, 2.0])], text),
        share_bar([(text, [Part(text, 1)])], text),
    ):
        assert text in texts(svg)


def test_a_curve_goes_through_its_points_and_marks_one() -> None:
    svg = curve_plot(
        [Path("mmr", [(0.8, 0.05), (0.9, 0.04), (1.0, 0.0)], 1), Path("<b>", [(0.8, 0.05)])], "多样性", "N", "t"
    )
    root = ET.fromstring(svg)
    dots = [(float(e.get("cx", "")), float(e.get("cy", "")), e.get("r")) for e in root.iter("circle")]
    assert dots[0][0] < dots[1][0] < dots[2][0] == 480
    assert dots[0][1] < dots[1][1] < dots[2][1] == 230
    assert [r for _, _, r in dots] == ["3", "6", "3", "3"]
    line = next(root.iter("polyline")).get("points", "").split()
    assert line[1] == f"{dots[1][0]:.1f},{dots[1][1]:.1f}"
    assert {"mmr", "<b>", "多样性", "N"} <= set(texts(svg))


def test_one_point_is_a_curve() -> None:
    assert ET.fromstring(curve_plot([Path("a", [(0.0, 0.0)], 0)], "x", "y", "t")) is not None
