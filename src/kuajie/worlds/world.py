"""A generated world: people with tastes, catalogues, behaviour, and the truth behind them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.space import ItemSpace
from kuajie.worlds.behaviour import DomainBehaviour, Events
from kuajie.worlds.catalogue import Catalogue, category_topics, make_catalogue
from kuajie.worlds.choices import interest_chances, week_matrix
from kuajie.worlds.config_text import config_text
from kuajie.worlds.people import People, TasteSettings, make_people, prevalence
from kuajie.worlds.scenarios import PLANS, PLATFORM, SCENARIOS
from kuajie.worlds.seasons import WEEKS, topic_seasons, week_shares
from kuajie.worlds.sizes import SIZES, WorldSize
from kuajie.worlds.vocabulary import product_words, topics
from kuajie.worlds.writing import write_world

_MEMBERSHIP_OF_PAIR = (0.85, 0.85)
_MEMBERSHIP_OF_MANY = (0.85, 0.4)  # the platform, each partner


@dataclass(frozen=True, eq=False)
class World:
    """One generated world. People and catalogues are drawn at once, events week by week when asked for.

    Attributes:
        scenario: its name.
        size: the counts it was made to.
        seed: the same seed makes the same world.
        domains: names; the platform first.
        catalogues: of each domain.
        people: everybody, with tastes, memberships and activity.
        prevalence: how common each interest is (topics,).
        settings: how tastes are spread.
    """

    scenario: str
    size: WorldSize
    seed: int
    domains: tuple[str, ...]
    catalogues: dict[str, Catalogue]
    people: People
    prevalence: npt.NDArray[np.float64]
    settings: TasteSettings

    @property
    def space(self) -> ItemSpace:
        """The joint item space, domain after domain."""
        return ItemSpace(self.domains, tuple(self.catalogues[name].n_items for name in self.domains))

    def index(self, domain: str) -> int:
        """Position of a domain.

        Raises:
            UsageError: the world has no such domain.
        """
        return self.space.index(domain)

    def events(self, domain: str) -> Iterator[Events]:
        """Behaviour in one domain, week after week, without noise."""
        index = self.index(domain)
        plan = PLANS[domain]
        return DomainBehaviour(
            plan=plan,
            index=index,
            catalogue=self.catalogues[domain],
            people=self.people,
            seasons=topic_seasons(topics()),
            shares=week_shares(plan, np.random.default_rng([self.seed, 5, index])),
            settings=self.settings,
            events_per_account=self.size.events_per_account,
        ).weeks(self.seed)

    def interactions(self) -> Interactions:
        """Everybody's true history over all domains, in the order of time; every event weighs 1."""
        parts = []
        for name in self.domains:
            start = self.space.slice(name).start
            parts += [(week.person, week.item + start, week.time) for week in self.events(name)]
        person, item, time = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((time, person))
        counts = np.bincount(person, minlength=self.people.n_people)
        histories = Histories(
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=item[order].astype(np.int32),
            weights=np.ones(len(order), np.float32),
            n_items=self.space.n_items,
            times=time[order],
            at=np.full(self.people.n_people, time.max() + 1.0),
            order="joint",
        )
        return Interactions(self.space, histories)

    def oracle_scores(
        self, person_rows: npt.ArrayLike, domain: str, weeks: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.float32]:
        """The true chance that a person's next visit goes to each item.

        Args:
            person_rows: rows of people (n,).
            domain: where.
            weeks: when, 0..WEEKS-1, for all or each of them; the last week if not said.

        Returns:
            (n, items of the domain); rows sum to 1.
        """
        persons = np.asarray(person_rows, dtype=np.int64)
        at = np.broadcast_to(np.asarray(WEEKS - 1 if weeks is None else weeks, dtype=np.int64), persons.shape)
        index, catalogue, seasons = self.index(domain), self.catalogues[domain], topic_seasons(topics())
        scores = np.empty((len(persons), catalogue.n_items), np.float32)
        for week in np.unique(at):
            matrix = week_matrix(catalogue, len(seasons), int(week))
            rows = np.flatnonzero(at == week)
            interests, chances = interest_chances(self.people, persons[rows], index, at[rows], seasons, self.settings)
            taste = np.zeros((len(rows), len(seasons) + 1))
            np.add.at(taste, (np.arange(len(rows))[:, None], interests), chances)
            buying = self.people.buying[persons[rows]]
            for tier in np.unique(buying):
                mine = buying == tier
                scores[rows[mine]] = taste[mine] @ matrix[tier]
        return scores

    def write(
        self,
        folder: Path,
        formats: Mapping[str, str] | None = None,
        *,
        noise: bool = True,
        progress: Progress = silent,
    ) -> None:
        """Write the world as a workspace: `kuajie.toml`, `sources/`, and the truth apart from them in `truth/`.

        Args:
            folder: made where it does not exist; files of the same names are replaced.
            formats: domain -> csv, tsv, parquet, jsonl or sqlite; every domain has a usual one of its own.
            noise: whether repeated rows, broken rows and bots are among the events.
            progress: is told the weeks written of each domain.

        Raises:
            UsageError: no such domain or format.
            ResourceError: the disk refuses.
        """
        for domain in formats or {}:
            self.index(domain)
        write_world(self, folder, formats or {}, noise, progress)

    def config_toml(self, formats: Mapping[str, str] | None = None) -> str:
        """The text of the `kuajie.toml` that imports what `write` wrote."""
        return config_text(self.scenario, self.seed, self.domains, formats or {})


def make_world(
    scenario: str, size: str | WorldSize = "small", seed: int = 0, settings: TasteSettings | None = None
) -> World:
    """Draw a world.

    Args:
        scenario: one of `SCENARIOS`.
        size: "small", "seed", "large", or own counts.
        seed: the same seed makes the same world.
        settings: how tastes are spread; the default is as hard as the demo should be.

    Raises:
        UsageError: no such scenario or size.
    """
    if scenario not in SCENARIOS:
        raise UsageError(
            "there is no scenario '{scenario}'; the scenarios are {known}",
            scenario=scenario,
            known=", ".join(SCENARIOS),
        )
    if isinstance(size, str):
        if size not in SIZES:
            raise UsageError("there is no size '{size}'; the sizes are {known}", size=size, known=", ".join(SIZES))
        size = SIZES[size]
    settings = settings or TasteSettings()
    domains = SCENARIOS[scenario]
    interests = topics()
    coverage = np.mean([category_topics(product_words(name).categories).max(axis=0) for name in domains[1:]], axis=0)
    shares = prevalence(interests, coverage, settings.skew, np.random.default_rng([seed, 1]))
    catalogues = {
        name: make_catalogue(
            PLANS[name],
            size.courses if name == PLATFORM else size.products,
            shares,
            np.random.default_rng([seed, 2, number]),
        )
        for number, name in enumerate(domains)
    }
    first, other = _MEMBERSHIP_OF_PAIR if len(domains) == 2 else _MEMBERSHIP_OF_MANY
    membership = np.array([first] + [other] * (len(domains) - 1))
    people = make_people(size.people, shares, interests, membership, settings, np.random.default_rng([seed, 3]))
    return World(scenario, size, seed, domains, catalogues, people, shares, settings)
