"""How members of a blend become one matrix (used by `merged.py`).

A linear member's matrix, restricted to one target, is what it scores for histories of a single item: the rows of the
identity. So any form of item weights merges, in batches of history items, without being materialised whole.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.histories import Histories
from kuajie.core.recommender import Arrays, Scope
from kuajie.core.space import ItemSpace
from kuajie.models.blend import Blend, BlendConfig, Member, Mix, fit_key, scoped
from kuajie.models.linear import LinearModel
from kuajie.models.popularity import Popularity
from kuajie.models.registry import build, model_class
from kuajie.models.weighing import HistoryWeighing

Floats = npt.NDArray[np.float32]
Block: TypeAlias = Any
"""(n_items, items of the target): full array, or CSR with the largest entries of each row."""

ROWS_AT_A_TIME = 512


@dataclass(frozen=True)
class Phi:
    """One way of weighing histories; the scope matters only where places in the history are counted."""

    weighing: HistoryWeighing
    scope: Scope


@dataclass(frozen=True, eq=False)
class MergedMix:
    """The merged members of one target and mix."""

    blocks: dict[Phi, Block]
    base: Floats

    def score(self, histories: Histories, space: ItemSpace, target: str) -> Floats:
        """`sum_phi phi(h) @ block + base`: (n_rows, items of the target)."""
        total = np.repeat(self.base[None, :], histories.n_rows, axis=0)
        for phi, block in self.blocks.items():
            seen = phi.weighing.apply(scoped(histories, space, phi.scope, target), space)
            if histories.n_rows == 1 and isinstance(block, np.ndarray):
                total[0] += seen.weights @ block[seen.items]
            else:
                product = seen.matrix() @ block
                total += product.toarray() if sparse.issparse(product) else product
        return total


def phi_of(member: Member) -> Phi | None:
    """How a member weighs histories; None if it is not linear, or has a base, which only who is known to it gets."""
    model = build(member.model)
    if not isinstance(model, LinearModel) or (model.has_base):
        return None
    weighing = model.weighing
    return Phi(weighing, member.scope if weighing.half_life_positions is not None else "joint")


def weighted_members(config: BlendConfig, mix: Mix) -> list[Member]:
    """Members with a weight other than 0 in a mix."""
    return [member for member in config.members if mix.weights.get(member.name)]


def phis_of(config: BlendConfig, mix: Mix) -> list[Phi]:
    """The distinct ways of weighing among a mix's linear members, in order."""
    found = (phi_of(member) for member in weighted_members(config, mix))
    return list(dict.fromkeys(phi for phi in found if phi is not None))


def merge_mix(blend: Blend, mix: Mix, top_k: int | None) -> MergedMix:
    """Merge the linear members and popularity of one mix; `top_k` None keeps the full matrix."""
    part = blend.space_.slice(mix.target)
    base = np.zeros(part.stop - part.start, dtype=np.float32)
    groups: dict[Phi, list[tuple[Member, float]]] = {phi: [] for phi in phis_of(blend.config, mix)}
    for member in weighted_members(blend.config, mix):
        coefficient = mix.weights[member.name] / blend.scales_[member.name, mix.target]
        model, phi = blend.fits_[fit_key(member, mix.target)], phi_of(member)
        if isinstance(model, Popularity):
            base += np.float32(coefficient) * np.nan_to_num(model.score(no_history(blend.space_), mix.target)[0])
        elif phi is not None and isinstance(model, LinearModel):
            groups[phi].append((member, coefficient))
    return MergedMix({phi: merged_block(blend, mix.target, group, top_k) for phi, group in groups.items()}, base)


def no_history(space: ItemSpace) -> Histories:
    """One empty history."""
    return Histories.from_lists([[]], space.n_items)


def merged_block(blend: Blend, target: str, group: list[tuple[Member, float]], top_k: int | None) -> Block:
    """`sum_m coefficient_m * W_m[:, target]` of members that weigh histories alike."""
    batches = []
    for start in range(0, blend.space_.n_items, ROWS_AT_A_TIME):
        stop = min(start + ROWS_AT_A_TIME, blend.space_.n_items)
        rows = block_batch(blend, target, group, np.arange(start, stop))
        batches.append(rows if top_k is None else largest(rows, top_k))
    return np.concatenate(batches) if top_k is None else sparse.csr_array(sparse.vstack(batches, format="csr"))


