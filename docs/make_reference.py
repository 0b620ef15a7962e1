"""Write `reference.md` from the code: commands with their help, and every key of every configuration.

Run: python docs/make_reference.py
"""

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pydantic
import typer.main
from typer.testing import CliRunner

from kuajie.cli.main import app
from kuajie.core.config import Config
from kuajie.core.records import Kind
from kuajie.data.config import DomainConfig, LinkSourceConfig, SourceConfig
from kuajie.models.deep.order_configs import ContrastConfig, FineTuneConfig, OrderTraining
from kuajie.models.registry import COMPOSED, DEEP, MODELS, config_class
from kuajie.models.trend import TrendConfig
from kuajie.rerank.registry import RERANKERS
from kuajie.workflows.workspace import WorkspaceConfig

PLACE = Path(__file__).with_name("reference.md")
SOURCES = {"domains.NAME": DomainConfig, "domains.NAME.events": SourceConfig, "identity.links": LinkSourceConfig}
"""Tables inside lists and dictionaries, which `WorkspaceConfig` does not name by itself."""


def reference() -> str:
    """The whole page."""
    return "\n".join(
        [
            "# Reference",
            "",
            "Made from the code by `python docs/make_reference.py`; a test keeps it up to date.",
            "",
            "## Commands",
            *commands(),
            "## kuajie.toml",
            "",
            "Unknown keys are refused. Paths are relative to the file. The same tables are used for `events`, `items`,",
            "`users` and `kg` of a domain.",
            *workspace(),
            "",
            f"Kinds of behaviour: {', '.join(f'`{kind}`' for kind in typing.get_args(Kind))}.",
            "",
            "## Models",
            "",
            "Names for `kuajie benchmark --models`; `auto` is the blend that is chosen on validation data.",
            *models(),
            "",
            "## Re-rankers",
            "",
            "Steps of `[rerank]`, each a table `[[rerank.steps]]` with its name as `kind`; "
            "[when to use which](reranking.md).",
            *rerankers(),
            "",
        ]
    )


def commands() -> Iterator[str]:
    """The help of every command."""
    runner = CliRunner(env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"})
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        text = runner.invoke(app, [name, "--help"], prog_name="kuajie").output
        yield from ("", f"### kuajie {name}", "", "```text", text.strip(), "```", "")


def workspace() -> Iterator[str]:
    """Every section of `kuajie.toml`."""
    for section, field in WorkspaceConfig.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Config):
            yield from table(f"[{section}]", field.annotation)
    for section, config in SOURCES.items():
        yield from table(f"[{section}]", config)


PARTS: dict[str, type[Config]] = {
    "trend (sequence and deep models of order)": TrendConfig,
    "training (deep models of order)": OrderTraining,
    "contrast (deep models of order)": ContrastConfig,
    "fine_tune (deep models of order)": FineTuneConfig,
}
"""Settings inside settings."""


def models() -> Iterator[str]:
    """Every model and its hyperparameters."""
    for kind in (*MODELS, *DEEP, *COMPOSED):
        yield from table(kind, config_class(kind))
    for title, part in PARTS.items():
        yield from table(title, part)


def rerankers() -> Iterator[str]:
    """Every re-ranker and its settings."""
    for kind, (config, _) in RERANKERS.items():
        yield from table(kind, config)


def table(title: str, config: type[Config]) -> Iterator[str]:
    """The keys of one configuration: default and meaning."""
    described = descriptions(config)
    yield from ("", f"### {title}", "", summary(config), "", "| key | default | |", "|---|---|---|")
    for name, field in config.model_fields.items():
        if name != "kind" or title.startswith("["):
            yield f"| `{name}` | {default(field)} | {described.get(name, '')} |"


def summary(config: type[Config]) -> str:
    """What a configuration says of itself, before its attributes."""
    text = inspect.getdoc(config) or ""
    return " ".join(text.split("Attributes:")[0].split())


def descriptions(config: type[Config]) -> dict[str, str]:
    """Attribute -> its description, from the docstrings of a class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(config.__mro__):
        section = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")[2]
        for entry in re.split(r"\n(?= {4}\w)", "\n" + section.split("\n\n")[0]):
            names, colon, text = entry.strip().partition(": ")
            if colon:
                found |= dict.fromkeys(re.split(r",\s*", names), " ".join(text.split()).replace("|", "\\|"))
    return found


def default(field: pydantic.fields.FieldInfo) -> str:
    """A field's default as it would stand in TOML."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Config) or value in (None, (), {}, ""):
        return ""
    return f"`{value}`"


if __name__ == "__main__":
    PLACE.write_text(reference(), encoding="utf-8")
