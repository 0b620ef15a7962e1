"""The languages of what people read. Messages are written in English; a catalogue translates them.

Catalogues are gettext `.po` files, `locale/<language>/LC_MESSAGES/kuajie.po`, read as they stand (see
`docs/adr/0003-languages.md`).
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from kuajie.core.errors import ConfigError, UsageError
from kuajie.core.texts import Translate

LANGUAGES = ("en", "zh")
FOLDER = Path(__file__).parents[1] / "locale"
_LINE = re.compile(r'(?:(msgid|msgstr)\s+)?("(?:[^"\\]|\\.)*")')


def translator(language: str) -> Translate:
    """The translation into a language; a message without one stays English.

    Raises:
        UsageError: a language that there is not.
    """
    if language not in LANGUAGES:
        raise UsageError(
            "there is no language '{language}'; the languages are {known}",
            language=language,
            known=", ".join(LANGUAGES),
        )
    if language == "en":
        return str
    messages = catalogue(language)
    return lambda message: messages.get(message, message)


def message(text: str) -> str:
    """Mark a text that is translated later, where it is shown."""
    return text


def language_of(*asked: str | None, environment: Mapping[str, str]) -> str:
    """The first language that was asked for, else the one of the environment (LC_ALL, LC_MESSAGES, LANG), else en."""
    for language in asked:
        if language:
            return language
    spoken = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if spoken.lower().startswith("zh") else "en"


@cache
def catalogue(language: str) -> dict[str, str]:
    """The messages of a language."""
    path = FOLDER / language / "LC_MESSAGES" / "kuajie.po"
    return read_po(path.read_text(encoding="utf-8"), path)


def read_po(text: str, where: str | Path = "catalogue") -> dict[str, str]:
    """The translations in a `.po` file: msgid -> msgstr, without the header and what is not translated.

    Raises:
        ConfigError: a line that is none of comment, msgid, msgstr, continued text.
    """
    messages: dict[str, str] = {}
    entry = {"msgid": "", "msgstr": ""}
    key = ""
    for number, line in enumerate([*text.splitlines(), 'msgid ""'], start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or not (match[1] or key):
            raise ConfigError(
                '{where}, line {number}: must be a comment, msgid "..." or msgstr "...", got {line!r}',
                where=where,
                number=number,
                line=line,
            )
        if match[1] == "msgid":
            messages[entry["msgid"]] = entry["msgstr"]
            entry = {"msgid": "", "msgstr": ""}
        key = match[1] or key
        entry[key] += json.loads(match[2])
    return {message: translation for message, translation in messages.items() if message and translation}
