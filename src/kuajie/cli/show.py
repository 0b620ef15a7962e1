"""How results look on a terminal."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from kuajie.cli.screen import Screen
from kuajie.core.language import message
from kuajie.core.records import RankedList
from kuajie.core.texts import Text
from kuajie.data.overlap import OverlapReport
from kuajie.data.quality import QualityAccount
from kuajie.workflows.asked_lists import ALL
from kuajie.workflows.find import Findings, Match
from kuajie.workflows.report import FLAGS, TABLES, compared, p_text, twins_text
from kuajie.workflows.shape import steps_of

Titles = Callable[[str], str]
"""A domain's name for people."""

METRICS = ("ndcg@10", "hr@10", "mrr", "recall@20")
MAIN = "ndcg@10"


def show_quality(screen: Screen, account: QualityAccount) -> None:
    """Read = kept + merged + quarantined, for each source and together."""
    screen.head("Data quality")
    rows = [
        (
            each.domain,
            screen.t(TABLES.get(each.table, each.table)),
            each.source,
            each.read,
            each.kept,
            each.merged,
            each.bad,
        )
        for each in account.sources
    ]
    total = account.total
    rows.append(("", "", screen.t("together"), total.read, total.kept, total.merged, total.bad))
    screen.table(
        ["domain", "table", "source", "read", "kept", "merged", "quarantined"],
        [(*row[:3], *(f"{count:,}" for count in row[3:])) for row in rows],
        numbers=3,
    )
    for reason, count in account.total.quarantined.items():
        screen.say("  {count} rows: {reason}", count=f"{count:,}", reason=account.text(reason))
    for rule, count in account.flagged.items():
        screen.say("  {count} accounts flagged: {rule}", count=f"{count:,}", rule=Text(FLAGS.get(rule, rule)))
    for warning in account.warnings:
        screen.warn(account.text(warning))


def show_overlap(screen: Screen, overlap: OverlapReport) -> None:
    """Who is in both of two domains; nothing where there is one alone."""
    if not overlap.pairs:
        return
    screen.head("Shared people")
    rows = [
        (
            f"{pair.a} - {pair.b}",
            f"{pair.people:,}",
            f"{pair.active:,}",
            f"{pair.share_a:.1%} / {pair.share_b:.1%}",
            f"{pair.median_events_a:g} / {pair.median_events_b:g}",
        )
        for pair in overlap.pairs
    ]
    screen.table(
        ["domains", "people in both", "with events in both", "share of either side", "median events"], rows, numbers=1
    )
    for warning in overlap.texts:
        screen.warn(warning)


def show_results(
    screen: Screen,
    results: Mapping[str, Any],
    title: Titles = str,
    metrics: Sequence[str] = (),
    slices: bool = False,
    twins: int = 0,
) -> None:
    """The comparison of models, for each target domain.

    Args:
        screen: where to.
        results: `domains` in the JSON of a benchmark.
        title: names domains.
        metrics: columns; none: the usual ones. The interval stands beside NDCG@10.
        slices: whether to show the parts of the rows too.
        twins: items with a twin in another domain.
    """
    columns = metrics or METRICS
    for domain, result in results.items():
        screen.head("Recommending {title}, {rows} test rows", title=title(domain), rows=f"{result['test_rows']:,}")
        models = sorted(result["models"].items(), key=lambda pair: -(pair[1][MAIN] or 0))
        rows = []
        for name, model in models:
            values = [part for metric in columns for part in (_number(model[metric]), *_interval(model, metric))]
            rows.append((name, *values, f"{model['fit_seconds']:.1f}"))
        heads = [head for metric in columns for head in (metric_title(metric), *_interval_head(metric))]
        screen.table(["model", *heads, "fit seconds"], rows, numbers=1)
        show_comparison(screen, result, twins)
        show_lists(screen, dict(models))
        show_reasons(screen, dict(models))
        show_labelled(screen, dict(models))
        if slices:
            show_slices(screen, dict(models))


def show_comparison(screen: Screen, result: Mapping[str, Any], twins: int) -> None:
    """The paired test against the best target-only model, and what twins make of the result."""
    comparison = compared(result)
    if comparison:
        screen.say()
        screen.say("NDCG@10 against {model}, the best target-only model", model=comparison["baseline"])
        rows = [
            (
                name,
                f"{other['difference']:+.4f}",
                f"{other['low']:+.4f} .. {other['high']:+.4f}",
                p_text(other["p_holm"]),
            )
            for name, other in comparison["models"].items()
        ]
        screen.table(["model", "difference", "95 % interval", "p (Holm)"], rows, numbers=1)
    sentence = twins_text(result, twins)
    if sentence:
        screen.say()
        screen.line(sentence)


