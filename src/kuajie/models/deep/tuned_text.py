"""Texts of items, read by an encoder that was trained on which items the same people used.

Two items of one history, of one domain or two, are a pair that must find each other among a batch (InfoNCE; van den
Oord et al. 2018; of items' texts: Hou et al. 2022, "Towards universal sequence representation learning for recommender
systems"). A person is the mean of their items' vectors and scores are cosines, so every item with a text is scored,
used or not. The encoder is

* a sentence encoder in a local folder (extra `encoders`), which is kept as it is, with a trained adapter upon it, or
* by default a small transformer over sequences of characters, trained from the start: nothing is loaded from anywhere.
"""

import zlib
from typing import ClassVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from kuajie.core.errors import DataError
from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.side import SideInformation
from kuajie.models.deep.base import Size
from kuajie.models.deep.edges import tensor
from kuajie.models.deep.losses import info_nce_loss
from kuajie.models.deep.set_configs import TunedTextConfig
from kuajie.models.deep.sets import I64, SetBatch, Tables
from kuajie.models.deep.towers import TowerModel, TowerNetwork
from kuajie.models.deep.training import Batch, device_of
from kuajie.text.sentences import Sentences, SentencesConfig
from kuajie.text.tokens import fold

ENCODED = 512
"""Texts that are encoded at a time."""


class CharacterEncoder(nn.Module):
    """Each character with the two after it is a place; attention over places, then their mean."""

    def __init__(self, texts: list[str], config: TunedTextConfig, device: torch.device) -> None:
        super().__init__()
        self.places = tensor(sequences(texts, config.length, config.hashed), device)
        self.vectors = nn.Embedding(config.hashed + 1, config.dim, padding_idx=0)
        self.positions = nn.Parameter(0.02 * torch.randn(config.length, config.dim))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(config.dim, 2, 2 * config.dim, 0.1, "gelu", batch_first=True, norm_first=True)
            for _ in range(config.blocks)
        )

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """(n, dim)."""
        places = self.places[items]
        places = places[:, : max(1, int((places > 0).sum(dim=1).max()))]
        states, padding = self.vectors(places) + self.positions[: places.shape[1]], places == 0
        for block in self.blocks:
            states = block(states, src_key_padding_mask=padding)
        inside = (~padding)[:, :, None].to(states.dtype)
        return (states * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)


class AdaptedEncoder(nn.Module):
    """Sentence vectors that stand still, and a layer upon them."""

    def __init__(self, vectors: npt.NDArray[np.float32], dim: int, device: torch.device) -> None:
        super().__init__()
        self.vectors = tensor(vectors, device)
        self.adapter = nn.Sequential(nn.Linear(vectors.shape[1], dim), nn.Tanh(), nn.Linear(dim, dim))
        self.straight = nn.Linear(vectors.shape[1], dim, bias=False)

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """(n, dim)."""
        vectors = self.vectors[items]
        found: torch.Tensor = self.straight(vectors) + self.adapter(vectors)
        return found


class TextTower(nn.Module):
    """Unit vectors of all items with a text."""

    def __init__(self, encoder: nn.Module, described: npt.NDArray[np.bool_], dim: int, device: torch.device) -> None:
        super().__init__()
        self.encoder, self.dim = encoder, dim
        self.known = tensor(np.flatnonzero(described), device)
        self.n_items = len(described)

    def encode(self, items: torch.Tensor) -> torch.Tensor:
        """Unit vectors of some."""
        return functional.normalize(self.encoder(items).float(), dim=1)

    def forward(self) -> Tables:
        """Of all; zeros without a text."""
        vectors = torch.zeros(self.n_items, self.dim, device=self.known.device)
        for some in self.known.split(ENCODED):
            vectors[some] = self.encode(some)
        return Tables(vectors, vectors)


class TunedText(TowerModel[TunedTextConfig]):
    """A trained encoder of texts."""

    config_type: ClassVar[type[TunedTextConfig]] = TunedTextConfig

    def prepare(self, network: nn.Module, interactions: Interactions, options: FitOptions) -> None:
        """Read the texts.

        Raises:
            DataError: no item has any of the texts.
            UsageError: there is no encoder in the folder.
            MissingExtraError: sentence-transformers is not installed.
        """
        net, device, config = cast(TowerNetwork, network), device_of(network), self.config
        texts = joined(interactions.side, config.fields, interactions.space.n_items)
        described = np.array([bool(text) for text in texts], np.bool_)
        if not described.any():
            raise DataError(
                "no item has one of the texts {fields}, which this model reads. Give items.parquet such a column, or "
                "choose a model of behaviour, such as als.",
                fields=", ".join(config.fields),
            )
        encoder: nn.Module
        if config.encoder is None:
            encoder = CharacterEncoder(texts, config, device)
        else:
            sentences = SentencesConfig(model=str(config.encoder), device=str(device))
            encoder = AdaptedEncoder(Sentences.fit(sentences, texts).encode(texts), config.dim, device)
        net.tower = TextTower(encoder, described, config.dim, device).to(device)
        net.described = tensor(described, device)

    def cover(self, network: nn.Module) -> npt.NDArray[np.bool_]:
        """Items with a text."""
        described: npt.NDArray[np.bool_] = cast(TowerNetwork, network).described.cpu().numpy()
        return described

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Pairs of each person's items find each other."""
        tower = cast(TextTower, cast(TowerNetwork, network).tower)
        left, right = partners(batch)
        device = tower.known.device
        return info_nce_loss(
            tower.encode(tensor(left, device)), tower.encode(tensor(right, device)), self.config.temperature
        )

    def size(self, shape: DataShape) -> Size:
        """The encoder, forward over every entry that is asked for."""
        config = self.config
        places = config.length if config.encoder is None else 1
        flops = 16.0 * config.dim**2 * config.blocks * places * 2
        n_asked = config.training.batch_size * config.asked
        return Size((config.hashed + 2 * shape.space.n_items) * config.dim, 60.0 * n_asked * places * config.dim, flops)


def partners(batch: SetBatch) -> tuple[I64, I64]:
    """The items that are asked for, and of each another one of the same person."""
    histories = batch.histories
    lengths = histories.lengths[batch.rows]
    start = histories.indptr[batch.rows]
    # entries of a row are sorted by item, so the place of each asked one is found by its key
    keys = histories.rows() * histories.n_items + histories.items
    place = np.searchsorted(keys, batch.rows * histories.n_items + batch.items) - start
    step = 1 + (batch.rng.random(len(lengths)) * (lengths - 1)).astype(np.int64)
    return batch.items, histories.items[start + (place + step) % lengths].astype(np.int64)


def joined(side: SideInformation | None, fields: tuple[str, ...], n_items: int) -> list[str]:
    """One text for each item, of the fields that there are."""
    if side is None:
        return [""] * n_items
    found = [side.texts[name] for name in fields if name in side.texts]
    return [" ".join(part for part in parts if part).strip() for parts in zip(*found, strict=True)] or [""] * n_items


def sequences(texts: list[str], length: int, hashed: int) -> I64:
    """Of each text the places of its trigrams of characters, from 1; 0 where the text is over: (n, length)."""
    found = np.zeros((len(texts), length), np.int64)
    for row, text in enumerate(texts):
        folded = fold(text[:length])
        places = [
            1 + zlib.crc32(folded[start : start + 3].encode("utf-8", "replace")) % hashed
            for start in range(min(len(folded), length))
        ]
        found[row, : len(places)] = places
    return found
