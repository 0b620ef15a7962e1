"""What a command shows: text or JSON on standard output, progress and remarks on standard error."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from kuajie.core.language import language_of, translator
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Text, Translate, worded

PIPE_WIDTH = 110
"""Columns of tables where standard output is no terminal."""


class Screen:
    """Where a command writes.

    Attributes:
        t: translates messages.
        json: True where standard output carries JSON only.
    """

    def __init__(self, *languages: str | None, json: bool = False) -> None:
        self.language = language_of(*languages, environment=os.environ)
        self.t: Translate = translator(self.language)
        self.json = json

    def say(self, message: str = "", **values: object) -> None:
        """A line of text; nothing where JSON was asked for."""
        if not self.json:
            self._print(sys.stdout, Text(message, **values).say(self.t))

    def words(self, text: str) -> str:
        """A text in the reader's language; what is not a `Text` is in words already."""
        return text.say(self.t) if isinstance(text, Text) else text

    def line(self, text: str) -> None:
        """A line that is a `Text`, or already in words; nothing where JSON was asked for."""
        if not self.json:
            self._print(sys.stdout, self.words(text))

    def head(self, message: str, **values: object) -> None:
        """A headline."""
        if not self.json:
            self.say()
            self._print(sys.stdout, Text(message, **values).say(self.t), style="bold")

    def warn(self, sentence: str) -> None:
        """A sentence that the reader should not miss, a `Text` or already in words: on standard error."""
        self._print(sys.stderr, f"! {self.words(sentence)}")

    def data(self, value: object) -> None:
        """The result for machines, where it was asked for."""
        if self.json:
            import msgspec

            sys.stdout.write(
                msgspec.json.format(msgspec.json.encode(value, enc_hook=_english), indent=2).decode() + "\n"
            )

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], numbers: int | None = None) -> None:
        """A table; the columns from number `numbers` on are aligned to the right."""
        if self.json:
            return
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for place, column in enumerate(columns):
            right = numbers is not None and place >= numbers
            table.add_column(self.t(column), justify="right" if right else "left", no_wrap=right)
        for row in rows:
            table.add_row(*(escape(str(cell)) for cell in row))
        self._print(sys.stdout, table)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Bars on standard error, where it is a terminal."""
        if not sys.stderr.isatty():
            yield silent
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
            tasks: dict[str, Any] = {}

            def show(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(worded(stage, self.t), total=total or None)
                bars.update(tasks[stage], completed=done, total=total or None)

            yield show

    @staticmethod
    def _print(stream: TextIO, what: object, style: str | None = None) -> None:
        from rich.console import Console

        width = None if stream.isatty() else PIPE_WIDTH
        Console(file=stream, width=width, highlight=False, markup=False, emoji=False).print(
            what, style=style, soft_wrap=isinstance(what, str)
        )


def _english(value: object) -> str:
    """Texts as machines read them."""
    if isinstance(value, Text):
        return str(value)
    raise NotImplementedError
