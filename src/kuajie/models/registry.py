"""Every model by its name: the one list that configs, the command line and the contract suite read."""

from typing import Annotated

import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import UsageError
from kuajie.core.recommender import Recommender
from kuajie.models.popularity import Popularity, PopularityConfig

MODELS: dict[str, type[Recommender]] = {
    "popularity": Popularity,
}

AnyModelConfig = Annotated[PopularityConfig, pydantic.Field(discriminator="kind")]
"""A model's config as it stands in TOML or JSON, told apart by `kind`."""


def build(config: Config) -> Recommender:
    """The unfitted model of a config."""
    return model_class(config.kind)(config)  # type: ignore[attr-defined, call-arg]


def model_class(kind: str) -> type[Recommender]:
    """The class of a model's name.

    Raises:
        UsageError: no such model.
    """
    if kind not in MODELS:
        raise UsageError(f"there is no model '{kind}'; the models are {', '.join(MODELS)}")
    return MODELS[kind]
