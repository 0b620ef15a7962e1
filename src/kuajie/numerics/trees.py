"""Sums of decision trees as plain arrays: what a boosted ensemble is once it is learned.

A node sends a value left where `value <= threshold`; what is not known (NaN) goes where learning found it best. Sums
run over the trees in order and in float64, so that they equal those of the library that grew the trees to the last bit.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import ArtifactError
from kuajie.core.recommender import Arrays, stored
from kuajie.numerics.jit import F32, F64, I32, kernel
from kuajie.numerics.threads import run_blocks

ROWS_FOR_A_THREAD = 4_096


@dataclass(frozen=True, eq=False)
class Trees:
    """Binary trees, their nodes one after the other.

    Attributes:
        roots: int32 (n_trees,), the first node of each tree; ~leaf where a tree is a single leaf.
        features: int32 (n_nodes,), the column that a node looks at.
        thresholds: float64 (n_nodes,).
        unknown: uint8 (n_nodes,), where NaN goes: 0 it counts as zero, 1 left, 2 right.
        left, right: int32 (n_nodes,), a later node, or ~leaf.
        leaves: float64 (n_leaves,), what a row gets.
        n_features: columns of the rows.
    """

    roots: I32
    features: I32
    thresholds: F64
    unknown: npt.NDArray[np.uint8]
    left: I32
    right: I32
    leaves: F64
    n_features: int

    def predict(self, rows: F32, threads: int = 1) -> F64:
        """The sum of the leaves of each row.

        Args:
            rows: float32 (n, n_features), NaN where unknown.
            threads: how many threads.
        """
        total = np.zeros(len(rows))
        rows = np.ascontiguousarray(rows, dtype=np.float32)

        def work(low: int, high: int) -> None:
            _sum_leaves(
                low, high, rows, self.roots, self.features, self.thresholds, self.unknown, self.left, self.right,
                self.leaves, total,
            )  # fmt: skip

        run_blocks(work, len(rows), threads, ROWS_FOR_A_THREAD)
        return total

    def arrays(self) -> Arrays:
        """All of it by name."""
        return {
            "roots": self.roots,
            "features": self.features,
            "thresholds": self.thresholds,
            "unknown": self.unknown,
            "left": self.left,
            "right": self.right,
            "leaves": self.leaves,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, n_features: int) -> Self:
        """The trees again.

        Raises:
            ArtifactError: they are incomplete, look at columns that are not there, or do not end.
        """
        features = stored(arrays, "features", (-1,)).astype(np.int32)
        per_node = (len(features),)
        left, right = (stored(arrays, name, per_node).astype(np.int32) for name in ("left", "right"))
        roots = stored(arrays, "roots", (-1,)).astype(np.int32)
        leaves = stored(arrays, "leaves", (-1,)).astype(np.float64)
        unknown = stored(arrays, "unknown", per_node).astype(np.uint8)
        nodes = np.arange(len(features))
        children = np.concatenate([left, right])
        after = np.where(children >= 0, children > np.concatenate([nodes, nodes]), True)
        ends = np.concatenate([children, roots])
        inside = np.where(ends >= 0, ends < len(features), ~ends < len(leaves))
        if not (after.all() and inside.all() and (unknown <= 2).all() and _within(features, n_features)):
            raise ArtifactError("the stored trees are not trees over {count} features. Train again.", count=n_features)
        thresholds = stored(arrays, "thresholds", per_node).astype(np.float64)
        return cls(roots, features, thresholds, unknown, left, right, leaves, n_features)


def _within(features: I32, n_features: int) -> bool:
    return bool(((features >= 0) & (features < n_features)).all())


@kernel
def _sum_leaves(
    low: int,
    high: int,
    rows: F32,
    roots: I32,
    features: I32,
    thresholds: F64,
    unknown: npt.NDArray[np.uint8],
    left: I32,
    right: I32,
    leaves: F64,
    total: F64,
) -> None:
    for row in range(low, high):
        for tree in range(len(roots)):
            node = roots[tree]
            while node >= 0:
                value = np.float64(rows[row, features[node]])
                if np.isnan(value):
                    if unknown[node] == 0:
                        node = left[node] if thresholds[node] >= 0.0 else right[node]
                    else:
                        node = left[node] if unknown[node] == 1 else right[node]
                else:
                    node = left[node] if value <= thresholds[node] else right[node]
            total[row] += leaves[~node]