def show_lists(screen: Screen, models: Mapping[str, Any]) -> None:
    """What the lists of ten are like besides being right."""
    first = next(iter(models.values()))["lists"]
    if not first["people"]:
        return
    screen.say()
    screen.say("Lists of {k} for {people} people:", k=first["k"], people=f"{first['people']:,}")
    rows = [
        (
            name,
            _share(model["lists"]["coverage"]),
            _number(model["lists"]["gini"], 2),
            _number(model["lists"]["novelty"], 1),
            _number(model["lists"]["diversity"], 2),
        )
        for name, model in models.items()
    ]
    screen.table(["model", "coverage", "Gini", "novelty, bits", "diversity"], rows, numbers=1)


def show_reasons(screen: Screen, models: Mapping[str, Any]) -> None:
    """Whether reasons name what carried an item; models that name nothing of a history are left out."""
    rows = [
        (
            name,
            f"{found['people']:,}",
            _number(found["named"], 2),
            _number(found["random"], 2),
            _share(found["wins"]),
        )
        for name, model in models.items()
        if (found := model["reasons"])["people"]
    ]
    if rows:
        screen.say()
        screen.say("How far the score falls without what the first reason names, in standard deviations:")
        screen.table(["model", "people", "without it", "without another", "falls further"], rows, numbers=1)


def show_labelled(screen: Screen, models: Mapping[str, Any]) -> None:
    """How well used test rows are told from those with label 0; nothing where the split has none."""
    rows = [
        (name, _number(model["labelled"]["auc"]), _number(model["labelled"]["auc_by_person"]))
        for name, model in models.items()
        if "labelled" in model
    ]
    if rows:
        screen.say()
        screen.say("Telling used test rows from those with label 0:")
        screen.table(["model", "AUC", "AUC by person"], rows, numbers=1)


def show_slices(screen: Screen, models: Mapping[str, Any]) -> None:
    """NDCG@10 on parts of the rows, a row for each part that is there."""
    parts = next(iter(models.values()))["slices"]
    screen.say()
    rows = [
        (name, f"{part['test_rows']:,}", *(_number(model["slices"][name][MAIN]) for model in models.values()))
        for name, part in parts.items()
        if part["test_rows"]
    ]
    screen.table(["part of the rows", "rows", *models], rows, numbers=1)


def show_tradeoff(screen: Screen, values: Mapping[str, Any], title: Titles = str) -> None:
    """What each re-ranker does at the strength that was chosen: `TradeoffResult.to_json()`."""
    for domain, found in values["domains"].items():
        named = screen.t("all domains together") if domain == ALL else title(domain)
        screen.head("Re-ranking {title}, {rows} test rows", title=named, rows=f"{found['test_rows']:,}")
        rows = []
        for kind, curve in found["rerankers"].items():
            before, after, metric = curve["test"]["before"], curve["test"]["after"], curve["metric"]
            low, high = curve["test"]["change_ci95"][MAIN]
            change = after[MAIN] - before[MAIN]
            rows.append(
                (
                    kind,
                    screen.words(Text(curve["title"])),
                    f"{curve['chosen']:g}",
                    f"{_figure(before[metric])} -> {_figure(after[metric])}",
                    f"{before[MAIN]:.4f}",
                    f"{change:+.4f}",
                    f"{low:+.4f} .. {high:+.4f}",
                )
            )
        heads = ["re-ranker", "moves", "strength", "from and to", "NDCG@10", "change", "95 % interval"]
        screen.table(heads, rows, numbers=2)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def metric_title(metric: str) -> str:
    """A metric as people write it: "NDCG@10"."""
    base, at, k = metric.partition("@")
    return (base.capitalize() if base in ("recall", "precision") else base.upper()) + at + k


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _interval_head(metric: str) -> tuple[str, ...]:
    return (message("95 % interval"),) if metric == MAIN else ()


def _interval(model: Mapping[str, Any], metric: str) -> tuple[str, ...]:
    low, high = model["ci95"][MAIN]
    return () if metric != MAIN else ("" if low is None or high is None else f"{low:.4f} - {high:.4f}",)


