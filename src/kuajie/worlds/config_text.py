"""The `kuajie.toml` that imports a written world."""

import json
from collections.abc import Mapping

from kuajie.core import columns as c
from kuajie.worlds.layouts import Layout, layout_of, time_keys
from kuajie.worlds.scenarios import PLANS

FOLDER = "sources"
DECLARED = {"city_tier": "city_tier", "age_band": "age_band"}
"""What accounts say of themselves; columns of the tables of users."""
_ENDINGS = {"csv": "csv", "tsv": "tsv", "parquet": "parquet", "jsonl": "jsonl", "sqlite": "db"}


def file_name(domain: str, table: str, layout: Layout) -> str:
    """Name of the file of a table inside the folder of sources; SQLite keeps all tables in one file."""
    name = domain if layout.format == "sqlite" else f"{domain}_{table}"
    return f"{name}.{_ENDINGS[layout.format]}"


def config_text(name: str, seed: int, domains: tuple[str, ...], formats: Mapping[str, str]) -> str:
    """The configuration of a workspace whose `sources` folder holds the world.

    Args:
        name: of the workspace.
        seed: of the workspace's own randomness.
        domains: the platform first.
        formats: domain -> format, where it is not the usual one.
    """
    lines = [
        "# A generated world: every company keeps its data in its own way; the columns below say how to read it.",
        "",
        "[workspace]",
        f"name = {_value(name)}",
        f"seed = {seed}",
        "threads = 2",
        "memory_gb = 8.0",
    ]
    for domain in domains:
        lines += _domain(domain, layout_of(domain, formats.get(domain)))
    lines += [
        "",
        "# Which accounts are one person: a table of links with confidence and expiry.",
        "[identity]",
        'method = "links"',
        "min_confidence = 0.8",
        "",
        "[[identity.links]]",
        f'path = "{FOLDER}/links.csv"',
        "",
        "[strength]",
        "half_life_days = 180.0",
        "saturation = 0.5",
        "",
        "[cleaning]",
        "max_quarantined = 0.05",
        'flagged = "exclude"                           # the bots',
    ]
    return "\n".join(lines) + "\n"


def _domain(domain: str, layout: Layout) -> list[str]:
    kinds = {word: kind for kind, word in layout.kinds.items()}
    text = {"encoding": layout.encoding} if layout.encoding != "utf-8" else {}
    if layout.format == "csv" and layout.delimiter != ",":
        text["delimiter"] = layout.delimiter
    events = {"columns": layout.events, **text, **time_keys(layout), **({"kinds": kinds} if kinds else {})}
    return [
        "",
        f"[domains.{domain}]",
        f"title = {_value(PLANS[domain].title)}",
        f"title_en = {_value(PLANS[domain].title_en)}",
        *_source(domain, "events", layout, events),
        *_source(domain, "items", layout, {"columns": layout.items, **text}),
        *_source(domain, "users", layout, {"columns": {c.USER: layout.user, **DECLARED}, **text}),
        "",
        f"[[domains.{domain}.kg]]",
        f'path = "{FOLDER}/{domain}_kg.csv"',
    ]


def _source(domain: str, table: str, layout: Layout, keys: Mapping[str, object]) -> list[str]:
    file = f"{FOLDER}/{file_name(domain, table, layout)}"
    place = [f"path = {_value(file)}"]
    if layout.format == "sqlite":
        place = [f"url = {_value(f'sqlite:///{file}')}", f'query = "select * from {table}"']  # noqa: S608
    return ["", f"[[domains.{domain}.{table}]]", *place, *(f"{key} = {_value(value)}" for key, value in keys.items())]


def _value(value: object) -> str:
    """A TOML value; JSON's strings are TOML's."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").isalnum() else _value(key)
