"""Every model by its name: the one list that configs, the command line and the contract suite read."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import UsageError
from kuajie.core.recommender import Recommender
from kuajie.models.als import ALS, ALSConfig
from kuajie.models.diffusion import Diffusion, DiffusionConfig
from kuajie.models.ease import EASE, EASEConfig
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.models.kge import KGE, KGEConfig
from kuajie.models.metapath import MetaPath, MetaPathConfig
from kuajie.models.popularity import Popularity, PopularityConfig
from kuajie.models.ridge import Ridge, RidgeConfig
from kuajie.models.sequence import Sequence, SequenceConfig
from kuajie.models.svd import SVD, SVDConfig
from kuajie.models.userknn import UserKNN, UserKNNConfig
from kuajie.models.walk import Walk, WalkConfig

MODELS: dict[str, type[Recommender]] = {
    "popularity": Popularity,
    "itemknn": ItemKNN,
    "als": ALS,
    "svd": SVD,
    "userknn": UserKNN,
    "sequence": Sequence,
    "diffusion": Diffusion,
    "ease": EASE,
    "ridge": Ridge,
    "walk": Walk,
    "metapath": MetaPath,
    "kge": KGE,
}

AnyModelConfig = Annotated[
    PopularityConfig
    | ItemKNNConfig
    | ALSConfig
    | SVDConfig
    | UserKNNConfig
    | SequenceConfig
    | DiffusionConfig
    | EASEConfig
    | RidgeConfig
    | WalkConfig
    | MetaPathConfig
    | KGEConfig,
    pydantic.Field(discriminator="kind"),
]
"""A model's config as it stands in TOML or JSON, told apart by `kind`."""


def build(config: Config) -> Recommender:
    """The unfitted model of a config."""
    return model_class(config.kind)(config)  # type: ignore[attr-defined, call-arg]


def model_class(kind: str) -> type[Recommender]:
    """The class of a model's name.

    Raises:
        UsageError: no such model.
    """
    if kind in COMPOSED:
        return COMPOSED[kind]()
    if kind not in MODELS:
        raise UsageError(
            "there is no model '{kind}'; the models are {known}", kind=kind, known=", ".join([*MODELS, *COMPOSED])
        )
    return MODELS[kind]


def parse_config(values: dict[str, Any], where: str | Path = "") -> Config:
    """The config of any model from plain values with a `kind`.

    Raises:
        UsageError: no such model.
        ConfigError: a wrong key or value.
    """
    return model_class(str(values.get("kind"))).config_type.parse(values, where)  # type: ignore[attr-defined,no-any-return]


def _blend() -> type[Recommender]:
    from kuajie.models.blend import Blend

    return Blend


def _merged() -> type[Recommender]:
    from kuajie.models.merged import Merged

    return Merged


COMPOSED: dict[str, Callable[[], type[Recommender]]] = {"blend": _blend, "merged": _merged}
"""Models made of other models: they import this list, so they are imported when asked for."""
