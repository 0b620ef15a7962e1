"""What workflows need from the outside, as Protocols; `storage` implements them and `bootstrap` puts them together."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kuajie.core.recommender import Recommender
from kuajie.core.records import ModelVersion
from kuajie.core.space import ItemSpace
from kuajie.core.statistics import Statistics
from kuajie.core.texts import Text
from kuajie.profiles.audience import Audience


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A fitted model as it was saved, checked."""

    model: Recommender
    space: ItemSpace
    version: ModelVersion


class ModelStore(Protocol):
    """Model versions: immutable once saved; one of them is the one that serves."""

    def save(self, model: Recommender, space: ItemSpace, version: ModelVersion, *, serve: bool = True) -> None:
        """Save a version and let it serve, unless told not to; what served before serves on when this fails.

        Raises:
            ArtifactError: the model holds values that are not finite.
            UsageError: the version exists.
            ResourceError: the disk refuses.
        """

    def keep_sums(self, model_version: str, sums: dict[str, Statistics]) -> None:
        """Keep what makes the next step quicker beside a version.

        Raises:
            ResourceError: the disk refuses.
        """

    def sums(self, model_version: str) -> dict[str, Statistics]:
        """What was kept; empty where it was not, or is damaged."""

    def load(self, model_version: str | None = None) -> StoredModel:
        """Load a version; None: the one that serves.

        Raises:
            UsageError: there is none, or no such version.
            ArtifactError: it is damaged.
        """

    def serving(self) -> str | None:
        """The version that serves, or None."""

    def activated_at(self) -> datetime | None:
        """When it was made to serve, or None."""

    def serve(self, model_version: str) -> None:
        """Let another version serve, after checking that it can be loaded."""

    def served(self) -> list[str]:
        """The versions that served last and are still there, the one that serves first; at most three."""

    def versions(self) -> list[ModelVersion]:
        """All readable versions, oldest first."""

    def pinned(self) -> list[str]:
        """Versions that are never removed; while the one that serves is among them, no schedule replaces it."""

    def pin(self, model_version: str, *, keep: bool = True) -> None:
        """Pin a version, or no longer.

        Raises:
            UsageError: there is no such version.
        """

    def remove(self, model_version: str) -> None:
        """Remove a version for good.

        Raises:
            UsageError: there is none, it serves, or it is pinned.
        """

    def damaged(self) -> dict[str, Text]:
        """Versions that cannot be read, with the reason."""


class AudienceStore(Protocol):
    """Audiences: topics and segments of people; the newest is used."""

    def save(self, audience: Audience) -> None:
        """Save an audience; of earlier ones the last stay.

        Raises:
            ArtifactError: it holds values that are not finite.
            ResourceError: the disk refuses.
        """

    def load(self) -> Audience | None:
        """The newest audience; None where there is none yet.

        Raises:
            ArtifactError: it is damaged.
        """
