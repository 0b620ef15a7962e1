"""The report: what came in, who is shared, which model is better by how much, and what people would be shown.

One HTML file without script or anything beside it. It is made of results that are handed in; nothing is computed here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

import kuajie
from kuajie.core.language import message
from kuajie.core.records import RankedList, Snapshot
from kuajie.core.texts import Text, Translate, worded
from kuajie.data.overlap import OverlapReport
from kuajie.data.quality import QualityAccount, SourceAccount
from kuajie.data.rates import PER_DAY, PER_MINUTE
from kuajie.workflows.plots import Interval, Line, Part, interval_plot, line_plot, share_bar

METRIC = "ndcg@10"
TABLE = ("ndcg@10", "hr@10", "mrr", "recall@20")
HISTORY = ("history_0", "history_1-4", "history_5-9", "history_10+")
TABLES = {
    "events": message("events"),
    "items": message("items"),
    "users": message("users"),
    "links": message("links"),
    "kg": message("knowledge"),
    "entities": message("entities"),
}
FLAGS = {
    PER_MINUTE: message("more events within a minute than cleaning.flag_events_per_minute"),
    PER_DAY: message("more events in a day than cleaning.flag_events_per_day"),
}
LINES = 5
"""Models in the plot of slices."""

Results = Mapping[str, Any]
"""The part of one domain in the JSON of a benchmark or an evaluation: `test_rows`, `models`, ..."""


@dataclass(frozen=True)
class Sample:
    """What one person would be shown, beside what they did.

    Attributes:
        person: a name for the reader.
        history: (domain, title) of what was used last, newest first.
        ranked: the list.
    """

    person: str
    history: Sequence[tuple[str, str]]
    ranked: RankedList


@dataclass(frozen=True)
class Report:
    """Everything that the page shows; a part that is left out is not shown.

    Attributes:
        name: of the workspace.
        created_at: when.
        titles: domain -> its name for people.
        snapshot, quality, overlap: of the import.
        results: by target domain.
        twins: items with a twin in another domain.
        samples: some people.
        notes: sentences about how it was measured.
    """

    name: str
    created_at: datetime
    titles: Mapping[str, str]
    snapshot: Snapshot | None = None
    quality: QualityAccount | None = None
    overlap: OverlapReport | None = None
    results: Mapping[str, Results] = field(default_factory=dict)
    twins: int = 0
    samples: Sequence[Sample] = ()
    notes: Sequence[str] = ()


def render(report: Report, translate: Translate, language: str) -> str:
    """The page as text."""
    source = files("kuajie.workflows").joinpath("templates", "report.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = "{:,}".format
    environment.filters["percent"] = "{:.1%}".format
    asked = {domain: results for domain, results in report.results.items() if results["test_rows"]}
    return environment.from_string(source).render(
        report=replace(report, results=asked),
        t=translate,
        say=partial(worded, translate=translate),
        flags=FLAGS,
        language=language,
        version=kuajie.__version__,
        metrics=TABLE,
        tables=TABLES,
        title_of=lambda domain: report.titles.get(domain, domain),
        quality_plot=partial(quality_plot, report, translate),
        model_plot=partial(model_plot, translate),
        history_plot=partial(history_plot, translate),
        best=best,
        gain_of=gain_of,
        compared=compared,
        p_text=p_text,
        twins_of=partial(twins_text, twins=report.twins),
        lists_of=lists_of,
        has_reasons=has_reasons,
        figure=figure,
    )


def quality_plot(report: Report, t: Translate) -> Markup:
    """Kept, merged and quarantined rows of each source."""
    sources = report.quality.sources if report.quality else ()

    def parts(source: SourceAccount) -> list[Part]:
        counts = {t("kept"): source.kept, t("merged"): source.merged, t("quarantined"): source.bad}
        return [Part(label, count) for label, count in counts.items()]

    def label(source: SourceAccount) -> str:
        table = t(TABLES.get(source.table, source.table))
        return f"{report.titles.get(source.domain, source.domain)} · {table}" if source.domain else table

    rows = [(label(source), parts(source)) for source in sources if source.read]
    return share_bar(rows, t("What became of every row"))


def model_plot(t: Translate, results: Results) -> Markup:
    """Every model with its 95 % interval, best first."""
    rows = []
    for name, model in ordered(results):
        low, high = model.get("ci95", {}).get(METRIC, (None, None))
        rows.append(Interval(name, model[METRIC], low, high, marked=name == "auto"))
    return interval_plot(rows, t("Models compared"))


def history_plot(t: Translate, results: Results) -> Markup | None:
    """The best models by how much of the target people have used; None where there is only one such group."""
    models = ordered(results)
    chosen = [*models[: LINES - 1], *(pair for pair in models[LINES - 1 :] if pair[0] == "popularity")][:LINES]
    groups = [group for group in HISTORY if any(_slice(model, group) is not None for _, model in chosen)]
    if len(groups) < 2:
        return None
    lines = [Line(name, [_slice(model, group) for group in groups]) for name, model in chosen]
    return line_plot([group.removeprefix("history_") for group in groups], lines, t("By known history in the target"))


def ordered(results: Results) -> list[tuple[str, Mapping[str, Any]]]:
    """Models from best to worst."""
    return sorted(results["models"].items(), key=lambda pair: -pair[1][METRIC])


def best(results: Results, metric: str) -> float:
    """The highest value of a metric."""
    return max(float(model[metric]) for model in results["models"].values())


def gain_of(results: Results) -> Mapping[str, Any] | None:
    """What `auto` measured of the transfer, if it ran."""
    chosen: Mapping[str, Any] = results["models"].get("auto", {}).get("chosen", {})
    return chosen if "transfer_gain" in chosen else None


def compared(results: Results) -> Mapping[str, Any] | None:
    """The models against the best target-only one, if there is one and another; see `evaluation.compare`."""
    comparison: Mapping[str, Any] | None = results.get("comparison")
    return comparison


def p_text(p: float) -> str:
    """A p-value as people write it."""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def twins_text(results: Results, twins: int) -> Text | None:
    """What items with a twin in another domain make of the best model's result; None where there are no twins."""
    if not (twins and results["test_rows"]):
        return None
    name, model = ordered(results)[0]
    without = _slice(model, "without_twins")
    return Text(
        "{count} items have a twin in another domain that nearly the same people use, probably the same product. "
        "NDCG@10 of {model} with them: {all}, without them: {rest}.",
        count=f"{twins:,}",
        model=name,
        all=f"{model[METRIC]:.4f}",
        rest="-" if without is None else f"{without:.4f}",
    )


def lists_of(results: Results) -> Mapping[str, Any] | None:
    """How many lists of which length were looked at, if any."""
    found = (model["lists"] for model in results["models"].values() if "lists" in model)
    return next((lists for lists in found if lists["people"]), None)


def has_reasons(results: Results) -> bool:
    """Whether some model's reasons were measured."""
    return any(model.get("reasons", {}).get("people") for model in results["models"].values())


def figure(value: float | None, form: str) -> str:
    """A number in a table; nothing where it is not known."""
    return "" if value is None else format(value, form)


def _slice(model: Mapping[str, Any], name: str) -> float | None:
    part = model.get("slices", {}).get(name, {})
    return part.get(METRIC) if part.get("test_rows") else None
