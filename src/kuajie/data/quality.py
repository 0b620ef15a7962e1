"""The data-quality account: read = kept + merged + quarantined, for every source; it always adds up."""

from collections.abc import Iterable

import msgspec

from kuajie.core.errors import KuajieError
from kuajie.core.records import Record
from kuajie.core.texts import Text


class Wording(Record, frozen=True):
    """How a sentence was made, so that it can be said in other languages (see `core.texts.Text`)."""

    message: str
    values: dict[str, str | int | float]


class SourceAccount(Record, frozen=True):
    """What became of the rows of one source.

    Attributes:
        domain: whose it is; empty for links.
        table: events, items, users, links, kg or entities.
        source: its name.
        read: rows read.
        kept: rows kept.
        exact_duplicates: merged into an equal row.
        near_duplicates: merged into a row that nearly equals it.
        quarantined: reason -> rows.
    """

    domain: str
    table: str
    source: str
    read: int = 0
    kept: int = 0
    exact_duplicates: int = 0
    near_duplicates: int = 0
    quarantined: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def merged(self) -> int:
        """Rows merged into others."""
        return self.exact_duplicates + self.near_duplicates

    @property
    def bad(self) -> int:
        """Rows in quarantine."""
        return sum(self.quarantined.values())

    @property
    def bad_share(self) -> float:
        """Rows in quarantine per row read."""
        return self.bad / self.read if self.read else 0.0


class QualityAccount(Record, frozen=True):
    """What an import found.

    Attributes:
        sources: one account for each source.
        flagged: rule -> accounts with an extreme rate of events.
        warnings: sentences for a person.
        quarantine: path of the file with the bad rows, relative to the warehouse; empty where there are none.
        wordings: sentence -> how it was made, of the reasons and warnings that hold values.
    """

    sources: tuple[SourceAccount, ...]
    flagged: dict[str, int] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    quarantine: str = ""
    wordings: dict[str, Wording] = msgspec.field(default_factory=dict)

    def text(self, sentence: str) -> Text:
        """A reason or a warning of this account, to be said in any language."""
        wording = self.wordings.get(sentence)
        return Text(sentence) if wording is None else Text(wording.message, **wording.values)

    @property
    def total(self) -> SourceAccount:
        """The sum over all sources."""
        return add_up(self.sources)

    def of(self, table: str) -> SourceAccount:
        """The sum over the sources of one kind of table."""
        return add_up(each for each in self.sources if each.table == table)

    def check(self) -> "QualityAccount":
        """Itself.

        Raises:
            KuajieError: a row is neither kept, nor merged, nor quarantined: a fault of kuajie, not of the data.
        """
        for each in self.sources:
            if each.read != each.kept + each.merged + each.bad:
                raise KuajieError(
                    "{source}: {read} rows read, but {kept} kept + {merged} merged + {bad} quarantined. This is "
                    "a fault of kuajie; please report it.",
                    source=each.source,
                    read=each.read,
                    kept=each.kept,
                    merged=each.merged,
                    bad=each.bad,
                )
        return self


def wordings_of(texts: Iterable[Text]) -> dict[str, Wording]:
    """How those sentences were made that hold values: plain numbers and text."""
    made = {str(text): text for text in texts if text.values}
    return {sentence: Wording(message=text.message, values=text.values) for sentence, text in made.items()}  # type: ignore[arg-type]


def add_up(accounts: Iterable[SourceAccount]) -> SourceAccount:
    """The sum of accounts."""
    found = list(accounts)
    reasons = dict.fromkeys(reason for each in found for reason in each.quarantined)
    return SourceAccount(
        domain="",
        table="",
        source="total",
        read=sum(each.read for each in found),
        kept=sum(each.kept for each in found),
        exact_duplicates=sum(each.exact_duplicates for each in found),
        near_duplicates=sum(each.near_duplicates for each in found),
        quarantined={reason: sum(each.quarantined.get(reason, 0) for each in found) for reason in reasons},
    )
