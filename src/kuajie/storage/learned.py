"""What exploring steps have learned, in one file of the workspace: `rerank/learned.json`.

Processes that share the disk write the same sums, of which the newest stay.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from kuajie.core.errors import ArtifactError
from kuajie.core.files import refusals_named, write_file
from kuajie.workflows.learned import Learned

FILE = Path("rerank") / "learned.json"
FORMAT = 1


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    learned: Learned


@dataclass(frozen=True)
class LearnedFile:
    """`workflows.learned.LearnedStore` on disk."""

    place: Path

    @classmethod
    def of(cls, workspace: Path) -> "LearnedFile":
        """In a workspace."""
        return cls(workspace / FILE)

    def load(self) -> Learned | None:
        """See `LearnedStore.load`."""
        with refusals_named(self.place):
            if not self.place.exists():
                return None
            content = self.place.read_bytes()
        try:
            read = msgspec.json.decode(content, type=_File)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            read = None
        if read is None or read.format != FORMAT or not _is_sound(read.learned):
            raise ArtifactError(
                "{path} does not hold what exploration has learned; it is learned again from the lists that the store "
                "still holds.",
                path=self.place,
            )
        return read.learned

    def save(self, learned: Learned) -> None:
        """See `LearnedStore.save`."""
        with refusals_named(self.place):
            self.place.parent.mkdir(exist_ok=True)
            write_file(self.place, msgspec.json.encode(_File(FORMAT, learned)))


def _is_sound(learned: Learned) -> bool:
    """Whether the numbers can be sums of what happened."""
    for counts in learned.answers.values():
        if not all(0 <= answered <= shown < np.inf for shown, answered in counts.values()):
            return False
    for ridge in learned.ridges.values():
        size = len(ridge.features) + 2
        rows = [ridge.rewards, *ridge.products]
        if ridge.shown < 0 or len(rows) != size + 1 or any(len(row) != size for row in rows):
            return False
        products = np.array(ridge.products)
        if not np.isfinite(rows).all() or not np.allclose(products, products.T) or (np.diag(products) < 0).any():
            return False
    return True
