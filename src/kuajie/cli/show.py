"""How results look on a terminal."""

from collections.abc import Callable, Mapping
from typing import Any

from kuajie.cli.screen import Screen
from kuajie.core.records import RankedList
from kuajie.core.texts import Text
from kuajie.data.overlap import OverlapReport
from kuajie.data.quality import QualityAccount
from kuajie.workflows.report import FLAGS, TABLES

Titles = Callable[[str], str]
"""A domain's name for people."""

METRICS = ("ndcg@10", "hr@10", "mrr", "recall@20")


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
    """Who is in both of two domains."""
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


def show_results(screen: Screen, results: Mapping[str, Any], title: Titles = str) -> None:
    """The comparison of models, for each target domain; `results` as `domains` in the JSON of a benchmark."""
    for domain, result in results.items():
        screen.head("Recommending {title}, {rows} test rows", title=title(domain), rows=f"{result['test_rows']:,}")
        rows = []
        for name, model in sorted(result["models"].items(), key=lambda pair: -(pair[1]["ndcg@10"] or 0)):
            low, high = model["ci95"]["ndcg@10"]
            interval = "" if low is None or high is None else f"{low:.4f} - {high:.4f}"
            values = ["" if model[metric] is None else f"{model[metric]:.4f}" for metric in METRICS]
            rows.append((name, values[0], interval, *values[1:], f"{model['fit_seconds']:.1f}"))
        screen.table(["model", "NDCG@10", "95 % interval", "HR@10", "MRR", "Recall@20", "fit seconds"], rows, numbers=1)


def show_choice(screen: Screen, chosen: Mapping[str, Any], title: Titles = str) -> None:
    """What was chosen for each target: members with their weights for each group of people, and the transfer gate."""
    for target, choice in chosen.items():
        screen.head("Chosen for {title}", title=title(target))
        groups = [mix["at_least"] for mix in choice["mixes"]]
        names = dict.fromkeys(name for mix in choice["mixes"] for name in mix["weights"])
        rows = [
            (name.rsplit("/", 1)[0], *(f"{mix['weights'].get(name, 0):.2f}" for mix in choice["mixes"]))
            for name in names
        ]
        heads = [screen.t("{count} or more events").format(count=group) for group in groups]
        screen.table(["member", *heads], rows, numbers=1)
        gain = choice["transfer_gain"]
        screen.say(
            "  Transfer gain in NDCG@10: {gain} (95 % interval {low} to {high}), on people not used for choosing.",
            gain=f"{gain['ndcg']:+.4f}",
            low=f"{gain['low']:+.4f}",
            high=f"{gain['high']:+.4f}",
        )
        for group in choice["gate"]:
            decision = screen.t("the other domains are used" if group["joint"] else "this domain alone")
            screen.say("  {count} or more events: {decision}", count=group["at_least"], decision=decision)


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
    rows = []
    for place, item in enumerate(ranked.items, start=1):
        reasons = [f"{'' if why.exact else '~'}{min(why.share, 1.0):.0%} {why.text}" for why in item.reasons]
        rows.append((place, item.item, item.title, "\n".join(reasons)))
    screen.table(["#", "id", "item", "because of"], rows)
    if ranked.fallback:
        screen.say("The history holds nothing that the model knows: this is what is popular.")
