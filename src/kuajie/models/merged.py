"""A fitted blend made small and fast for serving: linear members of a mix become one matrix.

For each target and mix, `score(h) = sum_phi phi(h) @ M_phi + base + rest(h)`: one matrix for each way of weighing the
history (usually one), what popularity carries, and the members that are not linear.
"""

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan, per_item
from kuajie.core.space import ItemSpace
from kuajie.models.blend import Blend, BlendConfig, mix_numbers, removal_changes_mix, scoped, without_unknown_rows
from kuajie.models.merging import (
    Floats,
    MergedMix,
    block_arrays,
    block_from_arrays,
    block_rows,
    merge_mix,
    phis_of,
    rest_config,
    rest_of,
)


class MergedConfig(Config):
    """What was merged.

    Attributes:
        blend: the blend it came from.
        top_k: entries kept for each history item where the full matrix is larger than `dense_bytes`.
        dense_bytes: matrices of all targets and mixes together stay full, hence exact, up to this size.
    """

    kind: Literal["merged"] = "merged"
    blend: BlendConfig
    top_k: Annotated[int, pydantic.Field(gt=0)] = 500
    dense_bytes: int = 512 * 2**20


class Merged:
    """See the module; made by `merge`, restored by `from_arrays`."""

    config_type: ClassVar[type[MergedConfig]] = MergedConfig

    def __init__(self, config: MergedConfig) -> None:
        self.config = config
        self.space_: ItemSpace
        self.support_: npt.NDArray[np.float64]
        self.known_: dict[str, npt.NDArray[np.bool_]] = {}
        self.mixes_: dict[str, list[MergedMix]] = {}
        self.rest_: Blend | None = None

    @property
    def contains_histories(self) -> bool:
        """True where a member that could not be merged holds people's rows."""
        return self.rest_ is not None and self.rest_.contains_histories

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """The blend's fit, then one pass over its matrices."""
        inner = Blend(self.config.blend).plan(shape, options)
        return Plan("merge", inner.memory_bytes + self.config.dense_bytes, inner.seconds * 1.2)

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Fit the blend and merge it."""
        self._take(Blend(self.config.blend).fit(interactions, options))
        return self

    def _take(self, blend: Blend) -> None:
        self.space_, self.support_ = blend.space_, blend.support_
        targets = self.config.blend.targets
        self.known_ = {target: blend.known_of(target) for target in targets}
        cells = sum(len(self.config.blend.mixes_of(t)) * self.space_.sizes[self.space_.index(t)] for t in targets)
        top_k = None if 4 * cells * self.space_.n_items <= self.config.dense_bytes else self.config.top_k
        for target in targets:
            self.mixes_[target] = [merge_mix(blend, mix, top_k) for mix in self.config.blend.mixes_of(target)]
        self.rest_ = rest_of(blend)

    def score(self, histories: Histories, target: str) -> Floats:
        """Scores (n_rows, items of the target domain); NaN without training support."""
        part = self.space_.slice(target)
        total = np.zeros((histories.n_rows, part.stop - part.start), dtype=np.float32)
        numbers = self._mix_numbers(histories, target)
        for number in np.unique(numbers):
            rows = np.flatnonzero(numbers == number)
            mix = self.mixes_[target][number]
            total[rows] = mix.score(histories.take(rows), self.space_, target)
        if self.rest_ is not None and target in self.rest_.config.targets:
            total += np.nan_to_num(self.rest_.score(histories, target), copy=False, nan=0.0)
        known = self.known_[target]
        total[:, ~known[part]] = np.nan
        return without_unknown_rows(total, histories, known)

    def _mix_numbers(self, histories: Histories, target: str) -> npt.NDArray[np.int64]:
        return mix_numbers(histories, self.space_.slice(target), self.config.blend.mixes_of(target))

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """Exact terms of the merged members, and what the others say."""
        known = np.unique(histories.items).astype(np.int32)
        mix = self.mixes_[target][int(self._mix_numbers(histories, target)[0])]
        contributions = np.zeros((len(items), len(known)))
        base = mix.base[items].astype(np.float64)
        exact = True
        for phi, block in mix.blocks.items():
            seen = phi.weighing.apply(scoped(histories, self.space_, phi.scope, target), self.space_)
            row = seen.matrix()
            terms = row.data[:, None] * block_rows(block, row.indices)[:, items]
            contributions[:, np.searchsorted(known, row.indices)] += terms.T
            exact &= phi.weighing.half_life_positions is None
        limits = [mix.at_least for mix in self.config.blend.mixes_of(target)]
        exact &= not removal_changes_mix(histories.items, self.space_.slice(target), limits)
        if self.rest_ is not None and target in self.rest_.config.targets:
            rest = self.rest_.explain(histories, target, items)
            contributions += rest.contributions
            base += rest.base
            exact &= rest.exact
        return Explanation(known, contributions, base, exact)

    def arrays(self) -> Arrays:
        """Blocks and bases under numbered names, the support, and the arrays of what was not merged."""
        arrays: Arrays = {"support": self.support_}
        for target, mixes in self.mixes_.items():
            if (self.known_[target] != (self.support_ > 0)).any():
                arrays[f"known.{self.space_.index(target)}"] = self.known_[target].astype(np.uint8)
            for number, mix in enumerate(mixes):
                prefix = f"mix{self.space_.index(target)}.{number}"
                arrays[f"{prefix}.base"] = mix.base
                for place, block in enumerate(mix.blocks.values()):
                    arrays |= block_arrays(f"{prefix}.{place}", block)
        if self.rest_ is not None:
            arrays |= {f"rest.{name}": array for name, array in self.rest_.arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The merged model again."""
        merged = cls(config)  # type: ignore[arg-type]
        merged.space_, merged.support_ = space, np.asarray(arrays["support"], dtype=np.float64)
        for target in merged.config.blend.targets:
            width = space.sizes[space.index(target)]
            known = f"known.{space.index(target)}"
            merged.known_[target] = (
                np.asarray(per_item(arrays, known, space) if known in arrays else merged.support_) > 0
            )
            merged.mixes_[target] = []
            for number, mix in enumerate(merged.config.blend.mixes_of(target)):
                prefix = f"mix{space.index(target)}.{number}"
                phis = phis_of(merged.config.blend, mix)
                blocks = {
                    phi: block_from_arrays(f"{prefix}.{place}", arrays, (space.n_items, width))
                    for place, phi in enumerate(phis)
                }
                merged.mixes_[target].append(MergedMix(blocks, np.asarray(arrays[f"{prefix}.base"], dtype=np.float32)))
        rest = {name.removeprefix("rest."): array for name, array in arrays.items() if name.startswith("rest.")}
        config_of_rest = rest_config(merged.config.blend)
        if config_of_rest is not None:
            merged.rest_ = Blend.from_arrays(config_of_rest, space, rest)
        return merged


def merge(blend: Blend, config: MergedConfig | None = None) -> Merged:
    """Merge a fitted blend."""
    merged = Merged(config or MergedConfig(blend=blend.config))
    if merged.config.blend != blend.config:
        raise UsageError("the merged config must name the blend that is merged")
    merged._take(blend)
    return merged
