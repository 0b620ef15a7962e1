"""The base of every configuration: frozen, and unknown keys are refused."""

from pathlib import Path
from typing import Any, TypeVar

import pydantic
from pydantic_core import ErrorDetails

from kuajie.core.errors import ConfigError
from kuajie.core.names import OR
from kuajie.core.problems import PROBLEMS
from kuajie.core.texts import Joined, Text

C = TypeVar("C", bound="Config")


class Config(pydantic.BaseModel):
    """A frozen configuration; hyperparameters live here and nowhere else."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def parse(cls: type[C], values: dict[str, Any], where: str | Path = "") -> C:
        """Build the configuration from plain values; `where` names their origin in the error.

        Raises:
            ConfigError: one sentence that names every wrong key.
        """
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise ConfigError(describe(error, where or cls.__name__)) from None


def describe(error: pydantic.ValidationError, where: str | Path) -> Text:
    """Turn pydantic's error into one sentence a person can act on."""
    problems = Joined(_problem(entry) for entry in error.errors())
    return Text("{where}: {problems}. Correct the configuration and run again.", where=where, problems=problems)


def _problem(entry: ErrorDetails) -> Text:
    key = ".".join(str(part) for part in entry["loc"]) or Text("(top level)")
    if entry["type"] == "extra_forbidden":
        return Text("'{key}' is not a known key", key=key)
    if entry["type"] == "missing":
        return Text("'{key}' is missing", key=key)
    return Text("'{key}': {problem}, got {got}", key=key, problem=_wording(entry), got=repr(entry["input"])[:80])


def _wording(entry: ErrorDetails) -> str:
    said, values = entry["msg"].lower(), dict(entry.get("ctx", {}))
    if isinstance(values.get("error"), ValueError):  # of a validator of ours: a text
        values["error"] = values["error"].args[0]
    if "expected" in values:
        values["expected"] = Joined(values["expected"].split(" or "), OR)
    values |= {name: f"{value:g}" for name, value in values.items() if isinstance(value, float)}
    if "field_type" in values:
        values["field_type"] = values["field_type"].lower()
    text = Text(PROBLEMS[entry["type"]], **values) if entry["type"] in PROBLEMS else said
    return text if text.lower() == said else said
