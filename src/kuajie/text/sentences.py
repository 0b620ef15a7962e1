"""Sentence embeddings: a text as what a BERT-type network makes of it.

Reimers and Gurevych 2019, "Sentence-BERT: sentence embeddings using siamese BERT-networks", by sentence-transformers.
The network comes from a folder of this machine or from an installed package that carries one; nothing is downloaded.
"""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import MissingExtraError, UsageError
from kuajie.core.recommender import Arrays
from kuajie.core.rows import unit_vectors
from kuajie.core.texts import Text

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), " ")


class SentencesConfig(Config):
    """Sentence embeddings.

    Attributes:
        model: a folder with a sentence-transformers or BERT-type model, or the name of an installed package that
            carries one.
        batch: texts encoded at a time.
        characters: of each text that are read; networks read some hundred words at most.
        device: where the network runs, as PyTorch names it.
    """

    kind: Literal["sentences"] = "sentences"
    model: Annotated[str, pydantic.Field(min_length=1)]
    batch: Annotated[int, pydantic.Field(ge=1)] = 64
    characters: Annotated[int, pydantic.Field(ge=1)] = 4_000
    device: str = "cpu"


class Sentences:
    """A network that was learned elsewhere; see the module."""

    def __init__(self, config: SentencesConfig, network: Any) -> None:  # noqa: ANN401 # of sentence-transformers
        self.config, self._network = config, network

    @classmethod
    def fit(cls, config: SentencesConfig, texts: Sequence[str], seed: int = 0) -> Self:
        """Load the network; nothing is learned from the texts.

        Raises:
            MissingExtraError: sentence-transformers is not installed.
            UsageError: there is no such folder or package, or no model in it.
        """
        return cls(config, _load(config))

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Rows of unit length, float32 (n_texts, dimension); zero where a text is empty or white space."""
        cleaned = [text[: self.config.characters].translate(_SURROGATES).strip() for text in texts]
        distinct = list(dict.fromkeys(text for text in cleaned if text))
        size = int(self._network.get_embedding_dimension() or 0)
        if not distinct:
            return np.zeros((len(cleaned), size), np.float32)
        found = self._network.encode(
            distinct, batch_size=self.config.batch, show_progress_bar=False, convert_to_numpy=True
        )
        rows = np.vstack([np.asarray(found, dtype=np.float32), np.zeros((1, found.shape[1]), np.float32)])
        numbers = {text: number for number, text in enumerate(distinct)}
        return unit_vectors(rows[[numbers.get(text, len(distinct)) for text in cleaned]])

    def arrays(self) -> Arrays:
        """Nothing: the network stays in its folder."""
        return {}

    @classmethod
    def from_arrays(cls, config: SentencesConfig, arrays: Arrays) -> Self:
        """The network, loaded from where the config says."""
        return cls(config, _load(config))


def model_folder(name: str) -> Path:
    """The folder that a config's `model` means.

    Raises:
        UsageError: there is no such folder or package, or no model in it.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        found = _holding_model(folder)
    else:
        module = name.replace("-", "_")
        spec = importlib.util.find_spec(module) if module.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise UsageError(
                "there is no folder and no installed package '{name}' with a sentence encoder. Nothing is downloaded: "
                "name a folder of this machine that holds one.",
                name=name,
            )
        found = next(filter(None, map(_holding_model, map(Path, spec.submodule_search_locations))), None)
    if found is None:
        raise UsageError(
            "'{name}' holds no model: neither modules.json nor config.json is in it. Name the folder of a "
            "sentence-transformers or BERT-type model.",
            name=name,
        )
    return found


def _holding_model(folder: Path) -> Path | None:
    for marker in ("modules.json", "config.json"):
        for depth in ("", "*/", "*/*/"):
            for path in sorted(folder.glob(depth + marker)):
                return path.parent
    return None


@contextmanager
def offline() -> Iterator[None]:
    """Inside, the libraries of the network fetch nothing."""
    before = {name: os.environ.get(name) for name in OFFLINE}
    os.environ.update(OFFLINE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _load(config: SentencesConfig) -> Any:  # noqa: ANN401 # of sentence-transformers
    folder = model_folder(config.model)
    with offline():
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging
        except ImportError:
            raise MissingExtraError(Text("a sentence encoder"), "sentence-transformers", "encoders") from None
        logging.disable_progress_bar()
        try:
            return SentenceTransformer(
                str(folder), device=config.device, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(
                "the sentence encoder in {folder} cannot be loaded ({reason}). Name the folder of a complete model.",
                folder=folder,
                reason=reason,
            ) from None
