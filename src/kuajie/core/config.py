"""The base of every configuration: frozen, and unknown keys are refused."""

from pathlib import Path
from typing import Any, TypeVar

import pydantic

from kuajie.core.errors import ConfigError

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


def describe(error: pydantic.ValidationError, where: str | Path) -> str:
    """Turn pydantic's error into one sentence a person can act on."""
    problems = []
    for entry in error.errors():
        key = ".".join(str(part) for part in entry["loc"]) or "(top level)"
        if entry["type"] == "extra_forbidden":
            problems.append(f"'{key}' is not a known key")
        elif entry["type"] == "missing":
            problems.append(f"'{key}' is missing")
        else:
            got = repr(entry["input"])
            problems.append(f"'{key}': {entry['msg'].lower()}, got {got[:80]}")
    return f"{where}: {'; '.join(problems)}. Correct the configuration and run again."
