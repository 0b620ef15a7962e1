"""Whether a ranker over the chosen blend is worth its second stage: compared on validation rows, target by target.

The ranker learns from training data without the validation rows. It is taken for a target only where a paired interval
over people excludes no gain and one answer does not take too long, and tried only where the time of choosing is enough.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import KuajieError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions, Recommender
from kuajie.core.texts import Text
from kuajie.evaluation.compare import bootstrap_interval
from kuajie.evaluation.metrics import row_metrics
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tasks import RankingTask
from kuajie.models.answering import answering
from kuajie.models.blend import BlendConfig
from kuajie.models.ranker import Generator, RankerConfig
from kuajie.models.ranker_trees import lightgbm_or_refuse
from kuajie.models.registry import build
from kuajie.numerics.threads import blas_threads

LEAST_SECONDS = 60.0
"""Of choosing, below which no ranker is tried: it fits the blend twice more."""
EXAMPLES = 10_000
"""What trees learn from here: about a million candidates."""
NAME = "blend"
ASKED = 30
"""People who are answered to see how long that takes."""
SHOWN = 10
"""Items of their lists, with reasons."""
MILLISECONDS = 20.0
"""Of processor time that an answer may take, unless it is said."""


@dataclass(frozen=True)
class RankerGain:
    """What a ranker brought a target on validation rows: mean gain of NDCG, and its 95 % interval over people."""

    gain: float
    low: float
    high: float

    @property
    def pays(self) -> bool:
        """Whether the interval excludes no gain."""
        return self.low > 0

    def summary(self) -> dict[str, Any]:
        """For reports and JSON."""
        return {"ndcg": self.gain, "low": self.low, "high": self.high, "used": self.pays}


def over(blend: BlendConfig, targets: tuple[str, ...] = ()) -> RankerConfig:
    """The ranker over a blend, for some targets or all."""
    return RankerConfig(generators=(Generator(name=NAME, model=blend),), targets=targets, examples=EXAMPLES)


def try_ranker(
    blend: BlendConfig,
    interactions: Interactions,
    tasks: Mapping[str, RankingTask],
    options: FitOptions,
    k: int,
    seconds: float,
    milliseconds: float = MILLISECONDS,
) -> tuple[RankerConfig | None, dict[str, RankerGain], list[Text]]:
    """Compare a blend with the ranker over it.

    Args:
        blend: what was chosen.
        interactions: training data without the validation rows.
        tasks: validation rows.
        options: of the fits.
        k: NDCG@k decides.
        seconds: left of choosing.
        milliseconds: of processor time that an answer with reasons, the median of some people's, may take.

    Returns:
        the ranker for the targets where it pays, or None; the gains; sentences about what was not tried.
    """
    config = over(blend)
    try:
        lightgbm_or_refuse()  # before the blend is fitted
        planned = 1.5 * build(config).plan(DataShape.of(interactions), options).seconds
        if planned > seconds:
            why = Text("ranker: not tried, it needs about {needed:.0f} s more than are left of choosing",
                       needed=planned - seconds)  # fmt: skip
            return None, {}, [why]
        begun = time.monotonic()
        models = [build(each).fit(interactions, options) for each in (blend, config)]
    except KuajieError as error:
        return None, {}, [Text("ranker: not tried: {why}", why=error.text)]
    gains: dict[str, RankerGain] = {}
    untried: list[Text] = []
    for target, task in tasks.items():
        if time.monotonic() - begun > seconds:
            untried.append(Text("ranker: not tried for {target}, the time of choosing was over", target=target))
            continue
        took = float(np.median(answer_milliseconds(models[1], task.histories, target)))
        if took > milliseconds:
            untried.append(
                Text(
                    "ranker: not taken for {target}, one answer takes {took:.1f} ms, of {limit:g} that "
                    "'rerank_milliseconds' allows", target=target, took=took, limit=milliseconds,
                )
            )  # fmt: skip
            continue
        without, with_ranker = (_ndcg(model, task, k, options.threads) for model in models)
        gain = with_ranker - without
        low, high = bootstrap_interval(gain, task.people, np.random.default_rng([options.seed, 79]))
        gains[target] = RankerGain(float(gain.mean()), float(low), float(high))
    paying = tuple(target for target, gain in gains.items() if gain.pays)
    return (over(blend, paying) if paying else None), gains, untried


def answer_milliseconds(
    model: Recommender, histories: Histories, target: str, *, people: int = ASKED, explain: bool = True
) -> npt.NDArray[np.float64]:
    """Processor time of one list for each of the first people, all asked at one moment, as in serving: (<= people,)."""
    if histories.at is not None:
        histories = replace(histories, at=np.full(histories.n_rows, np.nanmax(histories.at)))
    asked, times = answering(model), []
    with blas_threads(1):  # as the service has it
        for row in [0, *range(min(people, histories.n_rows))]:  # the first one warms up
            history = histories.take([row])
            begun = time.thread_time()
            asked.answer(history, target, SHOWN, explain=explain)
            times.append(1e3 * (time.thread_time() - begun))
    return np.array(times[1:])


def _ndcg(model: Recommender, task: RankingTask, k: int, threads: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    name = f"ndcg@{k}"
    ranks = rank_task(task, lambda histories: model.score(histories, task.domain), threads=threads)
    return row_metrics(ranks, [name])[name]
