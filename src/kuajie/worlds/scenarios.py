"""Who meets whom: the platform, the partners, and the scenarios that join them."""

from dataclasses import dataclass

PLATFORM = "courses"


@dataclass(frozen=True)
class DomainPlan:
    """What a domain is, whatever the size of the world.

    Attributes:
        name: the domain's name.
        title, title_en: its name for people, in Chinese and English.
        funnel: which behaviour it knows (see `funnels`).
        hours: when in the day people come (see `seasons`).
        item_id: how numbers of items become ids.
        user_id: how numbers of accounts become ids.
        festivals: first day and lift of weeks with more activity.
    """

    name: str
    title: str
    title_en: str
    funnel: str
    hours: str
    item_id: str
    user_id: str
    festivals: tuple[tuple[str, float], ...] = ()


_SALES = (("2025-11-10", 2.0), ("2025-12-12", 1.4), ("2026-06-15", 1.8))

PLANS = {
    plan.name: plan
    for plan in (
        DomainPlan(PLATFORM, "知识付费平台", "Knowledge platform", "learning", "evening", "{:06d}", "{:08d}",
                   (("2026-02-23", 1.5), ("2026-08-31", 1.4))),
        DomainPlan("car_parts", "汽车改装配件", "Car modification parts", "shopping", "evening", "SKU-{:06d}",
                   "cp-{:07d}", _SALES),
        DomainPlan("auto_finance", "汽车金融", "Auto finance", "advice", "daytime", "P{:05d}", "A{:09d}",
                   (("2025-12-22", 1.5), ("2026-03-16", 1.3))),
        DomainPlan("film", "影视", "Film and TV", "watching", "evening", "tt{:07d}", "f_{}",
                   (("2026-02-16", 1.9), ("2026-07-20", 1.4), ("2025-12-29", 1.4))),
        DomainPlan("cars", "汽车品牌", "Car brands", "advice", "daytime", "车型{:05d}", "客户{:07d}",
                   (("2025-11-24", 1.5), ("2026-04-27", 1.6))),
        DomainPlan("beauty", "美妆时尚", "Beauty and fashion", "shopping", "evening", "{}", "{:08x}",
                   (*_SALES, ("2026-03-02", 1.6))),
    )
}  # fmt: skip

SCENARIOS: dict[str, tuple[str, ...]] = {
    "car-parts": (PLATFORM, "car_parts"),
    "auto-finance": (PLATFORM, "auto_finance"),
    "film": (PLATFORM, "film"),
    "car": (PLATFORM, "cars"),
    "beauty": (PLATFORM, "beauty"),
    "all": (PLATFORM, "car_parts", "auto_finance", "film", "cars", "beauty"),
}
"""The domains of each scenario; the platform comes first."""
