"""Segment people: a snapshot in, topics and segments out (`profiles.audience`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from kuajie.core import columns as c
from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import UsageError
from kuajie.core.names import kind_of_name, plain_name, suggest
from kuajie.core.recommender import FitOptions
from kuajie.core.records import Record
from kuajie.core.texts import Translate
from kuajie.data.dataset import JointDataset
from kuajie.profiles.apart import Habit, Lift
from kuajie.profiles.audience import Audience, Segment, fit_audience
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import people_of
from kuajie.profiles.naming import segment_name
from kuajie.workflows.ports import AudienceStore


class Told(Record, frozen=True):
    """One thing that sets a segment apart; its name is for people."""

    name: str
    lift: Lift


class SegmentTold(Record, frozen=True):
    """A segment as people read it.

    Attributes:
        number, size, share: see `profiles.audience.Segment`.
        name: in the reader's language.
        interests, categories, habits: what sets it apart, the surest first.
    """

    number: int
    name: str
    size: int
    share: float
    interests: tuple[Told, ...]
    categories: tuple[Told, ...]
    habits: tuple[Habit, ...]


@dataclass(frozen=True, eq=False)
class Naming:
    """How segments of an audience are called in a language.

    Attributes:
        audience: with its segments.
        language, translate: of the reader.
        title: what a domain is called.
        labels: what English readers call categories, where that is known.
    """

    audience: Audience
    language: str
    translate: Translate
    title: Callable[[str], str] = str
    labels: Mapping[str, str] = field(default_factory=dict)

    def name(self, segment: Segment) -> str:
        """The name of a segment, with its number where another has the same."""
        names = [self._plain(each) for each in self.audience.about.segments]
        own = self._plain(segment)
        return own if names.count(own) == 1 else f"{own} ({segment.number})"

    def _plain(self, segment: Segment) -> str:
        liked = [each.trait for each in segment.interests]
        return segment_name(liked, segment.habits, self.audience.about.topics, self.language).say(self.translate)

    def told(self, segment: Segment) -> SegmentTold:
        """A segment as people read it."""
        topics = self.audience.about.topics
        return SegmentTold(
            number=segment.number,
            name=self.name(segment),
            size=segment.size,
            share=segment.share,
            interests=tuple(Told(name=topics[each.trait].name(self.language), lift=each) for each in segment.interests),
            categories=tuple(
                Told(name=f"{self.title(each.domain)}: {self._label(each.category)}", lift=each.lift)
                for each in segment.categories
            ),
            habits=segment.habits,
        )

    def _label(self, category: str) -> str:
        return self.labels.get(category, category) if self.language == "en" else category

    def find(self, text: str) -> Segment:
        """The segment of a number or a name.

        Raises:
            UsageError: there is none.
        """
        segments = self.audience.about.segments
        names = {self.name(each): each for each in segments}
        folded = {name.casefold(): each for name, each in names.items()}
        numbered = {str(each.number): each for each in segments}
        found = numbered.get(text.strip()) or folded.get(text.strip().casefold())
        if found is None:
            raise UsageError(
                "there is no segment '{text}'{hint}", text=text[:80], hint=suggest(text, [*names, *numbered])
            )
        return found


def english_labels(dataset: JointDataset) -> dict[str, str]:
    """What English readers call categories, by the name without the kind before it, as triples of `name_en` say.

    Where things of several kinds have one name, a category's counts, then a topic's.
    """
    told = dataset.knowledge().filter(pl.col(c.RELATION) == c.NAME_EN).select(c.HEAD, c.TAIL)
    ranks = {"topic": 1, "category": 2}
    ranked = sorted(told.iter_rows(), key=lambda pair: ranks.get(kind_of_name(pair[0]), 0))
    return {plain_name(head): name for head, name in ranked}


def segment_people(
    dataset: JointDataset,
    store: AudienceStore,
    config: ProfilesConfig | None = None,
    options: FitOptions | None = None,
    clock: Clock = system_clock,
) -> Audience:
    """Find topics and segments of everybody in a snapshot, and keep them.

    Args:
        dataset: an open snapshot.
        store: takes the audience.
        config: the settings.
        options: seed and threads.
        clock: dates the audience.

    Raises:
        DataError: nobody has used anything.
        MissingExtraError: scikit-learn is not installed.
        ResourceError: the disk refuses.
    """
    config, options = config or ProfilesConfig(), options or FitOptions()
    people = people_of(
        dataset.trained_events(), dataset.n_people, dataset.catalog, dataset.now, config, dataset.strength
    )
    audience = fit_audience(
        people,
        dataset.catalog,
        dataset.now,
        config,
        snapshot_id=dataset.snapshot.manifest.snapshot_id,
        fitted_at=clock(),
        english=english_labels(dataset),
        seed=options.seed,
        threads=options.threads,
    )
    store.save(audience)
    return audience
