"""How each company keeps its data: formats, column names and words of its own, all different on purpose."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import UsageError
from kuajie.core.records import Kind
from kuajie.worlds.scenarios import PLATFORM

FileFormat = Literal["csv", "tsv", "parquet", "jsonl", "sqlite"]
FORMATS: tuple[FileFormat, ...] = ("csv", "tsv", "parquet", "jsonl", "sqlite")
TimeStyle = Literal["local", "slashes", "utc", "seconds", "milliseconds"]

_LOCAL = "Asia/Shanghai"
_SLASHES = "%Y/%m/%d %H:%M:%S"


@dataclass(frozen=True)
class Layout:
    """How one company writes its tables down.

    Attributes:
        format: of its files.
        events: our column -> its name; a dot: a field inside a field (JSON lines).
        items: our column or attribute -> its name.
        user: its name for the account in the table of accounts.
        kinds: our kind -> its word; what is not named keeps ours.
        time: how it writes times.
        delimiter, encoding: of CSV files.
    """

    format: FileFormat
    events: dict[str, str]
    items: dict[str, str]
    user: str
    kinds: dict[Kind, str]
    time: TimeStyle
    delimiter: str = ","
    encoding: str = "utf-8"


def _events(user: str, item: str, kind: str, time: str, value: str) -> dict[str, str]:
    return {c.USER: user, c.ITEM: item, c.KIND: kind, c.OCCURRED_AT: time, c.VALUE: value}


LAYOUTS: dict[str, Layout] = {
    PLATFORM: Layout(
        format="csv",
        events=_events("uid", "course_id", "action", "ts", "seconds_or_amount"),
        items={
            c.ITEM: "course_id", c.TITLE: "name", c.TITLE_EN: "name_en", c.CATEGORY: "topic", c.BRAND: "teacher",
            c.PRICE: "price", "format": "form", "subject": "subject",
        },
        user="uid",
        kinds={"collect": "favourite", "purchase": "buy", "rate": "score", "dismiss": "hide"},
        time="local",
    ),
    "car_parts": Layout(
        format="parquet",
        events=_events("buyer_id", "sku", "event", "event_time", "amount"),
        items={
            c.ITEM: "sku", c.TITLE: "goods_name", c.TITLE_EN: "goods_name_en", c.CATEGORY: "category_name",
            c.BRAND: "brand_name", c.PRICE: "list_price", "product": "noun", "feature": "attribute", "spec": "spec",
            "series": "series",
        },
        user="buyer_id",
        kinds={"view": "pv", "collect": "fav", "purchase": "pay", "rate": "comment", "dismiss": "not_interested"},
        time="utc",
    ),
    "auto_finance": Layout(
        format="jsonl",
        events=_events("client.no", "product_no", "behaviour", "at_ms", "amount"),
        items={
            c.ITEM: "product_no", c.TITLE: "product_name", c.TITLE_EN: "product_name_en", c.CATEGORY: "line",
            c.BRAND: "provider", c.PRICE: "fee", "product": "noun", "feature": "attribute", "term": "spec",
        },
        user="client_no",
        kinds={"view": "browse", "register": "apply", "collect": "save"},
        time="milliseconds",
    ),
    "film": Layout(
        format="tsv",
        events=_events("viewer", "film", "did", "unix_time", "value"),
        items={
            c.ITEM: "film", c.TITLE: "title", c.TITLE_EN: "title_en", c.CATEGORY: "genre", c.BRAND: "studio",
            c.PRICE: "rent", "setting": "setting", "season": "series",
        },
        user="viewer",
        kinds={"view": "open", "play": "watch", "collect": "watchlist"},
        time="seconds",
        delimiter="\t",
    ),
    "cars": Layout(
        format="csv",
        events=_events("客户编号", "车型编号", "行为", "时间", "数值"),
        items={
            c.ITEM: "车型编号", c.TITLE: "车型名称", c.TITLE_EN: "英文名称", c.CATEGORY: "级别", c.BRAND: "品牌",
            c.PRICE: "指导价", "product": "车身", "feature": "卖点", "spec": "配置", "series": "车系",
        },
        user="客户编号",
        kinds={
            "view": "浏览", "collect": "关注", "register": "预约试驾", "rate": "评分", "share": "分享",
            "dismiss": "不感兴趣",
        },
        time="slashes",
        delimiter=";",
        encoding="gb18030",
    ),
    "beauty": Layout(
        format="sqlite",
        events=_events("member_no", "goods_id", "act", "act_time", "act_value"),
        items={
            c.ITEM: "goods_id", c.TITLE: "goods_title", c.TITLE_EN: "goods_title_en", c.CATEGORY: "cate",
            c.BRAND: "brand", c.PRICE: "sale_price", "product": "noun", "feature": "attribute", "spec": "spec",
            "series": "series",
        },
        user="member_no",
        kinds={"collect": "wish", "cart": "add_to_bag", "purchase": "order", "rate": "review"},
        time="local",
    ),
}  # fmt: skip

_SOURCE_OF = {"product": "noun", "feature": "attribute", "term": "spec", "season": "series"}
"""Attributes of items whose column in the catalogue has another name."""


def layout_of(domain: str, format: str | None = None) -> Layout:
    """The layout of a domain, or the same names in another format.

    Raises:
        UsageError: no such format.
    """
    layout = LAYOUTS[domain]
    if format is None or format == layout.format:
        return layout
    if format not in FORMATS:
        raise UsageError(
            "there is no format '{format}' for {domain}; the formats are {known}",
            format=format,
            domain=domain,
            known=", ".join(FORMATS),
        )
    events = {ours: theirs.replace(".", "_") for ours, theirs in layout.events.items()}
    delimiter = "\t" if format == "tsv" else ","
    return Layout(format, events, layout.items, layout.user, layout.kinds, layout.time, delimiter)


def dress_events(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Our columns, words and times -> theirs."""
    times = {
        "utc": pl.col(c.OCCURRED_AT),
        "seconds": pl.col(c.OCCURRED_AT).dt.epoch("s"),
        "milliseconds": pl.col(c.OCCURRED_AT).dt.epoch("ms"),
        "local": pl.col(c.OCCURRED_AT).dt.convert_time_zone(_LOCAL).dt.strftime("%Y-%m-%d %H:%M:%S"),
        "slashes": pl.col(c.OCCURRED_AT).dt.convert_time_zone(_LOCAL).dt.strftime(_SLASHES),
    }
    words: dict[str, str] = {str(kind): word for kind, word in layout.kinds.items()}
    frame = frame.with_columns(times[layout.time].alias(c.OCCURRED_AT), pl.col(c.KIND).replace(words))
    columns = []
    for ours, theirs in layout.events.items():
        outer, _, inner = theirs.partition(".")
        columns.append(pl.struct(pl.col(ours).alias(inner)).alias(outer) if inner else pl.col(ours).alias(outer))
    return frame.select(columns)


def dress_items(table: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Our columns of items -> theirs."""
    return table.select(pl.col(_SOURCE_OF.get(ours, ours)).alias(theirs) for ours, theirs in layout.items.items())


def time_keys(layout: Layout) -> dict[str, str]:
    """What `kuajie.toml` must say about the times."""
    if layout.time in {"utc", "seconds", "milliseconds"}:
        return {"time_unit": {"seconds": "s", "milliseconds": "ms"}[layout.time]} if layout.time != "utc" else {}
    return {"timezone": _LOCAL, **({"time_format": _SLASHES} if layout.time == "slashes" else {})}
