"""Settings from the environment: `KUAJIE_SERVICE__PORT=80` goes before `port` in `[service]` of `kuajie.toml`.

A value is what would stand in TOML, without quotes; a variable that is empty is as good as none, since files for
containers like to pass them all. What a variable says is checked as in the file, and errors name the variable.
"""

from collections.abc import Collection, Mapping
from typing import Any

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError
from kuajie.core.names import suggest

PREFIX, BETWEEN = "KUAJIE_", "__"


def names_in(environment: Mapping[str, str], sections: Collection[str]) -> list[str]:
    """The variables that set something."""
    starts = tuple(f"{PREFIX}{section}{BETWEEN}".upper() for section in sections)
    return sorted(name for name, text in environment.items() if name.startswith(starts) and text.strip())


def overridden(
    values: Mapping[str, Any], environment: Mapping[str, str], sections: Mapping[str, Any]
) -> dict[str, Any]:
    """The values of a file with those of the environment in their places.

    A place and the variable that names it (`database`, `database_env`) are two ways to say the same, so one from the
    environment removes the other of the file.

    Args:
        values: of the file.
        environment: variables.
        sections: that variables may set, each with its `Config`.

    Raises:
        ConfigError: no such section or key, or a wrong value; it names the variable.
    """
    changed = dict(values)
    for variable, text in sorted(environment.items()):
        section, between, key = variable.removeprefix(PREFIX).lower().partition(BETWEEN)
        if not (variable.startswith(PREFIX) and between and text.strip()):
            continue
        if section not in sections:
            raise ConfigError(
                "the environment variable {variable} sets a section '{section}' that variables cannot set{hint}. "
                "Correct or remove it.",
                variable=variable,
                section=section,
                hint=suggest(section, sections),
            )
        config: type[Config] = sections[section]
        config.parse({key: text}, variable)
        own = changed.get(section, {})
        if isinstance(own, dict):  # else the file is wrong, which its own error says
            other = key.removesuffix("_env") if key.endswith("_env") else f"{key}_env"
            said_too = f"{PREFIX}{section}{BETWEEN}{other}".upper() in environment
            kept = {name: value for name, value in own.items() if name != other or said_too}
            changed[section] = {**kept, key: text}
    return changed
