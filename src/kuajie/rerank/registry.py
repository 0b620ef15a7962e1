"""Every re-ranker by its name: the one list that configs, the command line and the contract suite read."""

from typing import Annotated

import pydantic

from kuajie.core.errors import UsageError
from kuajie.rerank.base import Reranker, StepConfig, kind_of
from kuajie.rerank.calibration import Calibration, CalibrationConfig
from kuajie.rerank.dpp import DPP, DPPConfig
from kuajie.rerank.epsilon import Epsilon, EpsilonConfig
from kuajie.rerank.fairness import Fairness, FairnessConfig
from kuajie.rerank.limits import Limits, LimitsConfig
from kuajie.rerank.linucb import LinUCB, LinUCBConfig
from kuajie.rerank.mmr import MMR, MMRConfig
from kuajie.rerank.popularity import Discount, DiscountConfig, XQuAD, XQuADConfig
from kuajie.rerank.rules import Rules, RulesConfig
from kuajie.rerank.thompson import Thompson, ThompsonConfig

AnyStep = Annotated[
    RulesConfig
    | LimitsConfig
    | MMRConfig
    | DPPConfig
    | CalibrationConfig
    | DiscountConfig
    | XQuADConfig
    | FairnessConfig
    | EpsilonConfig
    | ThompsonConfig
    | LinUCBConfig,
    pydantic.Field(discriminator="kind"),
]
"""A step's config as it stands in TOML or JSON, told apart by `kind`."""

RERANKERS: dict[str, tuple[type[StepConfig], type[Reranker]]] = {
    "rules": (RulesConfig, Rules),
    "limits": (LimitsConfig, Limits),
    "mmr": (MMRConfig, MMR),
    "dpp": (DPPConfig, DPP),
    "calibration": (CalibrationConfig, Calibration),
    "discount": (DiscountConfig, Discount),
    "xquad": (XQuADConfig, XQuAD),
    "fairness": (FairnessConfig, Fairness),
    "epsilon": (EpsilonConfig, Epsilon),
    "thompson": (ThompsonConfig, Thompson),
    "linucb": (LinUCBConfig, LinUCB),
}
EXPLORING = ("epsilon", "thompson", "linucb")
"""Steps whose order is drawn: what comes after them would make their propensities wrong."""


def build(config: StepConfig) -> Reranker:
    """The re-ranker of a config."""
    return RERANKERS[kind_of(config)][1](config)  # type: ignore[call-arg]


def config_type(kind: str) -> type[StepConfig]:
    """The config of a re-ranker's name.

    Raises:
        UsageError: no such re-ranker.
    """
    if kind not in RERANKERS:
        raise UsageError(
            "there is no re-ranker '{kind}'; the re-rankers are {known}", kind=kind, known=", ".join(RERANKERS)
        )
    return RERANKERS[kind][0]