def show_choice(screen: Screen, chosen: Mapping[str, Any], title: Titles = str, *, gated: bool = True) -> None:
    """What was chosen for each target: members with their weights for each group of people, and the transfer gate.

    Args:
        screen: where to.
        chosen: summary of each target.
        title: of a domain.
        gated: whether there are other domains that a gate decides on.
    """
    for target, choice in chosen.items():
        screen.head("Chosen for {title}", title=title(target))
        groups = [mix["at_least"] for mix in choice["mixes"]]
        names = dict.fromkeys(name for mix in choice["mixes"] for name in mix["weights"])
        rows = [
            (name.rsplit("/", 1)[0], *(f"{mix['weights'].get(name, 0):.2f}" for mix in choice["mixes"]))
            for name in names
        ]
        heads = [group_label(screen, low, below) for low, below in pairwise([*groups, None])]
        screen.table(["member", *heads], rows, numbers=1)
        if not gated:
            continue
        gain = choice["transfer_gain"]
        screen.say(
            "  Transfer gain in NDCG@10: {gain} (95 % interval {low} to {high}), on people who fitted neither weights "
            "nor gate.",
            gain=f"{gain['ndcg']:+.4f}",
            low=f"{gain['low']:+.4f}",
            high=f"{gain['high']:+.4f}",
        )
        starts = [group["at_least"] for group in choice["gate"]]
        for group, (low, below) in zip(choice["gate"], pairwise([*starts, None]), strict=True):
            decision = screen.t("the other domains are used" if group["joint"] else "this domain alone")
            screen.say("  {people}: {decision}", people=group_label(screen, low, below), decision=decision)


def group_label(screen: Screen, low: int, below: int | None) -> str:
    """People by how many events they have in the target domain."""
    if below is None:
        return screen.t("{count} or more events").format(count=low)
    if below == 1:
        return screen.t("no events")
    return screen.t("{low} to {high} events").format(low=low, high=below - 1)


def show_history(screen: Screen, history: list[tuple[str, str]], title: Titles) -> None:
    """What a person used last."""
    screen.say("Used last:")
    for domain, item in history:
        screen.line(f"  {item}  ({title(domain)})")
    if not history:
        screen.say("  nothing")
    screen.say()


def show_list(screen: Screen, ranked: RankedList) -> None:
    """Ranked items with their reasons."""
    if not ranked.items:
        screen.say(
            "There is nothing to recommend: the model knows no item of this domain that the person has not used."
        )
        return
    rows = []
    for place, item in enumerate(ranked.items, start=1):
        reasons = [f"{'' if why.exact else '~'}{why.share:.0%} {why.text}" for why in item.reasons]
        rows.append((place, item.item, item.title, "\n".join(reasons)))
    screen.table(["#", "id", "item", "because of"], rows)
    if ranked.fallback:
        screen.say("The history holds nothing that the model knows: this is what is popular.")
    if steps_of(ranked):
        screen.say("Re-ranked by: {steps}", steps=", ".join(steps_of(ranked)))


def show_findings(screen: Screen, findings: Findings, title: Titles) -> None:
    """What a question in words found: items with the words that matched, counts, knowledge."""
    if not findings.hits and not findings.things:
        screen.say("Nothing fits these words.")
        return
    rows = [
        (
            place,
            hit.item.item,
            title(hit.item.domain),
            hit.title,
            hit.item.category,
            ", ".join(dict.fromkeys(word for match in hit.matches for word in words_of(match))),
        )
        for place, hit in enumerate(findings.hits, start=1)
    ]
    screen.table(["#", "id", "domain", "item", "category", "matched"], rows)
    found = {each.domain: each.count for each in findings.counts}
    screen.say("Found: {domains}", domains=_counted(found, title))
    if findings.things:
        screen.say()
        screen.table(["knowledge", "triples"], [(each.name, _counted(each.domains, title)) for each in findings.things])
    if not findings.personalised:
        screen.say("Ranked by the words and by what is popular.")


def _counted(domains: Mapping[str, int], title: Titles) -> str:
    return ", ".join(f"{title(domain)} {count:,}" for domain, count in domains.items())


def words_of(match: Match) -> list[str]:
    """The matching words of a field as they are written there."""
    return [match.text[start:end] for start, end in match.ranges]
