"""Segments: K-means over interests and habits, with the number of segments chosen by the silhouette.

A person's point has two parts of unit variance in the population: the square roots of their interests (distances are
then those of Hellinger), and standardised habits, which count `habits_weight`. Interests are shrunk towards everybody's
by credibility, so that one click makes nobody a specialist; unknown habits lie at the mean.

The number of segments is the smallest whose mean silhouette (Rousseeuw 1987, "Silhouettes") on a sample of people is
within one standard error of the largest (the rule of Breiman et al. 1984 for trees).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.core.recommender import Arrays, stored
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.kmeans import k_means, silhouettes

F32 = npt.NDArray[np.float32]
FITTED_ON = 10_000
"""People on whom the number of segments is chosen."""
JUDGED_ON = 2_000
"""People whose silhouettes are measured: each needs its distances to all others."""
OUTLIER = 3.0
"""Habits count at most so many standard deviations."""


@dataclass(frozen=True, eq=False)
class Scale:
    """How interests and habits become points.

    Attributes:
        prior: (topics,), everybody's interests, sums to 1.
        evidence: credibility of `prior`, in used items.
        root: (topics,), mean of the square roots of interests; `spread` divides what differs from it.
        spread: of them.
        mean, deviation: (habits,).
        habits_weight: see `ProfilesConfig`.
    """

    prior: F32
    evidence: float
    root: F32
    spread: float
    mean: F32
    deviation: F32
    habits_weight: float

    @classmethod
    def of(cls, interests: F32, habits: F32, config: ProfilesConfig) -> "Scale":
        """Measured on the people that segments are made of."""
        prior = interests.sum(axis=0) / max(float(interests.sum()), 1e-9)
        roots = np.sqrt(shrunk(interests, prior, config.evidence))
        root = roots.mean(axis=0)
        spread = float(np.sqrt(np.square(roots - root).sum(axis=1).mean()))
        known = ~np.isnan(habits)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, habits, 0).sum(axis=0) / count
        variance = np.where(known, np.square(habits - mean), 0).sum(axis=0) / count
        deviation = np.sqrt(variance)
        return cls(
            prior=prior.astype(np.float32),
            evidence=config.evidence,
            root=root.astype(np.float32),
            spread=spread if spread > 1e-9 else 1.0,
            mean=mean.astype(np.float32),
            deviation=np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32),
            habits_weight=config.habits_weight,
        )

    def points(self, interests: F32, habits: F32) -> F32:
        """People as points: float32 (n, topics + habits)."""
        roots = (np.sqrt(shrunk(interests, self.prior, self.evidence)) - self.root) / np.float32(self.spread)
        standard = np.clip(np.nan_to_num((habits - self.mean) / self.deviation), -OUTLIER, OUTLIER)
        standard *= np.float32(np.sqrt(self.habits_weight / max(1, habits.shape[1])))
        return np.concatenate([roots, standard], axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Segments:
    """Fitted segments, the largest first.

    Attributes:
        scale: how people become points.
        centres: float32 (segments, d).
        judged: number of segments that was tried -> (mean silhouette, its standard error).
    """

    scale: Scale
    centres: F32
    judged: Mapping[int, tuple[float, float]]

    def assign(self, interests: F32, habits: F32) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The nearest segment of each person, and how clearly: (b - a) / b of the two smallest distances, 0..1.

        That is the simplified silhouette (Hruschka, de Castro and Campello 2004).
        """
        points = self.scale.points(interests, habits).astype(np.float64)
        centres = self.centres.astype(np.float64)
        squares = np.square(points).sum(axis=1)[:, None] - 2 * points @ centres.T + np.square(centres).sum(axis=1)
        distances = np.sqrt(np.maximum(squares, 0))
        nearest = np.argmin(distances, axis=1)
        if len(centres) == 1:
            return nearest, np.ones(len(points))
        a, b = np.partition(distances, 1, axis=1)[:, :2].T
        return nearest, np.divide(b - a, b, out=np.zeros(len(points)), where=b > 0)

    def arrays(self) -> Arrays:
        """What is learned."""
        scale = self.scale
        return {
            "centres": self.centres,
            "prior": scale.prior,
            "root": scale.root,
            "mean": scale.mean,
            "deviation": scale.deviation,
            "spread": np.array([scale.spread]),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, topics: int, habits: int, config: ProfilesConfig, judged: Mapping[int, tuple[float, float]]
    ) -> "Segments":
        """The fitted segments again.

        Raises:
            ArtifactError: an array is missing or of another shape.
        """
        shapes = {"prior": topics, "root": topics, "mean": habits, "deviation": habits}
        read = {name: stored(arrays, name, (size,)).astype(np.float32) for name, size in shapes.items()}
        spread = float(stored(arrays, "spread", (1,))[0])
        scale = Scale(**read, spread=spread, evidence=config.evidence, habits_weight=config.habits_weight)
        return cls(scale, stored(arrays, "centres", (-1, topics + habits)).astype(np.float32), judged)


def fit_segments(interests: F32, habits: F32, config: ProfilesConfig, seed: int) -> Segments:
    """Find segments.

    Args:
        interests: evidence of each topic (n, topics), in used items.
        habits: (n, d), NaN where unknown.
        config: how many are tried, at most as many as differing people.
        seed: of the sample and of the starts.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    scale = Scale.of(interests, habits, config)
    points = scale.points(interests, habits)
    rng = np.random.default_rng([seed, 30])
    sample = points[np.sort(rng.choice(len(points), min(len(points), FITTED_ON), replace=False))]
    judges = rng.choice(len(sample), min(len(sample), JUDGED_ON), replace=False)
    distinct = len(np.unique(sample, axis=0))
    low, high = (min(bound, distinct) for bound in config.segments)
    judged, starts = {}, {}
    for k in range(low, high + 1):
        starts[k], labels = k_means(sample, k, seed)
        found = silhouettes(sample[judges], labels[judges])
        judged[k] = (float(found.mean()), float(found.std() / np.sqrt(len(found))))
    k = chosen(judged)
    centres, labels = k_means(points, k, seed, starts[k])
    sizes = np.bincount(labels, minlength=k)
    order = np.argsort(-sizes, kind="stable")
    return Segments(scale, centres[order[sizes[order] > 0]], judged)


def chosen(judged: Mapping[int, tuple[float, float]]) -> int:
    """The smallest number whose silhouette is within one standard error of the largest."""
    best = max(judged, key=lambda k: (judged[k][0], -k))
    return min(k for k in judged if judged[k][0] >= judged[best][0] - judged[best][1])


def shrunk(interests: F32, prior: F32, evidence: float) -> F32:
    """Interests as shares, shrunk towards the prior: (evidence of a topic + k prior) / (all evidence + k)."""
    found: F32 = (interests + evidence * prior) / (interests.sum(axis=1, keepdims=True) + evidence)
    return found
