"""The people of a world: tastes that all domains share, declared attributes, memberships and activity."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.worlds.seasons import WEEKS
from kuajie.worlds.vocabulary import Topic

AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55+")
CITY_TIERS = ("一线", "新一线", "二线", "三线", "四线及以下")
BUYING_TIERS = 3

_AGE_SHARES = np.array([0.18, 0.34, 0.26, 0.14, 0.08])
_CITY_SHARES = np.array([0.16, 0.22, 0.24, 0.22, 0.16])
_BATCH = 100_000


@dataclass(frozen=True)
class TasteSettings:
    """How tastes are spread; the difficulty of a world lies here.

    Attributes:
        interests: interests of a person that all domains share.
        concentration: of their Dirichlet weights; small: one interest rules.
        own_share: share of a domain's visits that follow an interest of that domain alone.
        tilt: how differently (log scale) the shared interests weigh in each domain.
        passing_share: share of visits to what is popular, whatever the person likes.
        skew: how much more popular the first interests are than the last: weight rank ** -skew.
        wave: how strongly interests wax and wane in time (log scale); the wave is the same in all domains.
        wave_weeks: length of a wave.
        activity: spread of how much time people have for all domains together (log scale).
        home: how much more time people spend in the domain where they are at home than in each other one.
    """

    interests: int = 5
    concentration: float = 3.0
    own_share: float = 0.05
    tilt: float = 0.25
    passing_share: float = 0.08
    skew: float = 0.55
    wave: float = 0.4
    wave_weeks: float = 20.0
    activity: float = 0.5
    home: float = 4.0


@dataclass(frozen=True, eq=False)
class People:
    """Persons 0..n-1.

    Attributes:
        age, city, buying: int8 (n,), index of the age band, the city tier and the buying tier (0 cheap to 2 dear).
        interests: int16 (n, s), the interests that all domains share, strongest first on average.
        weights: float32 (n, s), their weights; rows sum to 1.
        phase: float32 (n, s), where in its wave each interest stands at the start (0..1).
        own: int16 (n, domains), the interest that a domain has alone.
        tilt: float32 (n, domains, s), factors on the weights in each domain.
        member: bool (n, domains).
        activity: float32 (n, domains), mean 1 over members.
        joined: float32 (n, domains), week of joining, <= 0 for before the start.
    """

    age: npt.NDArray[np.int8]
    city: npt.NDArray[np.int8]
    buying: npt.NDArray[np.int8]
    interests: npt.NDArray[np.int16]
    weights: npt.NDArray[np.float32]
    phase: npt.NDArray[np.float32]
    own: npt.NDArray[np.int16]
    tilt: npt.NDArray[np.float32]
    member: npt.NDArray[np.bool_]
    activity: npt.NDArray[np.float32]
    joined: npt.NDArray[np.float32]

    @property
    def n_people(self) -> int:
        """Number of persons."""
        return len(self.age)


def prevalence(
    topics: tuple[Topic, ...], coverage: npt.NDArray[np.float64], skew: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """How common each interest is: (topics,), sums to 1. What the partners answer draws more people.

    Args:
        topics: all interests.
        coverage: how strongly the partners of the scenario answer each (topics,).
        skew: popularity falls with rank to this power.
        rng: decides the ranks.
    """
    ranks = rng.permutation(len(topics)) + 1.0
    share: npt.NDArray[np.float64] = np.power(ranks, -skew) * np.where(coverage > 0, 0.5 + coverage, 0.05)
    share /= share.sum()
    return share


def make_people(
    n: int,
    shares: npt.NDArray[np.float64],
    topics: tuple[Topic, ...],
    membership: npt.NDArray[np.float64],
    settings: TasteSettings,
    rng: np.random.Generator,
) -> People:
    """Draw all people of a world.

    Args:
        n: how many.
        shares: how common each interest is (topics,).
        topics: all interests; people of an age band like some more.
        membership: chance of an account in each domain (domains,).
        settings: how tastes are spread.
        rng: randomness.
    """
    domains, slots = len(membership), settings.interests
    age = rng.choice(len(AGE_BANDS), n, p=_AGE_SHARES).astype(np.int8)
    city = rng.choice(len(CITY_TIERS), n, p=_CITY_SHARES).astype(np.int8)
    wealth = 0.35 * (2 - city) + 0.25 * np.minimum(age, 2) + rng.normal(0, 0.7, n)
    chances = shares * np.array([topic.ages for topic in topics]).T  # (age bands, topics)
    interests = np.empty((n, slots), np.int16)
    own = np.empty((n, domains), np.int16)
    for start in range(0, n, _BATCH):
        part = slice(start, min(start + _BATCH, n))
        picked = _without_repeats(chances[age[part]], slots + domains, rng)
        interests[part], own[part] = picked[:, :slots], picked[:, slots:]
    weights = rng.standard_gamma(settings.concentration, (n, slots)).astype(np.float32) + np.float32(1e-3)
    member = rng.random((n, domains)) < membership
    return People(
        age=age,
        city=city,
        buying=np.digitize(wealth, np.quantile(wealth, [0.35, 0.75])).astype(np.int8),
        interests=interests,
        weights=weights / weights.sum(axis=1, keepdims=True),
        phase=rng.random((n, slots), dtype=np.float32),
        own=own,
        tilt=np.exp(settings.tilt * rng.standard_normal((n, domains, slots), dtype=np.float32)),
        member=member,
        activity=_activity(member, settings, rng),
        joined=_joined(n, domains, rng),
    )


def _activity(
    member: npt.NDArray[np.bool_], settings: TasteSettings, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Everybody's time, divided among the domains they are in: who is rare here is often busy elsewhere."""
    time = rng.lognormal(0, settings.activity, len(member))
    home = np.argmax(member * rng.random(member.shape), axis=1)
    share = member * rng.lognormal(0, 0.3, member.shape)
    share[np.arange(len(member)), home] *= settings.home
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
    activity = time[:, None] * share * np.maximum(member.sum(axis=1, keepdims=True), 1)
    mean = np.array([activity[member[:, d], d].mean() if member[:, d].any() else 1.0 for d in range(member.shape[1])])
    scaled: npt.NDArray[np.float32] = (activity / mean).astype(np.float32)
    return scaled


def _joined(n: int, domains: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    week = rng.uniform(0, WEEKS, (n, domains))
    return np.where(rng.random((n, domains)) < 0.2, week, 0).astype(np.float32)


def _without_repeats(chances: npt.NDArray[np.float64], k: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """K distinct columns of each row, drawn one after the other by the chances (an exponential race)."""
    with np.errstate(divide="ignore"):
        arrival = rng.standard_exponential(chances.shape) / chances
    first = np.argpartition(arrival, k, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(arrival, first, axis=1), axis=1)
    return np.take_along_axis(first, order, axis=1)
