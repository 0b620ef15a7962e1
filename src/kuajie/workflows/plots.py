"""Small plots as inline SVG: no script, no file beside, coloured by the page's style sheet (light and dark).

Every text is escaped. Classes: `grid`, `axis`, `whisker`, `dot`, `bar`, `line`, and `s0` to `s5` for series.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

WIDTH = 680
ROW = 26
SERIES = 6
"""Series that can be told apart; more take the last colour."""

LINE = Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>')
DOT = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{}" class="{}"/>')
BAR = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" class="fill s{}"><title>{}</title></rect>')
TEXT = Markup('<text x="{:.1f}" y="{:.1f}" class="{}" text-anchor="{}">{}</text>')


@dataclass(frozen=True)
class Interval:
    """One row of an interval plot; `low` and `high` are None where unknown."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    marked: bool = False


@dataclass(frozen=True)
class Line:
    """One series of a line plot; None where there is no value."""

    label: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Path:
    """One series of a curve plot: points (x, y) in order, of which one may be marked."""

    label: str
    points: Sequence[tuple[float, float]]
    marked: int | None = None


@dataclass(frozen=True)
class Part:
    """One part of a bar of shares."""

    label: str
    count: int


def interval_plot(rows: Sequence[Interval], title: str) -> Markup:
    """Dots with 95 % intervals, one row each, from 0 or below; a marked row stands out."""
    left, right, top = margin(row.label for row in rows), 70, 6
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    ticks = nice_ticks(min(0.0, *ends), max(0.0, *ends))
    x = _scale(ticks[0], ticks[-1], left, WIDTH - right)
    bottom = top + ROW * len(rows)
    parts = [_grid(x, ticks, top, bottom)]
    for place, row in enumerate(rows):
        y = top + ROW * (place + 0.5)
        mark = " marked" if row.marked else ""
        parts.append(_text(left - 10, y + 4, row.label, f"label{mark}", "end"))
        if row.low is not None and row.high is not None:
            parts.append(_line(x(row.low), y, x(row.high), y, f"whisker{mark}"))
        parts.append(DOT.format(x(row.value), y, 5, f"dot{mark}"))
        parts.append(_text(WIDTH - right + 10, y + 4, f"{row.value:.4f}", f"value{mark}"))
    return _svg(parts, bottom + 24, title)


def line_plot(groups: Sequence[str], lines: Sequence[Line], title: str) -> Markup:
    """Lines over ordered groups, with a legend; a missing value interrupts its line."""
    left, right, top, height = 60, 200, 10, 200
    values = [value for line in lines for value in line.values if value is not None]
    ticks = nice_ticks(0.0, max(values, default=1.0))
    y = _scale(ticks[0], ticks[-1], top + height, top)
    step = (WIDTH - left - right) / max(1, len(groups) - 1)
    parts: list[Markup] = []
    for tick in ticks:
        parts.append(_line(left, y(tick), WIDTH - right, y(tick), "grid"))
        parts.append(_text(left - 8, y(tick) + 4, label_of(tick, ticks), "tick", "end"))
    for place, group in enumerate(groups):
        parts.append(_text(left + step * place, top + height + 20, group, "tick", "middle"))
    for number, line in enumerate(lines):
        points = [(left + step * p, y(value)) for p, value in enumerate(line.values) if value is not None]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        series = f"s{min(number, SERIES - 1)}"
        parts.append(Markup('<polyline points="{}" class="line {}"/>').format(path, series))
        parts += [DOT.format(px, py, 4, f"fill {series}") for px, py in points]
        key = top + 8 + 22 * number
        parts.append(_line(WIDTH - right + 20, key, WIDTH - right + 42, key, f"line {series}"))
        parts.append(_text(WIDTH - right + 50, key + 4, line.label, "label"))
    return _svg(parts, top + height + 30, title)


