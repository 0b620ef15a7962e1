"""How a training tells an experiment tracker what it does: one small contract, whatever stands behind it.

with closing(tracker.begin("sasrec", {"learning_rate": 0.001})) as run:
    run.metrics({"loss": 3.2, "ndcg@10": 0.11}, step=1)
    run.artefact(Path("best.safetensors"))
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class Run(Protocol):
    """One training."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Numbers after so many epochs."""

    def artefact(self, path: Path) -> None:
        """Where a file of this training lies."""

    def close(self) -> None:
        """Nothing more comes."""


class Tracker(Protocol):
    """What keeps runs."""

    def begin(self, name: str, params: Mapping[str, object]) -> Run:
        """A new run with its settings."""


class NoRun:
    """Keeps nothing."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Keep nothing."""

    def artefact(self, path: Path) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Nothing is open."""


class NoTracker:
    """Keeps no run."""

    def begin(self, name: str, params: Mapping[str, object]) -> Run:
        """A run that keeps nothing."""
        return NoRun()


UNTRACKED: Tracker = NoTracker()
