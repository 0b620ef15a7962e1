"""An audience: topics, segments and price tiers that were fitted on everybody, and hold nobody's row.

It knows items by their ids and words, so it fits any later catalogue: a person is their history, and an item that is
new brings its words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core import columns as c
from kuajie.core.recommender import Arrays, stored
from kuajie.core.records import Record
from kuajie.data.catalog import Catalog
from kuajie.profiles.apart import Habit, Lift, habit_differences, lifts
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import F32, People, behaviour_features
from kuajie.profiles.naming import TopicName, topic_names
from kuajie.profiles.segments import Segments, fit_segments
from kuajie.profiles.spending import tier_bounds
from kuajie.profiles.topics import Topics, fit_topics
from kuajie.profiles.vocabulary import Vocabulary, make_vocabulary

MAIN_SHARE = 0.15
"""Who has this share of their interests in a topic is counted among those who like it."""


class Trait(Record, frozen=True):
    """A category of a domain that sets people apart."""

    domain: str
    category: str
    lift: Lift


class Segment(Record, frozen=True):
    """A segment, as far as it can be told.

    Attributes:
        number: from 1 on, the largest first.
        size: people.
        share: of all people with behaviour.
        interests: topics that set it apart, the surest first.
        categories: categories that do.
        habits: that differ, the largest first. Empty for all three where the segment is too small to be described.
    """

    number: int
    size: int
    share: float
    interests: tuple[Lift, ...] = ()
    categories: tuple[Trait, ...] = ()
    habits: tuple[Habit, ...] = ()


class About(Record, frozen=True):
    """What an audience says of itself.

    Attributes:
        snapshot_id: whose people it was fitted on.
        fitted_at: when.
        at: the moment, unix seconds, that counted as now; it knows no later event.
        people: with behaviour.
        seed: of everything random.
        config: the section `[profiles]`.
        items, words: the vocabulary.
        alpha: prior of a person's topics.
        habits: names of the columns of segments.
        judged: number of segments -> mean silhouette and its standard error.
        tiers: domain -> what the middle and the high value tier spend there at least; without those where nobody paid.
        topics, segments: described.
    """

    snapshot_id: str
    fitted_at: datetime
    at: float
    people: int
    seed: int
    config: dict[str, Any]
    items: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    alpha: float
    habits: tuple[str, ...]
    judged: dict[str, tuple[float, float]]
    tiers: dict[str, tuple[float, float]]
    topics: tuple[TopicName, ...]
    segments: tuple[Segment, ...]


@dataclass(frozen=True, eq=False)
class Audience:
    """Fitted topics and segments.

    Attributes:
        about: what is said of them.
        topics, segments: what is computed with.
    """

    about: About
    topics: Topics
    segments: Segments

    @property
    def config(self) -> ProfilesConfig:
        """The configuration that it was fitted with."""
        return ProfilesConfig.parse(self.about.config)

    def terms(self, catalog: Catalog) -> sparse.csr_array:
        """What each item of a catalogue adds to a person's document; costs the reading of all titles."""
        return self.topics.vocabulary.terms(catalog)

    def interests(self, people: People, terms: sparse.csr_array, threads: int = 1) -> F32:
        """Evidence of each topic, in used items: (n, topics)."""
        return self.topics.fold_in(documents(people, terms), threads)

    def assign(
        self, people: People, interests: F32, catalog: Catalog, at: float | npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The segment (from 0 on) of each person, -1 for who has used nothing, and how clearly, 0..1."""
        habits = aligned(*behaviour_features(people, catalog, at), self.about.habits)
        labels, clear = self.segments.assign(interests, habits)
        known = people.items > 0
        return np.where(known, labels, -1), np.where(known, clear, 0.0)

    def arrays(self) -> Arrays:
        """Everything learned, as arrays; no person's row."""
        return {**self.topics.arrays(), **self.segments.arrays()}

    @classmethod
    def from_arrays(cls, about: About, arrays: Arrays) -> "Audience":
        """The fitted audience again.

        Raises:
            ArtifactError: an array is missing or of another shape.
            ConfigError: the configuration is of another version.
        """
        config = ProfilesConfig.parse(about.config)
        rarity = stored(arrays, "rarity", (len(about.words),)).astype(np.float32)
        vocabulary = Vocabulary(about.items, about.words, rarity, config.text_weight)
        weights = stored(arrays, "topic_weights", (vocabulary.size, len(about.topics))).astype(np.float32)
        judged = {int(k): values for k, values in about.judged.items()}
        segments = Segments.from_arrays(arrays, len(about.topics), len(about.habits), config, judged)
        return cls(about, Topics(vocabulary, weights, about.alpha), segments)


def fit_audience(
    people: People,
    catalog: Catalog,
    at: float,
    config: ProfilesConfig,
    *,
    snapshot_id: str,
    fitted_at: datetime,
    english: Mapping[str, str] | None = None,
    seed: int = 0,
    threads: int = 1,
) -> Audience:
    """Find topics and segments of people.

    Args:
        people: everybody, of events before `at`.
        catalog: the items.
        at: unix seconds, now.
        config: the settings.
        snapshot_id: for the record.
        fitted_at: for the record.
        english: what English readers call categories, where that is known.
        seed: of everything random.
        threads: how many.

    Raises:
        DataError: nobody has used anything.
        MissingExtraError: scikit-learn is not installed.
    """
    support = np.bincount(people.used.indices, minlength=catalog.space.n_items).astype(np.float64)
    vocabulary = make_vocabulary(catalog, support, config.most_items, config.most_words, config.text_weight)
    known = np.flatnonzero(people.items > 0)
    docs = documents(people, vocabulary.terms(catalog))[known]
    rng = np.random.default_rng([seed, 31])
    topics = fit_topics(docs, vocabulary, catalog, config.topics, rng, threads)
    interests = topics.fold_in(docs, threads)
    values, names = behaviour_features(people, catalog, at)
    habits = values[known]
    segments = fit_segments(interests, habits, config, seed)
    labels = segments.assign(interests, habits)[0]
    about = About(
        snapshot_id=snapshot_id,
        fitted_at=fitted_at,
        at=at,
        people=len(known),
        seed=seed,
        config=config.model_dump(mode="json"),
        items=vocabulary.items,
        words=vocabulary.words,
        alpha=topics.alpha,
        habits=names,
        judged={str(k): value for k, value in segments.judged.items()},
        tiers=_tiers(people, catalog),
        topics=topic_names(topics, catalog, segments.scale.prior, english),
        segments=_described(
            labels, people.used[known], interests, habits, names, catalog, len(segments.centres), config
        ),
    )
    return Audience(about, topics, segments)


def _tiers(people: People, catalog: Catalog) -> dict[str, tuple[float, float]]:
    paid = people.spending
    found = {
        name: tier_bounds(paid.spent[:, place], paid.purchases[:, place])
        for place, name in enumerate(catalog.space.domains)
    }
    return {name: bounds for name, bounds in found.items() if bounds is not None}


def documents(people: People, terms: sparse.csr_array) -> sparse.csr_array:
    """People's documents, see `profiles.vocabulary`: float32 CSR (n, terms)."""
    return sparse.csr_array(people.used @ terms)


def aligned(values: F32, names: tuple[str, ...], wanted: tuple[str, ...]) -> F32:
    """The wanted columns; unknown where there is none of that name, such as a domain that has gone."""
    places = {name: place for place, name in enumerate(names)}
    found = np.full((len(values), len(wanted)), np.nan, np.float32)
    for column, name in enumerate(wanted):
        if name in places:
            found[:, column] = values[:, places[name]]
    return found


def _described(
    labels: npt.NDArray[np.int64],
    used: sparse.csr_array,
    interests: F32,
    habits: F32,
    names: tuple[str, ...],
    catalog: Catalog,
    k: int,
    config: ProfilesConfig,
) -> tuple[Segment, ...]:
    sizes = np.bincount(labels, minlength=k)
    likes = interests >= MAIN_SHARE * interests.sum(axis=1, keepdims=True)
    groups, members = _categories(catalog)
    has = (used @ members > 0).toarray() if len(groups) else np.zeros((len(labels), 0), np.bool_)
    by_topic, by_category = lifts(likes, labels, k), lifts(has, labels, k)
    by_habit = habit_differences(habits, names, labels, k)
    found = []
    for number in range(k):
        enough = sizes[number] >= config.least_members
        found.append(
            Segment(
                number=number + 1,
                size=int(sizes[number]),
                share=round(float(sizes[number] / len(labels)), 4),
                interests=tuple(by_topic[number]) if enough else (),
                categories=tuple(_trait(each, groups) for each in by_category[number]) if enough else (),
                habits=tuple(by_habit[number]) if enough else (),
            )
        )
    return tuple(found)


def _trait(lift: Lift, groups: Sequence[tuple[str, str]]) -> Trait:
    domain, category = groups[lift.trait]
    return Trait(domain=domain, category=category, lift=lift)


def _categories(catalog: Catalog) -> tuple[list[tuple[str, str]], sparse.csr_array]:
    """Categories of all domains, and which items are of them: float32 (n_items, categories)."""
    numbers: dict[tuple[str, str], int] = {}
    pairs = zip(catalog.table[c.DOMAIN], catalog.table[c.CATEGORY], strict=True)
    places = [(row, numbers.setdefault(pair, len(numbers))) for row, pair in enumerate(pairs) if pair[1]]
    rows, columns = np.array(places, np.int64).reshape(-1, 2).T
    ones = np.ones(len(rows), np.float32)
    return list(numbers), sparse.csr_array((ones, (rows, columns)), shape=(catalog.space.n_items, len(numbers)))
