"""What workflows need from the outside, as Protocols; `storage` implements them and `bootstrap` puts them together."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kuajie.core.recommender import Recommender
from kuajie.core.records import ModelVersion
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A fitted model as it was saved, checked."""

    model: Recommender
    space: ItemSpace
    version: ModelVersion


class ModelStore(Protocol):
    """Model versions: immutable once saved; one of them is the one that serves."""

    def save(self, model: Recommender, space: ItemSpace, version: ModelVersion) -> None:
        """Save a version and let it serve; what served before serves on when this fails.

        Raises:
            ArtifactError: the model holds values that are not finite.
            UsageError: the version exists.
            ResourceError: the disk refuses.
        """

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

    def damaged(self) -> dict[str, Text]:
        """Versions that cannot be read, with the reason."""
