"""The profile of one person: their history in, fields with source, sureness and expiry out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.texts import Text
from kuajie.data.catalog import Catalog
from kuajie.data.config import StrengthConfig
from kuajie.data.strength import Events
from kuajie.profiles.audience import Audience, documents
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import People, people_of
from kuajie.profiles.fields import Field, Source, credibility, known, unknown
from kuajie.profiles.naming import segment_name
from kuajie.profiles.seasons import season
from kuajie.profiles.sensitive import allowed
from kuajie.profiles.spending import Prices, tier_of
from kuajie.profiles.told import told_activity, told_domains, told_habits

ITEMS_CARRY = 0.25
"""An interest comes from behaviour where the items themselves, not their words, carry at least this part of it."""


@dataclass(frozen=True, eq=False)
class Profiler:
    """Makes profiles over one catalogue.

    Attributes:
        catalog: the items.
        config: the settings.
        rules: how much an event says, and when a thing is finished.
        audience: topics and segments; None: they are unknown.
    """

    catalog: Catalog
    config: ProfilesConfig
    rules: StrengthConfig
    audience: Audience | None = None

    @cached_property
    def terms(self) -> sparse.csr_array | None:
        """What each item adds to a person's document."""
        return None if self.audience is None else self.audience.terms(self.catalog)

    @cached_property
    def prices(self) -> Prices:
        """Of the catalogue."""
        return Prices.of(self.catalog)

    def profile(
        self,
        events: Events,
        at: float,
        declared: Sequence[tuple[Mapping[str, str], float]] = (),
        language: str = "en",
    ) -> list[Field]:
        """Everything that may be told of one person.

        Args:
            events: of one row, 0, oldest first.
            at: unix seconds, now; later events do not count.
            declared: attributes of each account, and when they were declared (unix seconds, NaN: nobody knows).
            language: of names.
        """
        people = people_of(events, 1, self.catalog, at, self.config, self.rules, self.prices)
        interests = self._interests(people)
        return [
            *self._told_interests(people, interests, at, language),
            self._segment(people, interests, at, language),
            *told_habits(people, at, self.config),
            *self._value_tiers(people, at, declared),
            self._price_level(people, at),
            *told_activity(people, at, self.config),
            told_domains(people, at, self.catalog, self.config),
            season(people, at, self.config),
            *self._declared(declared, at),
        ]

    def _interests(self, people: People) -> npt.NDArray[np.float32] | None:
        if self.audience is None or self.terms is None:
            return None
        return self.audience.interests(people, self.terms)

    def _told_interests(
        self, people: People, interests: npt.NDArray[np.float32] | None, at: float, language: str
    ) -> list[Field]:
        if self.audience is None or interests is None or self.terms is None:
            return [unknown("interest", "behaviour", Text("no topics have been found yet; run: kuajie profile --fit"))]
        evidence, total = interests[0], float(interests[0].sum())
        if not total:
            return [unknown("interest", "behaviour", Text("nothing has been used"))]
        from_items, from_words = self.audience.topics.parts(documents(people, self.terms))
        evidence_of_both = from_items + from_words
        order = np.argsort(-evidence, kind="stable")[: self.config.most_interests].tolist()
        return [
            known(
                "interest",
                self.audience.about.topics[topic].name(language),
                "behaviour" if from_items[topic] >= ITEMS_CARRY * evidence_of_both[topic] else "text",
                credibility(float(evidence[topic]), self.config),
                float(people.used_last[0]),
                at,
                self.config.expiry_days.interests,
                self.config,
                {
                    "topic": topic + 1,
                    "share": round(float(evidence[topic]) / total, 4),
                    "used_items": round(float(evidence[topic]), 2),
                },
            )
            for topic in order
            if evidence[topic] >= 0.5 * total / len(evidence)
        ]

    def _segment(self, people: People, interests: npt.NDArray[np.float32] | None, at: float, language: str) -> Field:
        if self.audience is None or interests is None:
            return unknown(
                "segment", "segment model", Text("no segments have been found yet; run: kuajie profile --fit")
            )
        labels, clear = self.audience.assign(people, interests, self.catalog, at)
        if labels[0] < 0:
            return unknown("segment", "segment model", Text("nothing has been used"))
        segment = self.audience.about.segments[int(labels[0])]
        liked = [each.trait for each in segment.interests]
        name = segment_name(liked, segment.habits, self.audience.about.topics, language)
        return known(
            "segment",
            name,
            "segment model",
            float(clear[0]) * credibility(float(people.items[0]), self.config),
            float(people.used_last[0]),
            at,
            self.config.expiry_days.segment,
            self.config,
            {"number": segment.number},
        )

    def _value_tiers(
        self, people: People, at: float, declared: Sequence[tuple[Mapping[str, str], float]]
    ) -> list[Field]:
        """What was declared, else the tier in each domain where something was bought."""
        for attributes, seen in declared:
            told = allowed(dict(attributes), self.config)
            for name in self.config.value_attributes:
                if told.get(name):
                    days, base = self.config.expiry_days.declared, self.config.declared_sureness
                    return [
                        known(
                            "value_tier", told[name], "declared", base, seen, at, days, self.config, {"attribute": name}
                        )
                    ]
        bought = np.flatnonzero(people.spending.purchases[0]).tolist()
        if not bought:
            return [unknown("value_tier", "purchase", Text("nothing was bought or declared"))]
        tiers = {} if self.audience is None else self.audience.about.tiers
        names = self.catalog.space.domains
        found = [self._value_tier(people, at, place, tiers[names[place]]) for place in bought if names[place] in tiers]
        missing = Text("there is nothing to compare it with; run: kuajie profile --fit")
        return found or [unknown("value_tier", "purchase", missing)]

    def _value_tier(self, people: People, at: float, place: int, bounds: tuple[float, float]) -> Field:
        """Of one domain, by what is spent there against what others spend there."""
        paid = people.spending
        n, spent = float(paid.purchases[0, place]), float(paid.spent[0, place])
        return known(
            "value_tier",
            tier_of(spent, bounds),
            "purchase",
            credibility(n, self.config),
            float(paid.last[0, place]),
            at,
            self.config.expiry_days.value,
            self.config,
            {"domain": self.catalog.space.domains[place], "purchases": int(n), "spent": round(spent, 2)},
        )

    def _price_level(self, people: People, at: float) -> Field:
        paid, days = people.spending, self.config.expiry_days.value
        source: Source
        if not np.isnan(paid.bought_level[0]):
            n, seen = paid.purchases[0].sum(), np.fmax.reduce(paid.last[0])
            level, source = paid.bought_level[0], "purchase"
        elif not np.isnan(paid.used_level[0]):
            level, n, seen, source = paid.used_level[0], paid.priced[0], people.used_last[0], "behaviour"
        else:
            return unknown("price_level", "purchase", Text("nothing with a price was used"))
        base = credibility(float(n), self.config)
        return known("price_level", round(float(level), 4), source, base, float(seen), at, days, self.config)

    def _declared(self, declared: Sequence[tuple[Mapping[str, str], float]], at: float) -> list[Field]:
        days, base = self.config.expiry_days.declared, self.config.declared_sureness
        return [
            known(name, value, "declared", base, seen, at, days, self.config)
            for attributes, seen in declared
            for name, value in allowed(dict(attributes), self.config).items()
            if name not in self.config.value_attributes and value
        ]
