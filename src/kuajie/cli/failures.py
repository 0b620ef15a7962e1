"""How failures are told: one sentence on standard error, in the language of who called."""

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

import typer

from kuajie.core.errors import KuajieError
from kuajie.core.files import refusal
from kuajie.core.language import LANGUAGES, language_of, message, translator
from kuajie.core.texts import Text

INTERRUPTED = 130
USAGE = (
    message("No such command {name}. Did you mean {names}?"),
    message("No such command {name}."),
    message("No such option: {name} (Possible options: {names})"),
    message("No such option: {name}"),
    message("Missing command."),
    message("Missing argument {name}."),
    message("Missing option {name}."),
    message("Got unexpected extra argument(s) ({names})"),
    message("Option {name} requires an argument."),
    message("Option {name} does not take a value."),
    message("Invalid value for {name}: {problem}"),
    message("Value error, {problem}"),
    message("{got} is not one of {names}."),
    message("{got} does not match the formats {names}."),
)
"""What typer says of a wrong call; it has these sentences in English alone, and finished."""


class UsageFailure(Protocol):
    """What typer raises where a call is wrong; its class has moved between versions."""

    exit_code: int
    ctx: typer.Context | None

    def format_message(self) -> str:
        """The sentence, in English."""

    def show(self) -> None:
        """Print how the command is used, and the sentence."""


def tell(error: BaseException, language: str) -> int | None:
    """Tell why a command failed; its exit code, or None for a fault of our own, of which nothing is said."""
    sys.stdout.flush()
    if hasattr(error, "format_message"):
        return _tell_usage(cast(UsageFailure, error), language)
    found = _sentence(error)
    if found is None:
        return None
    sentence, code = found
    typer.echo(f"kuajie: {sentence.say(translator(language))}", err=True)
    return code


def _sentence(error: BaseException) -> tuple[Text, int] | None:
    match error:
        case KuajieError():
            return error.text, error.exit_code
        case KeyboardInterrupt() | typer.Abort():
            return Text("interrupted; nothing was changed"), INTERRUPTED
        case MemoryError():
            text = Text("there is not enough memory. Lower memory_gb in kuajie.toml, or use a larger machine.")
            return text, 1
        case OSError(filename=None):
            return Text("{reason}. Correct that and run again.", reason=refusal(error)), 1
        case OSError(filename=file):
            return Text("{file}: {reason}. Correct that and run again.", file=file, reason=refusal(error)), 1
    return None


def _tell_usage(failure: UsageFailure, language: str) -> int:
    """What is wrong with a call, and how the command is used: in English as typer says it."""
    sentence, context = failure.format_message(), failure.ctx
    if language == "en" or not sentence:
        failure.show()
        return failure.exit_code
    texts = [Text("Error: {problem}", problem=understood(sentence))]
    if context is not None:
        usage = Text("Usage: {usage}", usage=" ".join(context.get_usage().split()[1:]))
        texts = [usage, Text("Try '{command} --help' for help.\n", command=context.command_path), *texts]
    for text in texts:
        typer.echo(text.say(translator(language)), err=True)
    return failure.exit_code


def understood(sentence: str) -> str:
    """A finished sentence of typer or pydantic as a text; what is not known stays as it is."""
    from kuajie.core.problems import PROBLEMS

    for known in sorted((*USAGE, *PROBLEMS.values()), key=len, reverse=True):  # the most exact first
        fits = re.fullmatch(_pattern(known), sentence if known in USAGE else sentence[:1].lower() + sentence[1:])
        if fits:
            return Text(known, **{name: understood(value) for name, value in fits.groupdict().items()})
    return sentence


def _pattern(known: str) -> str:
    """A regular expression that a message fits whose places are filled."""
    return re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(known))


def language_of_call(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language of a call that has failed, perhaps because its arguments are wrong.

    `--lang`, else the workspace's `language`, else the system's, as for output; read without the parser of the
    command, for it may be what has failed.
    """
    asked = (value_of(arguments, "--lang"), workspace_language(value_of(arguments, "--workspace", "-w") or "."))
    return language_of(*(language for language in asked if language in LANGUAGES), environment=environment)


def value_of(arguments: Sequence[str], *names: str) -> str | None:
    """The value of an option among arguments."""
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            return value if equals else next(iter(arguments[place + 1 :]), None)
    return None


def workspace_language(folder: str) -> str | None:
    """What `kuajie.toml` says of the language, if it can be read at all."""
    try:
        values = tomllib.loads((Path(folder) / "kuajie.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    section = values.get("workspace")
    language = section.get("language") if isinstance(section, dict) else None
    return language if isinstance(language, str) else None
