"""Evaluate: an honest offline comparison on a workspace's own data, in every direction.

The newest item of each person and domain is asked for (or everything after a moment), a tenth of the linked people
lose what they have in one domain so that cold start is measured too, and `auto` chooses without these rows.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from kuajie import __version__
from kuajie.core.errors import DataError, JobError
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Joined, Text
from kuajie.data.dataset import JointDataset
from kuajie.evaluation.candidates import Candidates
from kuajie.evaluation.leaks import find_twins
from kuajie.evaluation.protocols import COLD_SHARE, Split, leave_one_out, rows_of, time_split
from kuajie.evaluation.summary import TaskSummary
from kuajie.workflows.arena import Arena, ArenaOptions, Chooser, Run, default_chooser, parse_entrant
from kuajie.workflows.results import domain_results

DEFAULT_MODELS = ("auto", "itemknn", "itemknn:target", "popularity")
MOST_PEOPLE = 20_000


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Attributes:
        protocol: one sentence.
        summaries: by target domain.
        runs: by (model, domain); of `auto` with what was chosen and the transfer gain.
        twin_items: items of one domain whose people nearly equal those of an item of another.
        skipped: model -> why it has no result.
        seconds: of everything.
    """

    protocol: Text
    summaries: Mapping[str, TaskSummary]
    runs: Mapping[tuple[str, str], Run]
    twin_items: int
    skipped: Mapping[str, Text]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; `domains` as in the JSON of a benchmark."""
        return {
            "protocol": self.protocol,
            "kuajie": __version__,
            "domains": domain_results(self.summaries, self.runs),
            "twin_items": self.twin_items,
            "skipped": dict(self.skipped),
            "seconds": self.seconds,
        }


def evaluate(
    dataset: JointDataset,
    models: Sequence[str] = DEFAULT_MODELS,
    *,
    since: datetime | None = None,
    candidates: Candidates = "full",
    seed: int = 0,
    options: ArenaOptions | None = None,
    most_people: int = MOST_PEOPLE,
    chooser: Chooser | None = None,
    progress: Progress = silent,
) -> EvaluationResult:
    """Compare models on the newest behaviour of a snapshot.

    Args:
        dataset: an open snapshot.
        models: as in `benchmark`: names, with ":target" or ":source", and "auto".
        since: ask for everything from this moment on; None: the newest item of each person and domain.
        candidates: how to rank.
        seed: of everything random.
        options: threads and memory.
        most_people: rows are asked of at most so many people; models are fitted on everybody.
        chooser: what "auto" does; left out: `kuajie.workflows.choose.choose`.
        progress: told stages.

    Raises:
        UsageError: no such model.
        DataError: nobody has enough history to ask for.
        JobError: no model could be fitted.
    """
    start = time.monotonic()
    options = options or ArenaOptions()
    entrants = [parse_entrant(name) for name in dict.fromkeys(models)]
    interactions = dataset.interactions()
    final = final_rows(interactions, since, candidates, seed, most_people)
    if not any(task.n_rows for task in final.tasks.values()):
        raise DataError(
            "nobody has three different items in one domain, so there is nothing to ask for. Import more history."
        )

    def blind() -> Split:
        return asked_rows(final.train, np.random.default_rng([seed, 12]), candidates, seed, most_people)

    arena = Arena(final, blind, seed, options, chooser or default_chooser, progress)
    for number, entrant in enumerate(entrants):
        progress(Text("fit and score {model}", model=entrant.name), number, len(entrants))
        arena.enter(entrant)
    if not arena.ranks:
        raise JobError("no model could be measured: {reasons}", reasons=Joined(arena.skipped.values()))
    twins = find_twins(rows_of(interactions), interactions.space)
    summaries = arena.summaries([entrant.name for entrant in entrants if entrant.target_only], twins.items)
    protocol = (
        Text("The newest item of each person and domain is asked for, among all items.")
        if since is None
        else Text("Everything from {since:%Y-%m-%d} on is asked for, among all items.", since=since)
    )
    return EvaluationResult(protocol, summaries, arena.runs, len(twins.items), arena.skipped, time.monotonic() - start)


def final_rows(
    interactions: Interactions, since: datetime | None, candidates: Candidates, seed: int, most_people: int
) -> Split:
    """The rows that are asked in the end, and what may be trained on."""
    if since is not None:
        return time_split(interactions, since.timestamp(), candidates, seed)
    return asked_rows(interactions, np.random.default_rng([seed, 11]), candidates, seed, most_people)


def asked_rows(
    interactions: Interactions, rng: np.random.Generator, candidates: Candidates, seed: int, most_people: int
) -> Split:
    """Leave one out for some people; everybody else stays whole in the training data."""
    asked = np.zeros(interactions.n_people, dtype=bool)
    active = np.flatnonzero(interactions.histories.lengths)
    asked[rng.choice(active, min(most_people, len(active)), replace=False)] = True
    return leave_one_out(interactions, rng, candidates, seed, people=asked, cold_share=COLD_SHARE)
