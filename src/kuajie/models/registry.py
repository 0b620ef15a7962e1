"""Every model by its name: the one list that configs, the command line and the contract suite read."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import MissingExtraError, UsageError
from kuajie.core.recommender import Recommender
from kuajie.core.texts import Text
from kuajie.models.als import ALS, ALSConfig
from kuajie.models.bridge import Bridge, BridgeConfig
from kuajie.models.content import Content, ContentConfig
from kuajie.models.deep import set_configs
from kuajie.models.deep.order_configs import CaserConfig, GRU4RecConfig, SASRecConfig
from kuajie.models.diffusion import Diffusion, DiffusionConfig
from kuajie.models.ease import EASE, EASEConfig
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.models.kge import KGE, KGEConfig
from kuajie.models.metapath import MetaPath, MetaPathConfig
from kuajie.models.popularity import Popularity, PopularityConfig
from kuajie.models.repeat import Repeat, RepeatConfig
from kuajie.models.ridge import Ridge, RidgeConfig
from kuajie.models.seasonal import Seasonal, SeasonalConfig
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
    "seasonal": Seasonal,
    "repeat": Repeat,
    "content": Content,
    "bridge": Bridge,
    "walk": Walk,
    "metapath": MetaPath,
    "kge": KGE,
}


@dataclass(frozen=True)
class Deep:
    """A model that needs PyTorch: its config is there without, its class is imported when asked for."""

    config_type: type[Config]
    module: str
    name: str

    def load(self) -> type[Recommender]:
        """The class.

        Raises:
            MissingExtraError: PyTorch is not installed.
        """
        try:
            importlib.import_module("torch")
        except ImportError:
            kind = self.config_type.model_fields["kind"].default
            raise MissingExtraError(Text("the model '{name}'", name=kind), "torch", "deep") from None
        found: type[Recommender] = getattr(importlib.import_module(f"kuajie.models.deep.{self.module}"), self.name)
        return found


DEEP: dict[str, Deep] = {
    "sasrec": Deep(SASRecConfig, "sasrec", "SASRec"),
    "gru4rec": Deep(GRU4RecConfig, "gru4rec", "GRU4Rec"),
    "caser": Deep(CaserConfig, "caser", "Caser"),
    "lightgcn": Deep(set_configs.LightGCNConfig, "lightgcn", "LightGCN"),
    "bitgcf": Deep(set_configs.BiTGCFConfig, "bitgcf", "BiTGCF"),
    "neumf": Deep(set_configs.NeuMFConfig, "neumf", "NeuMF"),
    "two-tower": Deep(set_configs.TwoTowerConfig, "two_tower", "TwoTower"),
    "mf": Deep(set_configs.MFConfig, "mf", "MF"),
    "emcdr": Deep(set_configs.EMCDRConfig, "emcdr", "EMCDR"),
    "ptupcdr": Deep(set_configs.PTUPCDRConfig, "ptupcdr", "PTUPCDR"),
    "cfgan": Deep(set_configs.CFGANConfig, "cfgan", "CFGAN"),
    "tuned-text": Deep(set_configs.TunedTextConfig, "tuned_text", "TunedText"),
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
    | SeasonalConfig
    | RepeatConfig
    | ContentConfig
    | BridgeConfig
    | WalkConfig
    | MetaPathConfig
    | KGEConfig
    | SASRecConfig
    | GRU4RecConfig
    | CaserConfig
    | set_configs.LightGCNConfig
    | set_configs.BiTGCFConfig
    | set_configs.NeuMFConfig
    | set_configs.TwoTowerConfig
    | set_configs.MFConfig
    | set_configs.EMCDRConfig
    | set_configs.PTUPCDRConfig
    | set_configs.CFGANConfig
    | set_configs.TunedTextConfig,
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
        MissingExtraError: it needs PyTorch, which is not installed.
    """
    if kind in COMPOSED:
        return COMPOSED[kind]()
    if kind in DEEP:
        return DEEP[kind].load()
    if kind not in MODELS:
        known = ", ".join([*MODELS, *DEEP, *COMPOSED])
        raise UsageError("there is no model '{kind}'; the models are {known}", kind=kind, known=known)
    return MODELS[kind]


def installed(kind: str) -> bool:
    """Whether what a model needs beside the core is there; nothing is imported."""
    return kind not in DEEP or importlib.util.find_spec("torch") is not None


def config_class(kind: str) -> type[Config]:
    """The config of a model's name; the model's own package need not be there.

    Raises:
        UsageError: no such model.
    """
    if kind in DEEP:
        return DEEP[kind].config_type
    found: type[Config] = model_class(kind).config_type  # type: ignore[attr-defined]
    return found


def parse_config(values: dict[str, Any], where: str | Path = "") -> Config:
    """The config of any model from plain values with a `kind`.

    Raises:
        UsageError: no such model.
        ConfigError: a wrong key or value.
    """
    return config_class(str(values.get("kind"))).parse(values, where)


def _blend() -> type[Recommender]:
    from kuajie.models.blend import Blend

    return Blend


def _merged() -> type[Recommender]:
    from kuajie.models.merged import Merged

    return Merged


def _ranker() -> type[Recommender]:
    from kuajie.models.ranker import Ranker

    return Ranker


COMPOSED: dict[str, Callable[[], type[Recommender]]] = {"blend": _blend, "merged": _merged, "ranker": _ranker}
"""Models made of other models: they import this list, so they are imported when asked for."""
