"""Sensitive attributes: told of nobody unless the workspace says so.

An attribute is sensitive if its name holds one of the words of a kind (`profiles.config.SENSITIVE_WORDS`): English ones
as whole words (`age_band`, `homeAddress`, not `page`), Chinese ones anywhere.
"""

import re

from kuajie.profiles.config import ProfilesConfig
from kuajie.text.tokens import fold

_PARTS = re.compile(r"[a-z0-9]+")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def sensitive_kinds(name: str, config: ProfilesConfig) -> list[str]:
    """The kinds that an attribute is of; none where it is not sensitive."""
    folded = fold(_HUMPS.sub("_", name))
    parts = set(_PARTS.findall(folded))
    parts |= {part.removesuffix("s") for part in parts}
    return [kind for kind, words in config.words.items() if any(_holds(folded, parts, fold(word)) for word in words)]


def allowed(attributes: dict[str, str], config: ProfilesConfig) -> dict[str, str]:
    """The attributes that may be told: not sensitive, or of kinds that are all switched on."""
    return {
        name: value for name, value in attributes.items() if set(sensitive_kinds(name, config)) <= set(config.sensitive)
    }


def _holds(folded: str, parts: set[str], word: str) -> bool:
    return word in parts if word.isascii() else word in folded
