"""Profiles at seed size: topics and segments of everybody, one person, and whether the planted interests are found."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.measure import Row, peak_gb, show
from benchmarks.worlds import THREADS, seed_interactions, seed_world
from kuajie.core import columns as c
from kuajie.data.catalog import Catalog
from kuajie.data.config import StrengthConfig
from kuajie.data.strength import Events
from kuajie.profiles.audience import Audience, documents, fit_audience
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import People, events_of, people_of
from kuajie.profiles.person import Profiler
from kuajie.profiles.ranking import profile_features
from kuajie.worlds.world import World

T = TypeVar("T")
CONFIG = ProfilesConfig(timezone="Asia/Shanghai")
ASKED = 200


def run() -> list[Row]:
    """Measure. Processor time stands beside the seconds, for machines that do something else as well."""
    world, histories = seed_world(), seed_interactions().histories
    catalog, events, n = catalog_of(world), events_of(histories), histories.n_rows
    now = float(histories.at[0]) if histories.at is not None else 0.0
    small = people_of(some(events, 500), 500, catalog, now, CONFIG)
    fit(small, catalog, now)  # compiles
    people, read = timed(lambda: people_of(events, n, catalog, now, CONFIG))
    audience, fitted = timed(lambda: fit(people, catalog, now))
    docs = documents(people, audience.terms(catalog))
    interests, folded = timed(lambda: audience.topics.fold_in(docs, THREADS))
    asked = [events_of(histories.take([row])) for row in np.random.default_rng(0).choice(n, ASKED, replace=False)]
    profiler = Profiler(catalog, CONFIG, StrengthConfig(), audience)
    profiler.profile(asked[0], now)
    told = timed(lambda: [profiler.profile(each, now) for each in asked])[1]
    features = timed(lambda: profile_features(events, n, catalog, now, audience=audience, threads=THREADS))[1]
    nmi, purity = item_topics(audience, world)
    found, chance = interests_found(audience, world, interests)
    mean, error = audience.segments.judged[len(audience.about.segments)]
    return [
        Row(f"habits, activity and prices of {n:,} people, {len(events):,} events", str(read)),
        Row(f"LDA ({audience.topics.n_topics} topics) and K-means (4 to 16) of them", str(fitted), "30 s"),
        Row("interests of everybody by the fitted topics", str(folded)),
        Row("features of everybody for a ranker", str(features)),
        Row(f"profiles of {ASKED} people, one after the other", str(told)),
        Row("topics of items against the planted ones: NMI, purity", f"{nmi:.2f}, {purity:.2f}"),
        Row("first told interest is a planted one (always the commonest)", f"{found:.0%} ({chance:.0%})"),
        Row("segments; silhouette (standard error)", f"{len(audience.about.segments)}; {mean:.3f} ({error:.3f})"),
        Row("peak memory", f"{peak_gb():.1f} GB"),
    ]


@dataclass(frozen=True)
class Took:
    """How long something took, in seconds: on the clock, and of the processors."""

    clock: float
    processors: float

    def __str__(self) -> str:
        return f"{self.clock:.1f} s ({self.processors:.1f} s)"


def timed(work: Callable[[], T]) -> tuple[T, Took]:
    clock, processors = time.perf_counter(), time.process_time()
    found = work()
    return found, Took(time.perf_counter() - clock, time.process_time() - processors)


def fit(people: People, catalog: Catalog, now: float) -> Audience:
    return fit_audience(people, catalog, now, CONFIG, snapshot_id="bench", fitted_at=datetime.now(UTC), threads=THREADS)


def catalog_of(world: World) -> Catalog:
    tables = [
        catalogue.table.with_columns(pl.lit(name).alias(c.DOMAIN)) for name, catalogue in world.catalogues.items()
    ]
    return Catalog.of(pl.concat(tables, how="diagonal"), world.domains)


def some(events: Events, people: int) -> Events:
    return events.where(events.row < people)


def planted_topics(audience: Audience, world: World) -> npt.NDArray[np.int64]:
    """The planted topic of each item that is told apart."""
    numbers = {
        (name, item): topic
        for name, catalogue in world.catalogues.items()
        for item, topic in zip(catalogue.table[c.ITEM], catalogue.topic.tolist(), strict=True)
    }
    return np.array([numbers[name] for name in audience.about.items])


def item_topics(audience: Audience, world: World) -> tuple[float, float]:
    """Normalised mutual information and purity of the items' strongest topics."""
    from sklearn.metrics import normalized_mutual_info_score

    true, found = planted_topics(audience, world), strongest(audience)
    pure = sum(np.bincount(true[found == topic]).max() for topic in np.unique(found))
    return float(normalized_mutual_info_score(true, found)), float(pure / len(true))


def strongest(audience: Audience) -> npt.NDArray[np.int64]:
    return audience.topics.terms_share[: len(audience.about.items)].argmax(axis=1)


def interests_found(audience: Audience, world: World, interests: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Share of people whose strongest topic is mostly of one of their planted interests, and the same by chance."""
    true, found = planted_topics(audience, world), strongest(audience)
    meaning = np.array([np.bincount(true[found == t], minlength=1).argmax() for t in range(audience.topics.n_topics)])
    planted = np.concatenate([world.people.interests, world.people.own], axis=1)
    known = interests.sum(axis=1) >= 5
    told = meaning[interests[known].argmax(axis=1)]
    commonest = np.bincount(planted[known].ravel()).argmax()
    return float((planted[known] == told[:, None]).any(axis=1).mean()), float(
        (planted[known] == commonest).any(axis=1).mean()
    )


if __name__ == "__main__":
    show(run())