def block_batch(blend: Blend, target: str, group: list[tuple[Member, float]], items: npt.NDArray[np.int64]) -> Floats:
    """Some rows of a merged block."""
    space, part = blend.space_, blend.space_.slice(target)
    inside = (items >= part.start) & (items < part.stop)
    total = np.zeros((len(items), part.stop - part.start), dtype=np.float32)
    for member, coefficient in group:
        visible = {"joint": np.ones(len(items), bool), "target": inside, "source": ~inside}[member.scope]
        model: LinearModel[Any] = blend.fits_[fit_key(member, target)]  # type: ignore[assignment]
        ones = visible.astype(np.float32)
        identity = sparse.csr_array((ones, (np.arange(len(items)), items)), shape=(len(items), space.n_items))
        rows = model.apply(identity, part)
        rows[:, ~model.known_[part]] = 0  # NaN, whatever the matrix says: nothing in a blend
        rows[~model.known_[items]] = 0
        total += np.float32(coefficient) * rows
    return total


def largest(rows: Floats, k: int) -> sparse.csr_array:
    """The k entries of largest size in each row."""
    if rows.shape[1] > k:
        sizes = np.abs(rows)
        limits = np.partition(sizes, rows.shape[1] - k, axis=1)[:, rows.shape[1] - k]
        rows = np.where(sizes >= limits[:, None], rows, np.float32(0))
    return sparse.csr_array(rows)


def rest_config(config: BlendConfig) -> BlendConfig | None:
    """The members that cannot be merged, as a blend of their own; None if there are none."""
    mergeable = {m.name for m in config.members if phi_of(m) is not None or model_class(m.model.kind) is Popularity}
    mixes = [
        Mix(
            target=mix.target,
            at_least=mix.at_least,
            weights={name: weight for name, weight in mix.weights.items() if weight and name not in mergeable},
        )
        for mix in config.mixes
    ]
    targets = {mix.target for mix in mixes if mix.weights}
    if not targets:
        return None
    members = tuple(member for member in config.members if member.name not in mergeable)
    return BlendConfig(members=members, mixes=tuple(mix for mix in mixes if mix.target in targets))


def rest_of(blend: Blend) -> Blend | None:
    """The fitted members that cannot be merged."""
    config = rest_config(blend.config)
    if config is None:
        return None
    rest = Blend(config)
    rest.space_, rest.support_ = blend.space_, blend.support_
    for target in config.targets:
        for member in rest.members_of(target):
            key = fit_key(member, target)
            rest.fits_[key] = blend.fits_[key]
            rest.scales_[member.name, target] = blend.scales_[member.name, target]
    return rest


def block_rows(block: Block, rows: npt.NDArray[np.integer]) -> Floats:
    """Some rows of a block, full."""
    chosen = block[rows]
    return np.asarray(chosen.toarray() if sparse.issparse(chosen) else chosen, dtype=np.float32)


def block_arrays(prefix: str, block: Block) -> Arrays:
    """A block as named arrays."""
    if isinstance(block, np.ndarray):
        return {f"{prefix}.dense": block}
    return {
        f"{prefix}.data": block.data.astype(np.float32),
        f"{prefix}.indices": block.indices.astype(np.int32),
        f"{prefix}.indptr": block.indptr.astype(np.int64),
    }


def block_from_arrays(prefix: str, arrays: Arrays, shape: tuple[int, int]) -> Block:
    """The block again."""
    if f"{prefix}.dense" in arrays:
        return np.asarray(arrays[f"{prefix}.dense"], dtype=np.float32)
    parts = tuple(arrays[f"{prefix}.{name}"] for name in ("data", "indices", "indptr"))
    block = sparse.csr_array(parts, shape=shape)
    block.check_format(full_check=True)  # an index outside would read foreign memory
    return block
