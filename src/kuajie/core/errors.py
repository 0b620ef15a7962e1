"""Every error that kuajie raises on purpose.

    KuajieError
    |-- CallError            exit 2: the call itself is wrong
    |   |-- ConfigError      a configuration file or value
    |   |-- UsageError       an argument, or a name that does not exist
    |   `-- MissingExtraError   an optional dependency is not installed
    `-- JobError             exit 1: the call is right, the job failed
        |-- DataError        input that cannot be used
        |-- ArtifactError    a stored model or snapshot that is damaged or of another version
        |-- ResourceError    the job would need more memory, time or disk than there is
        |-- StreamError      a stream of messages does not answer, or refuses
        `-- StoreError       the operational store does not answer, or refuses
            |-- BusyError    it has too much to do just now; nothing was taken, try again
            `-- TakenError   another process writes it

Wording: what is wrong, where, what was got, what to do. The text is a message in English with `{named}` places, so
that it can be said in another language: `DataError("{path}, row {row}: ...", path=path, row=row)`.
"""

from kuajie.core.texts import Text, Translate


class KuajieError(Exception):
    """Base of all errors that are meant to be read by a person.

    Attributes:
        text: the sentence, in English and to be said in other languages.
    """

    exit_code = 1

    def __init__(self, message: str, /, **values: object) -> None:
        self.text = message if isinstance(message, Text) and not values else Text(message, **values)
        super().__init__(str(self.text))

    def say(self, translate: Translate) -> str:
        """The text in the language of `translate`."""
        return self.text.say(translate)


class CallError(KuajieError):
    """The call itself is wrong."""

    exit_code = 2


class ConfigError(CallError):
    """A configuration file or value is wrong."""


class UsageError(CallError):
    """An argument is wrong, or names something that does not exist."""


class MissingExtraError(CallError):
    """An optional dependency is needed and not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            '{what} needs {package}, which is not installed. Run: pip install "kuajie[{extra}]"',
            what=what,
            package=package,
            extra=extra,
        )


class JobError(KuajieError):
    """The call is right, but the job failed."""


class DataError(JobError):
    """Input data cannot be used."""


class ArtifactError(JobError):
    """A stored model or snapshot is damaged, incomplete or of another version."""


class ResourceError(JobError):
    """The job would need more memory, time or disk than there is."""


class StreamError(JobError):
    """A stream of messages does not answer, or refuses; nothing of it is lost."""


class StoreError(JobError):
    """The operational store does not answer, or refuses; what was to be written is not acknowledged."""


class TakenError(StoreError):
    """Another process writes the store, which only one may."""


class BusyError(StoreError):
    """The store's queue is full; nothing was taken. Try again after a moment."""
