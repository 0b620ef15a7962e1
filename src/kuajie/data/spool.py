"""Frames on disk, divided into parts: what makes a file larger than memory sortable one part at a time."""

from pathlib import Path

import polars as pl

BUFFER_ROWS = 500_000


class Spool:
    """Rows come in any order and are read back part by part.

    Args:
        folder: made here; the caller removes it.
        parts: how many parts.
    """

    def __init__(self, folder: Path, parts: int) -> None:
        folder.mkdir()
        self.parts = parts
        self._folder = folder
        self._files: list[list[Path]] = [[] for _ in range(parts)]
        self._buffer: list[pl.DataFrame] = []
        self._waiting = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows; their column `part` (0..parts-1) says where they go."""
        self._buffer.append(frame)
        self._waiting += len(frame)
        if self._waiting >= BUFFER_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._buffer:
            return
        divided = pl.concat(self._buffer).partition_by("part", as_dict=True, include_key=False)
        self._buffer, self._waiting = [], 0
        for (part,), rows in divided.items():
            files = self._files[int(part)]
            path = self._folder / f"{part:05}-{len(files):05}.arrow"
            rows.write_ipc(path, compression="lz4")
            files.append(path)

    def take(self, part: int) -> pl.DataFrame | None:
        """All rows of a part, which is forgotten; None where there are none."""
        self._flush()
        files, self._files[part] = self._files[part], []
        if not files:
            return None
        rows = pl.concat([pl.read_ipc(path.read_bytes()) for path in files])
        for path in files:
            path.unlink()
        return rows
