"""How profiles and segments look on a terminal."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kuajie.cli.screen import Screen
from kuajie.core.language import message
from kuajie.core.texts import Text

if TYPE_CHECKING:
    from kuajie.profiles.audience import About
    from kuajie.profiles.fields import Field
    from kuajie.workflows.profile import PersonProfile
    from kuajie.workflows.segment_people import SegmentTold, Told

NAMES = {
    "interest": message("interest"),
    "segment": message("segment"),
    "active_hours": message("active hours"),
    "weekend_share": message("at weekends"),
    "sessions": message("sessions"),
    "depth": message("finishes what is started"),
    "value_tier": message("value tier"),
    "price_level": message("price level (0 cheap, 1 dear)"),
    "activity": message("events a week"),
    "life_cycle": message("stage"),
    "domain_mix": message("domains"),
    "season": message("season"),
}
SOURCES = {
    "declared": message("declared"),
    "behaviour": message("behaviour"),
    "purchase": message("purchase"),
    "text": message("text"),
    "segment model": message("segment model"),
}
VALUES = {
    "new": message("new"),
    "growing": message("growing"),
    "mature": message("mature"),
    "at risk": message("at risk"),
    "lost": message("lost"),
    "low": message("low"),
    "middle": message("middle"),
    "high": message("high"),
}
HABITS = {
    "items": message("used items (log)"),
    "events": message("events (log)"),
    "active_days": message("active days (log)"),
    "days_since_last": message("days since the last event (log)"),
    "days_since_first": message("days since the first event (log)"),
    "recent_events": message("events in the last window (log)"),
    "trend": message("more than before (log)"),
    "weekend_share": message("at weekends"),
    "hour_cos": message("midnight (1) or noon (-1)"),
    "hour_sin": message("morning (1) or evening (-1)"),
    "sessions": message("sessions (log)"),
    "session_minutes": message("minutes of a session (log)"),
    "finished_share": message("finishes what is started"),
    "price_level": message("price level (0 cheap, 1 dear)"),
    "bought_price_level": message("price level of purchases"),
    "purchases": message("purchases (log)"),
}


def show_profile(screen: Screen, profile: "PersonProfile", title: Callable[[str], str]) -> None:
    """One person, field by field; what is unknown stands below with the reason."""
    screen.say(
        "{account} on {day}; accounts: {accounts}",
        account=profile.account,
        day=str(profile.at.date()),
        accounts=", ".join(profile.accounts),
    )
    screen.say()
    rows = [
        (
            screen.t(NAMES.get(each.name, each.name)),
            _value(screen, each, title),
            screen.t(SOURCES[each.source]),
            f"{each.sureness:.2f}",
            "" if each.last_seen is None else str(each.last_seen.date()),
            "" if each.expires_at is None else str(each.expires_at.date()),
        )
        for each in profile.fields
        if each.value is not None
    ]
    screen.table(["field", "value", "source", "sureness", "last seen", "expires"], rows)
    unknown = [each for each in profile.fields if each.value is None]
    if unknown:
        screen.say()
        screen.say("Unknown:")
    for each in unknown:
        screen.line(f"  {screen.t(NAMES.get(each.name, each.name))}: {screen.words(each.note)}")


def _value(screen: Screen, field: "Field", title: Callable[[str], str]) -> str:
    details = field.details
    match field.name:
        case "interest":
            return f"{field.value} ({details['share']:.0%})"
        case "active_hours":
            return f"{field.value} ({details['share']:.0%})"
        case "weekend_share":
            return f"{field.value:.0%}"
        case "sessions":
            minutes = "?" if details["median_minutes"] is None else f"{details['median_minutes']:g}"
            return screen.words(Text("{count:g}, median {minutes} min", count=field.value, minutes=minutes))
        case "depth":
            return screen.words(
                Text("{finished} of {started}", finished=details["finished"], started=details["started"])
            )
        case "domain_mix":
            return ", ".join(f"{title(name)} {share:.0%}" for name, share in details.items())
        case "value_tier" | "life_cycle":
            value = screen.t(VALUES.get(str(field.value), str(field.value)))
            return f"{value} ({title(details['domain'])})" if "domain" in details else value
    return screen.words(field.value) if isinstance(field.value, str) else f"{field.value:g}"


def _habit(screen: Screen, name: str) -> str:
    kind, _, domain = name.partition(".")
    if kind == "spent":
        return screen.words(Text("spent in {domain} (log)", domain=domain))
    return screen.t(HABITS[name]) if name in HABITS else name


def show_segments(screen: Screen, segments: "Sequence[SegmentTold]", about: "About") -> None:
    """All segments with size and what they like."""
    screen.table(
        ["#", "segment", "people", "share", "stands out"],
        [
            (each.number, each.name, f"{each.size:,}", f"{each.share:.1%}", _traits((*each.categories[:3],)))
            for each in segments
        ],
    )
    screen.say()
    mean, error = about.judged[str(len(segments))]
    screen.say(
        "{count} segments of {people} people, found on {day}; silhouette {mean} (standard error {error}).",
        count=len(segments),
        people=f"{about.people:,}",
        day=str(about.fitted_at.date()),
        mean=f"{mean:.3f}",
        error=f"{error:.3f}",
    )


def show_segment(screen: Screen, segment: "SegmentTold") -> None:
    """One segment: what sets it apart."""
    screen.say(
        "{number}. {name}: {people} people, {share} of all",
        number=segment.number,
        name=segment.name,
        people=f"{segment.size:,}",
        share=f"{segment.share:.1%}",
    )
    screen.say()
    rows = [
        (
            each.name,
            f"{each.lift.share:.1%}",
            f"{each.lift.others:.1%}",
            f"{each.lift.lift:.2f}",
            f"{each.lift.low:.2f} .. {each.lift.high:.2f}",
        )
        for each in (*segment.interests, *segment.categories)
    ]
    if rows:
        screen.table(["interest or category", "members", "others", "lift", "95 % interval"], rows, numbers=1)
    if segment.habits:
        screen.table(
            ["habit", "members", "others", "difference in standard deviations"],
            [
                (
                    _habit(screen, each.name),
                    f"{each.mean:.2f}",
                    f"{each.others:.2f}",
                    f"{each.effect:+.2f}",
                )
                for each in segment.habits
            ],
            numbers=1,
        )
    if not rows and not segment.habits:
        screen.say("Nothing sets these people apart, or they are too few to be described.")


def _traits(told: "Sequence[Told]") -> str:
    return "; ".join(f"{each.name} ×{each.lift.lift:.1f}" for each in told)
