from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from kuajie.core.language import translator
from kuajie.core.records import Account, RankedItem, RankedList, Reason, Snapshot
from kuajie.data.overlap import OverlapReport, PairOverlap
from kuajie.data.quality import QualityAccount, SourceAccount, Wording
from kuajie.workflows.report import Report, Sample, history_plot, render

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>'


def model(value: float, **more: Any) -> dict[str, Any]:
    metrics = {"ndcg@10": value, "hr@10": 2 * value, "mrr": value / 2, "recall@20": 3 * value}
    slices = {name: {"test_rows": 5, "ndcg@10": value} for name in ("history_0", "history_1-4")}
    slices["history_5-9"] = {"test_rows": 0}
    return metrics | {"ci95": {"ndcg@10": [value - 0.01, value + 0.01]}, "fit_seconds": 1.0, "slices": slices} | more


@pytest.fixture
def report() -> Report:
    gain = {"transfer_gain": {"ndcg": 0.0123, "low": -0.001, "high": 0.02}}
    reason = Reason(domain="courses", item="1", title="改装入门", share=0.6, exact=False, text=f"因为 {HOSTILE}")
    ranked = RankedList(
        list_id="l", account=Account(domain="courses", user="u"), target="car", model_version="v", created_at=NOW,
        items=(RankedItem(domain="car", item="🚗1", title="", score=1.0, reasons=(reason,)),),
    )  # fmt: skip
    return Report(
        name=HOSTILE,
        created_at=NOW,
        titles={"courses": "知识平台", "car": "汽车"},
        snapshot=Snapshot(
            snapshot_id="s", as_of=NOW, domains=("courses", "car"), people=5000, linked_people=7, events=9,
            items={"courses": 3, "car": 4},
        ),
        quality=QualityAccount(
            sources=(
                SourceAccount(domain="courses", table="events", source="e.csv", read=10, kept=7, near_duplicates=1,
                              quarantined={"occurred_at is before 1990-01-01": 2}),
            ),
            flagged={"events_per_minute": 3},
            warnings=("watch out",),
            wordings={"occurred_at is before 1990-01-01": Wording(message="occurred_at is before {day}",
                                                                  values={"day": "1990-01-01"})},
        ),
        overlap=OverlapReport(
            method="shared", people=9, linked_people=7, people_of={},
            pairs=(PairOverlap(a="courses", b="car", people=7, active=6, share_a=0.5, share_b=0.25, median_events_a=3,
                               median_events_b=2.5),),
        ),
        results={"car": {"test_rows": 12, "models": {"popularity": model(0.1), "auto": model(0.2, chosen=gain)}}},
        samples=[Sample("courses:u", [("courses", "改装入门")], ranked)],
        notes=["leave one out"],
    )  # fmt: skip


class Loads(HTMLParser):
    """Everything on a page that could be loaded or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag in {"script", "link", "img", "iframe", "object"} or names & {"src", "href", "onload", "onclick"}:
            self.found.append(tag)


def test_the_page_carries_the_numbers_and_nothing_foreign(report: Report) -> None:
    page = render(report, translator("zh"), "zh")
    for text in (
        "数据质量",
        "occurred_at 早于 1990-01-01",
        "一分钟内的行为数超过",
        "courses 和 car 只有 6 人在两边都有行为",
        "读入 10 行 = 保留 7 + 合并重复 1 + 隔离 2",
        "0.2000",
        "+0.0123",
        "-0.0010",
        "知识平台",
        "🚗1",
        "≈ 60%",
        "5,000",
    ):
        assert text in page
    loads = Loads()
    loads.feed(page)
    assert loads.found == []
    assert "url(" not in page
    assert "@import" not in page


def test_text_of_others_is_escaped(report: Report) -> None:
    assert "<script" not in render(report, translator("en"), "en")


def test_both_languages_say_their_own_words(report: Report) -> None:
    english, chinese = (render(report, translator(language), language) for language in ("en", "zh"))
    assert "Data quality" in english
    assert "Data quality" not in chinese
    assert '<html lang="zh">' in chinese


def test_parts_without_data_are_left_out(report: Report) -> None:
    bare = replace(report, snapshot=None, quality=None, overlap=None, results={}, samples=())
    page = render(bare, translator("en"), "en")
    for text in ("Data quality", "Shared people", "Models compared", "What people would be shown"):
        assert text not in page


def test_empty_groups_are_not_plotted(report: Report) -> None:
    plot = history_plot(translator("en"), report.results["car"])
    assert plot is not None
    assert "1-4" in plot
    assert "5-9" not in plot


def test_one_group_alone_is_no_plot() -> None:
    lonely = model(0.1, slices={"history_0": {"test_rows": 3, "ndcg@10": 0.1}})
    assert history_plot(translator("en"), {"test_rows": 3, "models": {"auto": lonely}}) is None
