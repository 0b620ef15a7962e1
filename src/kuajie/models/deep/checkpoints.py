"""The best and the latest epoch of a training, in memory and as safetensors in a folder.

best.safetensors    the network after its best epoch
last.safetensors    the network after its latest epoch, the optimizers' moments, and where the loop stood
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from kuajie.core.config import Config
from kuajie.core.errors import ArtifactError
from kuajie.core.files import write_file
from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.side import SideInformation

State = dict[str, torch.Tensor]
Array = npt.NDArray[Any]


class Stand:
    """Where the loop stands, and the network after its best epoch so far.

    Attributes:
        epoch: epochs done.
        waited: validations since the best one.
        best: its metric.
        kept: the network's state then; None where nothing was validated.
    """

    def __init__(self, network: nn.Module, metric: float | None = None) -> None:
        self.network = network
        self.epoch, self.waited, self.best = 0, 0, -math.inf if metric is None else metric
        self.kept: State | None = None if metric is None else copied(network)

    def see(self, metric: float | None) -> None:
        """One more epoch is done."""
        self.epoch += 1
        if metric is None:
            return
        if metric > self.best:
            self.best, self.waited, self.kept = metric, 0, copied(self.network)
        else:
            self.waited += 1

    def restore(self) -> None:
        """The network as it was after its best epoch."""
        if self.kept is not None:
            self.network.load_state_dict(self.kept)


class Checkpoints:
    """A folder of one training."""

    def __init__(self, folder: Path) -> None:
        self.best, self.last = folder / "best.safetensors", folder / "last.safetensors"
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, stand: Stand, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Keep an epoch."""
        if stand.waited == 0 and stand.kept is not None:
            write_file(self.best, save(stand.kept))
        state = {f"network.{name}": tensor for name, tensor in copied(stand.network).items()}
        for number, optimizer in enumerate(optimizers):
            for place, moments in optimizer.state_dict()["state"].items():
                state |= {f"optimizer.{number}.{place}.{key}": value for key, value in moments.items()}
        counts = torch.tensor([stand.epoch, stand.waited, stand.best], dtype=torch.float64)
        write_file(self.last, save(state | {"stand": counts}))

    def resume(self, stand: Stand, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Go on where the folder's training stopped; with an empty folder nothing changes.

        Raises:
            ArtifactError: a file is damaged.
        """
        if not self.last.exists():
            return
        try:
            state = load_file(self.last)
            stand.network.load_state_dict(part(state, "network."))
            for number, optimizer in enumerate(optimizers):
                moments: dict[int, State] = {}
                for name, tensor in part(state, f"optimizer.{number}.").items():
                    place, key = name.split(".")
                    moments.setdefault(int(place), {})[key] = tensor
                optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
            counts = state["stand"].tolist()
            stand.epoch, stand.waited, stand.best = int(counts[0]), int(counts[1]), counts[2]
            stand.kept = load_file(self.best) if self.best.exists() else None
        except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
            raise ArtifactError(
                "the checkpoint {path} cannot be read: {problem}. Delete its folder and train again.",
                path=self.last,
                problem=str(error).splitlines()[0],
            ) from None


def checkpoints_of(config: Config, interactions: Interactions, options: FitOptions) -> Checkpoints | None:
    """The folder of one model on one set of data with one seed, below the folder of the options."""
    if options.checkpoints is None:
        return None
    histories, space = interactions.histories, interactions.space
    words: list[str] = [config.model_dump_json(), histories.order, *space.domains]
    arrays: list[Array] = [np.array([options.seed, *space.sizes]), histories.indptr, histories.items, histories.weights]
    arrays += [np.zeros(0) if given is None else given for given in (histories.times, histories.at)]
    digest = digest_of([*words, *arrays, *(() if interactions.side is None else said_of(interactions.side))])
    kind: str = config.kind  # type: ignore[attr-defined]
    return Checkpoints(options.checkpoints / f"{kind}-{digest[:16]}")


def said_of(side: SideInformation) -> Iterator[str | Array]:
    """All that side information holds, with the names of its parts."""
    for field, texts in sorted(side.texts.items()):
        yield from (field, *texts)
    for field, labels in sorted(side.labels.items()):
        yield from (field, *labels.names)
        yield from (labels.matrix.indptr, labels.matrix.indices)
    for field, numbers in sorted(side.numbers.items()):
        yield f"number {field}"
        yield numbers
    for field, vectors in sorted(side.vectors.items()):
        yield f"vector {field}"
        yield vectors
    if side.graph is not None:
        yield from ("graph", *side.graph.entities, *side.graph.relations)
        yield from (side.graph.heads, side.graph.kinds, side.graph.tails)


def digest_of(parts: Iterable[str | Array]) -> str:
    """SHA-256 of words and arrays in a row; each says how long it is, so that no two rows of parts look alike."""
    digest = hashlib.sha256()
    for each in parts:
        data = each.encode() if isinstance(each, str) else np.ascontiguousarray(each).tobytes()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def copied(network: nn.Module) -> State:
    """A network's state, on the CPU and apart from it."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in network.state_dict().items()}


def part(state: State, prefix: str) -> State:
    """The entries below a prefix, under the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
