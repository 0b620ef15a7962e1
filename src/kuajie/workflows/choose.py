"""Choose: what `auto` does. Try candidates on validation rows, weigh them, gate the transfer: a blend's config.

Nothing here sees a test row. The way: pools of validation rows -> trials of every family within the budget -> the best
trial of each family and scope -> blend weights -> joint or target-only for each group by known target history ->
what leads across where nobody is linked -> a ranker over the blend, where it pays.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.recommender import FitOptions, Scope
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.evaluation.tasks import RankingTask
from kuajie.models.blend import BlendConfig, Member, Mix
from kuajie.models.item_features import describes
from kuajie.models.popularity import PopularityConfig
from kuajie.models.ranker import RankerConfig
from kuajie.models.registry import installed
from kuajie.workflows.families import READS_GRAPH, READS_SIDE, Family, connects, families, kind_of, within
from kuajie.workflows.fits import Fits
from kuajie.workflows.mixing import MixChoice, choose_mixes
from kuajie.workflows.search import Search
from kuajie.workflows.trials import Pool, favourites, hard_pool, sampled_pool, whole_pool
from kuajie.workflows.two_stages import LEAST_SECONDS, MILLISECONDS, RankerGain, try_ranker
from kuajie.workflows.unlinked import linked_people, with_bridges

SMALL_CATALOGUE = 2
"""Times as many items as negatives are all ranked."""

OPENING_SHARE = 0.5
"""Of the time of searching, at most, goes to a first look at every family: varying the best ones brings more."""


class ChooseConfig(Config):
    """The budget of choosing.

    Attributes:
        seconds: of choosing, about, weights and gate included; what was not tried is named.
        people: fits for choosing use at most so many people; more are sampled.
        rows: validation rows of each target that weights and gate are decided on.
        tuning_rows: of these, how many settings of models are searched on.
        negatives: candidates that each row is judged on.
        k: NDCG@k is what choices are made by.
        kinds: only models of these kinds, and popularity; none: all.
        settings: family -> settings that are decided, as `kuajie tune` prints them.
        rerank: whether a ranker over the blend is tried, where time is left: see `workflows.two_stages`.
        rerank_milliseconds: of processor time that one answer of a ranker may take; a slower one is not taken.
    """

    seconds: Annotated[float, Field(gt=0)] = 30.0
    people: Annotated[int, Field(ge=100)] = 20_000
    rows: Annotated[int, Field(ge=50)] = 5_000
    tuning_rows: Annotated[int, Field(ge=50)] = 1_500
    negatives: Annotated[int, Field(ge=10)] = 999
    k: Annotated[int, Field(ge=1)] = 10
    kinds: tuple[str, ...] = ()
    settings: dict[str, dict[str, Any]] = Field(default={})
    rerank: Literal["auto", "never"] = "auto"
    rerank_milliseconds: Annotated[float, Field(gt=0)] = MILLISECONDS


QUICK_SHARE = 0.5
"""Of the time of searching goes to quick families where there are slow ones, which come afterwards."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen, and why.

    Attributes:
        blend: what was chosen.
        mixes: the decision for each target.
        trials: family, scope, target and validation NDCG of everything tried, best first.
        skipped: sentences about what was not tried.
        ranker: the ranker over the blend, where it pays.
        gains: what it brought each target it was tried on.
    """

    blend: BlendConfig
    mixes: Mapping[str, MixChoice]
    trials: Sequence[tuple[str, str, str, dict[str, Any], float]]
    skipped: Sequence[str]
    ranker: RankerConfig | None = None
    gains: Mapping[str, RankerGain] = field(default_factory=dict)

    @property
    def config(self) -> BlendConfig | RankerConfig:
        """The model to fit on all data."""
        return self.ranker or self.blend

    def summary(self, target: str) -> dict[str, Any]:
        """What was chosen for one target, for reports and JSON."""
        used = {name for mix in self.blend.mixes_of(target) for name in mix.weights}
        return {
            "members": {
                m.name: m.model.model_dump(mode="json", exclude_defaults=True)
                | {"kind": m.model.kind, "scope": m.scope}
                for m in self.blend.members
                if m.name in used
            },
            "mixes": [mix.model_dump(mode="json") for mix in self.blend.mixes_of(target)],
            **self.mixes[target].summary(),
            **({"ranker": self.gains[target].summary()} if target in self.gains else {}),
            "skipped": list(self.skipped),
        }


def choose(
    interactions: Interactions,
    tasks: Mapping[str, RankingTask],
    options: FitOptions | None = None,
    *,
    config: ChooseConfig | None = None,
    progress: Progress = silent,
    linked: Mapping[str, int] | None = None,
) -> Choice:
    """Choose a blend for every target; one without validation rows gets popularity.

    Args:
        interactions: training data without the validation rows.
        tasks: validation rows by target.
        options: seed, threads and memory of the fits.
        config: the budget.
        progress: told each trial.
        linked: people of each target who are known elsewhere, too, where `interactions` are a sample of the data or
            some have been made cold; None: as it is in `interactions`.

    Raises:
        DataError: no model could be tried within the budget.
    """
    config, options = config or ChooseConfig(), replace(options or FitOptions(), progress=progress)
    begun = time.monotonic()
    rng = np.random.default_rng([options.seed, 77])
    fits = Fits(some_people(interactions, config.people, rng), options)
    judged = {target: with_history(task) for target, task in tasks.items()}
    asked = {
        target: task.take(some_numbers(task.n_rows, config.rows, rng)) for target, task in judged.items() if task.n_rows
    }
    pools = open_pools(fits, asked, config.negatives, rng)
    tuning = {target: some_numbers(pool.task.n_rows, config.tuning_rows, rng) for target, pool in pools.items()}
    search = Search(fits, begun, config.seconds, config.k, progress, pools, tuning)
    wanted, missing = families_to_try(interactions, config) if pools else ([], [])
    try_families(search, wanted)
    decided = {
        target: choose_mixes(pool, search.best_trials(target), options.seed, config.k, options.threads)
        for target, pool in pools.items()
    }
    linked = linked_people(interactions) if linked is None else linked
    blend = blend_of(decided, interactions.space)
    blend, unjudged = with_bridges(blend, interactions, options, linked, config.kinds)
    blind = [
        Text("{target}: nobody has enough history to validate on; it gets popularity", target=target)
        for target in blend.targets
        if target not in decided
    ]
    trials = sorted(search.log, key=lambda entry: (entry[2], -entry[4]))
    ranker: RankerConfig | None = None
    gains: dict[str, RankerGain] = {}
    untried: list[Text] = []
    if config.rerank == "auto" and config.seconds >= LEAST_SECONDS and decided:
        tuned = {target: pool.task for target, pool in search.tuning_pools.items()}
        left = config.seconds - search.spent
        ranker, gains, untried = try_ranker(
            blend, fits.interactions, tuned, options, config.k, left, config.rerank_milliseconds
        )
    return Choice(blend, decided, trials, [*search.skipped, *missing, *blind, *unjudged, *untried], ranker, gains)


def try_families(search: Search, wanted: Sequence[Family]) -> None:
    """Try all families: quick ones first, in part of the time where there are slow ones."""
    slow = [family for family in wanted if family.least_seconds]
    quick, half = [family for family in wanted if family not in slow], QUICK_SHARE if slow else 1.0
    look_around(search, quick, OPENING_SHARE * half * search.until, half * search.until)
    look_around(search, slow, search.until, search.until)
    for family in wanted:  # what was too slow to begin with
        search.open_family(family, search.until)
    if slow:
        look_around(search, quick, search.until, search.until)  # in the time that the slow ones left


def look_around(search: Search, wanted: Sequence[Family], opening: float, until: float) -> None:
    """Open families until so many seconds of choosing, then vary their settings until so many."""
    for family in wanted:
        search.open_family(family, opening)
    opened = {name for name, _ in search.best}
    for family, end in schedule([f for f in wanted if f.name in opened], search.spent, until):
        search.vary_family(family, end)


def families_to_try(interactions: Interactions, config: ChooseConfig) -> tuple[list[Family], list[Text]]:
    """The families for these data and this budget, and sentences about those that cannot be tried."""
    data = interactions.histories
    timed = data.times is not None
    found = families(interactions.space, data.order, config.kinds, config.settings, timed=timed, side=interactions.side)
    wanted = [family for family in found if within(family, config.seconds, config.kinds)]
    missing = [
        Text('{family}: not tried, torch is not installed. Run: pip install "kuajie[deep]"', family=family.name)
        for family in wanted
        if not installed(kind_of(family))
    ]
    if not describes(interactions.side) and not config.kinds:
        names = ", ".join(READS_SIDE)
        missing.append(Text("{families}: not tried, the data say nothing of their items", families=names))
    if not connects(interactions.side) and not config.kinds:
        names = ", ".join(READS_GRAPH)
        missing.append(Text("{families}: not tried, there are neither triples nor labels", families=names))
    return [family for family in wanted if installed(kind_of(family))], missing


def schedule(wanted: Sequence[Family], spent: float, seconds: float) -> list[tuple[Family, float]]:
    """Until when each family may go on searching: shares of what is left; what one does not use is the next one's."""
    total = sum(family.share for family in wanted)
    ends = spent + np.cumsum([family.share for family in wanted]) / max(total, 1e-9) * max(seconds - spent, 0.0)
    return list(zip(wanted, ends.tolist(), strict=True))


