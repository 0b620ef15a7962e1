"""`--help` in the language of who asks: the words of the commands, and those that typer puts around them."""

import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from kuajie.core.language import message, translator
from kuajie.core.texts import Translate

FRAME = (
    message("Usage:"),
    message("Arguments:"),
    message("Options:"),
    message("Commands:"),
    message("Example:"),
    message("[default:"),
    message("required]"),
    message("Show this message and exit."),
)
"""What typer says around our words."""


class SpokenCommand(TyperCommand):
    """A command whose help is in the language that the call carries as its `obj`."""

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        """The help."""
        translate = translator(ctx.find_root().obj or "en")
        translate_words(self, translate)
        return framed(super().get_help(ctx), translate)


class SpokenGroup(TyperGroup):
    """The same for the program, with its list of commands."""

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        """The help."""
        translate = translator(ctx.find_root().obj or "en")
        for command in (self, *self.commands.values()):
            translate_words(command, translate)
        return framed(super().get_help(ctx), translate)


def translate_words(command: Any, translate: Translate) -> None:  # noqa: ANN401 # typer's class has moved
    """Say the help of a command and of its options; typer makes commands anew for each call."""
    command.help = "\n\n".join(map(translate, paragraphs(command.help)))
    for option in command.params:
        option.help = option.help and translate(option.help)
        if isinstance(option.show_default, str):
            option.show_default = translate(option.show_default)


def paragraphs(text: str | None) -> list[str]:
    """The paragraphs of a help text, each in one line; examples stay as they are."""
    return [part if part.startswith("\b") else " ".join(part.split()) for part in (text or "").split("\n\n")]


def framed(text: str, translate: Translate) -> str:
    """Say what typer wrote around our words."""
    for words in FRAME:
        said = translate(words)
        space = " ?" if said.endswith("：") else ""  # a full-width colon brings its own
        text = re.sub(rf"(?m)(?:^|(?<=[ \[])){re.escape(words)}{space}", said, text)
    return text
