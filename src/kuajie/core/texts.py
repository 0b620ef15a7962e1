"""Sentences that are written once in English and can be said in other languages.

A `Text` is its English sentence, for machines and logs, and remembers its message and values, for people.
"""

from collections.abc import Callable, Iterable
from typing import Self

Translate = Callable[[str], str]
"""Turns an English message into a language; places such as `{title}` stay."""


class Text(str):
    """An English sentence made of a message with `{named}` places and of values.

    Args:
        message: in English, the text in the catalogues of other languages.
        values: what its places are filled with; a text or an error among them is said in the same language.

    Attributes:
        message, values: the same.
    """

    message: str
    values: dict[str, object]

    def __new__(cls, message: str, /, **values: object) -> Self:
        """The sentence; a message without values may hold braces."""
        text = super().__new__(cls, message.format(**values) if values else message)
        text.message, text.values = message, values
        return text

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: it never changes."""
        return self

    def say(self, translate: Translate) -> str:
        """The sentence in the language of `translate`."""
        said = translate(self.message)
        if not self.values:
            return said
        return said.format(**{name: say(value, translate) for name, value in self.values.items()})


class Joined(Text):
    """Several texts in a row, such as reasons or names."""

    parts: tuple[str, ...]

    def __new__(cls, parts: Iterable[str], separator: str = Text("; ")) -> Self:
        """The parts with a separator, itself a message, between them."""
        listed = tuple(parts)
        text = super().__new__(cls, separator.join(listed))
        text.parts, text.message = listed, separator
        return text

    def say(self, translate: Translate) -> str:
        """The parts in the language of `translate`."""
        return translate(self.message).join(str(say(part, translate)) for part in self.parts)


def say(value: object, translate: Translate) -> object:
    """A value in the language of `translate`, where it is a text or an error; else as it is."""
    saying = getattr(value, "say", None)
    return value if saying is None else saying(translate)


def worded(sentence: str, translate: Translate) -> str:
    """A sentence in the language of `translate`; a plain one is a message without values."""
    return sentence.say(translate) if isinstance(sentence, Text) else translate(sentence)