def blend_of(decided: Mapping[str, MixChoice], space: ItemSpace) -> BlendConfig:
    """The blend of all targets; those that nothing was decided for get popularity."""
    members: dict[str, Member] = {}
    mixes: list[Mix] = []
    for target in space.domains:
        if target in decided:
            mixes += decided[target].mixes
            for trial in decided[target].used:
                members[trial.name] = Member(name=trial.name, model=trial.config, scope=trial.scope)
        elif space.sizes[space.index(target)]:
            name = f"popularity/target/{target}"
            members[name] = Member(name=name, model=PopularityConfig(), scope="target")
            mixes.append(Mix(target=target, weights={name: 1.0}))
    return BlendConfig(members=tuple(members.values()), mixes=tuple(mixes))


def with_history(task: RankingTask) -> RankingTask:
    """The rows of people of whom anything is known; the others are shown what everybody likes, whatever is chosen."""
    known = np.bincount(task.histories.rows()[task.histories.weights > 0], minlength=task.histories.n_rows)
    return task.take(np.flatnonzero(known[task.history_of]))


def some_numbers(n: int, most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """At most so many of 0..n-1, drawn at random, in order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def some_people(interactions: Interactions, most: int, rng: np.random.Generator) -> Interactions:
    """At most so many people with a history, drawn at random."""
    active = np.flatnonzero(interactions.histories.lengths)
    if len(active) <= most:
        return interactions
    kept = np.sort(rng.choice(active, most, replace=False))
    return interactions.take(kept)


def open_pools(
    fits: Fits, tasks: Mapping[str, RankingTask], negatives: int, rng: np.random.Generator
) -> dict[str, Pool]:
    """On which candidates each target is judged."""
    pools = {}
    for target, task in tasks.items():
        if task.candidates is not None:
            pools[target] = sampled_pool(task, negatives, rng)
        elif task.n_items <= SMALL_CATALOGUE * negatives:
            pools[target] = whole_pool(task)
        else:
            pools[target] = scouted_pool(fits, task, negatives, rng)
    return pools


def scouted_pool(fits: Fits, task: RankingTask, negatives: int, rng: np.random.Generator) -> Pool:
    """What quick models of different kinds rank highest; uniform candidates where none of them fits into memory."""
    space = fits.interactions.space
    order = fits.interactions.histories.order
    scouts = [family.start for family in families(space, order) if family.scout]
    scopes: tuple[Scope, ...] = ("joint", "target") if task.target_lengths.any() else ("joint",)
    each = negatives // (len(scouts) * len(scopes))
    liked = []
    for scout in (scout for scout in scouts if fits.possible(scout)):
        for scope in scopes:
            model = fits.get(scout, task.domain if scope == "target" else None)
            liked.append(favourites(model, task, scope, space, each, fits.options.threads))
    return hard_pool(task, negatives, liked, rng) if liked else sampled_pool(task, negatives, rng)
