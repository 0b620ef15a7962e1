"""How far off told ratings are, and the biases that every model of ratings has to beat.

    RMSE = sqrt(mean (r - r^)^2),    MAE = mean |r - r^|

Biases as in Koren 2010, "Factor in the neighbors: scalable and accurate collaborative filtering", section 2.1, whose
b_i = sum (r - m) / (lambda_i + n_i) and b_u = sum (r - m - b_i) / (lambda_u + n_u) shrink what little is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories, Interactions
from kuajie.core.space import ItemSpace
from kuajie.evaluation.compare import bootstrap_interval

Floats = npt.NDArray[np.float64]
Tell = Callable[[Histories, str], npt.NDArray[np.floating]]
"""(histories, domain) -> what each row would give every item of the domain; NaN where it cannot be told."""
BATCH = 256


@dataclass(frozen=True, eq=False)
class Biases:
    """Means of domains, biases of items, and of whoever asks.

    Attributes:
        space: the joint item space.
        means: (n_domains,), of all ratings of a domain.
        items: (n_items,), b_i; 0 where nobody rated.
        shrinkage: lambda_u; infinite: nobody has a bias.
    """

    space: ItemSpace
    means: Floats
    items: Floats
    shrinkage: float

    @classmethod
    def fit(cls, rated: Interactions, item_shrinkage: float, person_shrinkage: float) -> Self:
        """Of histories whose weights are ratings; infinite shrinkage leaves the mean."""
        histories, space = rated.histories, rated.space
        domains, n_domains = space.domain_of(histories.items), len(space.domains)
        counts = np.bincount(domains, minlength=n_domains)
        means = np.bincount(domains, histories.weights, n_domains) / np.maximum(counts, 1)
        off = np.bincount(histories.items, histories.weights - means[domains], space.n_items)
        items = off / (item_shrinkage + np.bincount(histories.items, minlength=space.n_items) + 1e-12)
        return cls(space, means, items, person_shrinkage)

    def __call__(self, histories: Histories, target: str) -> Floats:
        """m_d + b_i + b_u: (n_rows, items of the target); never NaN."""
        domains = self.space.domain_of(histories.items)
        off = histories.weights - self.means[domains] - self.items[histories.items]
        sums = np.bincount(histories.rows(), off, histories.n_rows)
        people = sums / (self.shrinkage + histories.lengths + 1e-12)
        base = self.means[self.space.index(target)] + self.items[self.space.slice(target)]
        return np.asarray(base[None, :] + people[:, None])


@dataclass(frozen=True, eq=False)
class Told:
    """What was told of some ratings.

    Attributes:
        people: int64 (n,), whose.
        wanted, told: float64 (n,).
        fell_back: how many the model could not tell.
    """

    people: npt.NDArray[np.int64]
    wanted: Floats
    told: Floats
    fell_back: int

    def summary(self, rng: np.random.Generator) -> dict[str, object]:
        """RMSE and MAE with 95 % intervals over people."""
        off = self.told - self.wanted
        errors = np.stack([off**2, np.abs(off)], axis=1)
        squared, absolute = bootstrap_interval(errors, self.people, rng)
        return {
            "rmse": float(np.sqrt(errors[:, 0].mean())),
            "mae": float(errors[:, 1].mean()),
            "ci95": {"rmse": np.sqrt(squared).tolist(), "mae": absolute.tolist()},
            "fell_back": self.fell_back,
        }


def tell(
    model: Tell,
    fallback: Tell,
    histories: Histories,
    target: str,
    items: npt.NDArray[np.integer],
    bounds: tuple[float, float],
) -> tuple[Floats, int]:
    """What a model says each row gives its item, kept inside bounds; where it says nothing, the fallback's word.

    Args:
        model: asked first.
        fallback: never NaN.
        histories: one row for each item.
        target: domain of the items.
        items: (n_rows,), numbers inside the domain.
        bounds: lowest and highest rating.

    Returns:
        float64 (n_rows,), and how many rows fell back.
    """
    told, count = np.empty(histories.n_rows), 0
    for start in range(0, histories.n_rows, BATCH):
        rows = np.arange(start, min(start + BATCH, histories.n_rows))
        some, places = histories.take(rows), (np.arange(len(rows)), items[rows])
        said = np.asarray(model(some, target), np.float64)[places]
        unknown = np.isnan(said)
        count += int(unknown.sum())
        told[rows] = np.where(unknown, np.asarray(fallback(some, target))[places], said)
    return np.clip(told, *bounds), count
