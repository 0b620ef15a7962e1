"""Reads the ratings of a split folder: the columns user, item and rating of its train, valid and test files.

Histories hold weights >= 0 of which 0 counts nothing, so a rating r is kept as the weight r - lowest + 1.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core.errors import DataError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.space import ItemSpace
from kuajie.data.split_folder import distinct, domain_names, integers, number, read_parquet, reals

Floats = npt.NDArray[np.float64]
COLUMNS = ("user", "item", "rating")


@dataclass(frozen=True, eq=False)
class Rated:
    """Some ratings of one domain.

    Attributes:
        people: int64 (n,), row numbers of people.
        items: int32 (n,), numbers of the joint item space.
        ratings: float64 (n,).
    """

    people: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    ratings: Floats

    def __len__(self) -> int:
        return len(self.people)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> "Rated":
        """Some of them, by number or mask."""
        return Rated(self.people[chosen], self.items[chosen], self.ratings[chosen])


@dataclass(frozen=True, eq=False)
class RatingSplit:
    """A split folder's ratings.

    Attributes:
        name: of the folder.
        space: the joint item space of all files.
        n_people: in any file.
        train, valid, test: domain -> ratings.
    """

    name: str
    space: ItemSpace
    n_people: int
    train: dict[str, Rated]
    valid: dict[str, Rated]
    test: dict[str, Rated]

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest rating of training."""
        ratings = np.concatenate([part.ratings for part in self.train.values()])
        return float(ratings.min()), float(ratings.max())


def open_ratings(path: Path | str) -> RatingSplit:
    """Read the ratings of a split folder.

    Raises:
        DataError: the folder, a file or a column is missing or damaged, a rating is null, or there is none to train
            on or to test.
    """
    folder = Path(path)
    names = domain_names(folder)
    frames = {(name, part): _read(folder, name, part) for name in names for part in ("train", "valid", "test")}
    for part in ("train", "test"):
        if not any(frames[name, part].height for name in names):
            raise DataError("{folder} has no {part} ratings in any domain.", folder=folder, part=part)
    people = distinct(frame["user"] for frame in frames.values())
    ids = {name: distinct(frames[name, part]["item"] for part in ("train", "valid", "test")) for name in names}
    space = ItemSpace(tuple(names), tuple(len(ids[name]) for name in names))

    def part_of(part: str) -> dict[str, Rated]:
        return {
            name: Rated(
                np.searchsorted(people, frames[name, part]["user"].to_numpy()),
                number(frames[name, part]["item"], ids[name], space.slice(name).start),
                frames[name, part]["rating"].to_numpy(),
            )
            for name in names
        }

    return RatingSplit(folder.resolve().name, space, len(people), part_of("train"), part_of("valid"), part_of("test"))


def _read(folder: Path, domain: str, part: str) -> pl.DataFrame:
    path = folder / f"{domain}_{part}.parquet"
    if not path.is_file():
        return pl.DataFrame(schema={"user": pl.Int64, "item": pl.Int64, "rating": pl.Float64})
    frame = read_parquet(path, COLUMNS)
    ratings = reals(frame, "rating", path)
    if ratings.null_count():
        row = int(ratings.is_null().arg_max() or 0) + 1
        raise DataError(
            "{path}, row {row}: '{name}' must not be null. Fill it in or drop the row.",
            path=path,
            row=row,
            name="rating",
        )
    return pl.DataFrame([integers(frame, "user", path), integers(frame, "item", path), ratings])


def rated_interactions(split: RatingSplit, ratings: dict[str, Rated]) -> Interactions:
    """Histories of everybody whose weights are rating - lowest + 1."""
    lowest = split.bounds[0]
    people, items, weights = (
        np.concatenate([getattr(part, name) for part in ratings.values()]) for name in ("people", "items", "ratings")
    )
    order = np.argsort(people, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(people, minlength=split.n_people))]).astype(np.int64)
    kept = np.maximum(weights[order] - lowest + 1, 0).astype(np.float32)
    return Interactions(split.space, Histories(indptr, items[order], kept, split.space.n_items))


def carve(split: RatingSplit, rng: np.random.Generator) -> tuple[dict[str, Rated], dict[str, Rated]]:
    """Training and validation ratings.

    The folder's own validation rows, or one random rating of each person with three or more in a domain.
    """
    if any(len(part) for part in split.valid.values()):
        return split.train, split.valid
    kept, asked = {}, {}
    for name, part in split.train.items():
        order = np.lexsort((rng.random(len(part)), part.people))
        last = np.flatnonzero(np.diff(part.people[order], append=-1))
        counts = np.bincount(part.people, minlength=split.n_people)
        chosen = order[last[counts[part.people[order[last]]] > 2]]
        mask = np.ones(len(part), np.bool_)
        mask[chosen] = False
        kept[name], asked[name] = part.take(mask), part.take(chosen)
    return kept, asked