def curve_plot(paths: Sequence[Path], x_title: str, y_title: str, title: str) -> Markup:
    """Paths of points in a plane, with a legend; the marked point of each is larger."""
    left, right, top, height = 60, 200, 30, 200
    across = [x for path in paths for x, _ in path.points]
    up = [y for path in paths for _, y in path.points]
    x_ticks, y_ticks = nice_ticks(min(across), max(across)), nice_ticks(0.0, max(up))
    x = _scale(x_ticks[0], x_ticks[-1], left, WIDTH - right)
    y = _scale(y_ticks[0], y_ticks[-1], top + height, top)
    parts = [_grid(x, x_ticks, top, top + height)]
    for tick in y_ticks:
        parts.append(_line(left, y(tick), WIDTH - right, y(tick), "grid"))
        parts.append(_text(left - 8, y(tick) + 4, label_of(tick, y_ticks), "tick", "end"))
    parts.append(_text(left, top - 14, y_title, "tick"))
    parts.append(_text(WIDTH - right, top + height + 34, x_title, "tick", "end"))
    for number, path in enumerate(paths):
        series = f"s{min(number, SERIES - 1)}"
        line = " ".join(f"{x(px):.1f},{y(py):.1f}" for px, py in path.points)
        parts.append(Markup('<polyline points="{}" class="line {}"/>').format(line, series))
        for place, (px, py) in enumerate(path.points):
            parts.append(DOT.format(x(px), y(py), 6 if place == path.marked else 3, f"fill {series}"))
        key = top + 8 + 22 * number
        parts.append(_line(WIDTH - right + 20, key, WIDTH - right + 42, key, f"line {series}"))
        parts.append(_text(WIDTH - right + 50, key + 4, path.label, "label"))
    return _svg(parts, top + height + 44, title)


def share_bar(rows: Sequence[tuple[str, Sequence[Part]]], title: str) -> Markup:
    """One bar of shares for each row, and a legend below."""
    left, right, top, height = margin(label for label, _ in rows), 20, 4, 14
    parts: list[Markup] = []
    names = list(dict.fromkeys(part.label for _, row in rows for part in row))
    for place, (label, row) in enumerate(rows):
        y, total, at = top + ROW * place, max(1, sum(part.count for part in row)), left
        parts.append(_text(left - 10, y + height - 3, label, "label", "end"))
        for part in row:
            width = part.count / total * (WIDTH - left - right)
            hint = f"{part.label}: {part.count:,}"
            parts.append(BAR.format(at, y, width, height, names.index(part.label) % SERIES, hint))
            at += width
    bottom = top + ROW * len(rows) + 6
    at = left
    for number, name in enumerate(names):
        parts.append(BAR.format(at, bottom, 12, 12, number % SERIES, name))
        parts.append(_text(at + 18, bottom + 11, name, "label"))
        at += 40 + text_width(name)
    return _svg(parts, bottom + 20, title)


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers 1, 2 or 5 times a power of ten apart that cover low..high."""
    if high <= low:
        high = low + 1.0
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def label_of(tick: float, ticks: Sequence[float]) -> str:
    """A tick with as many decimals as the ticks need."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{tick:.{decimals}f}"


def margin(labels: Iterable[str]) -> float:
    """Room for labels left of a plot; at most half of it."""
    return min(WIDTH / 2, max([170.0, *(20 + text_width(label) for label in labels)]))


def text_width(text: str) -> float:
    """About how wide a text of 13 pixels is; Chinese characters are square."""
    return sum(13.0 if ord(letter) > 0x2E7F else 7.2 for letter in text)


Scale = Callable[[float], float]
"""A value's place on the drawing."""


def _scale(low: float, high: float, start: float, stop: float) -> Scale:
    factor = (stop - start) / (high - low)
    return lambda value: start + (value - low) * factor


def _grid(x: Scale, ticks: Sequence[float], top: float, bottom: float) -> Markup:
    lines = (_line(x(tick), top, x(tick), bottom, "grid") for tick in ticks)
    labels = (_text(x(tick), bottom + 16, label_of(tick, ticks), "tick", "middle") for tick in ticks)
    return Markup("").join([*lines, *labels])


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return LINE.format(x1, y1, x2, y2, kind)


def _text(x: float, y: float, text: str, kind: str, anchor: Literal["start", "middle", "end"] = "start") -> Markup:
    return TEXT.format(x, y, kind, anchor, text)


def _svg(parts: Sequence[Markup], height: float, title: str) -> Markup:
    head = Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">').format(WIDTH, height, title)
    return head + Markup("").join(parts) + Markup("</svg>")
