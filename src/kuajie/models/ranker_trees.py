"""Learning to rank: LambdaMART on groups of candidates, by LightGBM, kept as plain arrays.

Source: Burges 2010, "From RankNet to LambdaRank to LambdaMART: an overview", section 7; Ke et al. 2017, "LightGBM: a
highly efficient gradient boosting decision tree".
"""

import math
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from kuajie.core.errors import MissingExtraError, UsageError
from kuajie.core.recommender import FitOptions
from kuajie.core.texts import Text
from kuajie.numerics.jit import F32, I64
from kuajie.numerics.trees import Trees

MISSING_IS_NAN, DEFAULT_LEFT, CATEGORICAL = 2, 2, 1
"""Of the bits of LightGBM's `decision_type`: bits 2 and 3 hold the kind of missing values, bit 1 where they go."""


@dataclass(frozen=True)
class Boosting:
    """How trees are grown.

    Attributes:
        rounds: trees at most.
        leaves: of a tree at most.
        learning_rate: of each tree.
        least_rows: of a leaf.
        patience: rounds without a better NDCG on held-out groups after which it ends.
        k: NDCG@k is what is raised.
    """

    rounds: int = 200
    leaves: int = 31
    learning_rate: float = 0.1
    least_rows: int = 50
    patience: int = 20
    k: int = 10


@dataclass(frozen=True, eq=False)
class Groups:
    """Candidates with what is known of them, group after group.

    Attributes:
        rows: float32 (n, n_features), NaN where unknown.
        relevant: bool (n,), what was really used.
        sizes: int64 (n_groups,), candidates of each group.
    """

    rows: F32
    relevant: np.ndarray[Any, np.dtype[np.bool_]]
    sizes: I64

    def take(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> "Groups":
        """Some groups, by mask."""
        rows = np.repeat(chosen, self.sizes)
        return Groups(self.rows[rows], self.relevant[rows], self.sizes[chosen])


def grow(train: Groups, held_out: Groups, boosting: Boosting, options: FitOptions) -> Trees:
    """Grow trees on groups, until held-out groups gain no more.

    Raises:
        MissingExtraError: LightGBM is not installed.
    """
    lightgbm = lightgbm_or_refuse()
    parameters = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [boosting.k],
        "lambdarank_truncation_level": 2 * boosting.k,
        "num_leaves": boosting.leaves,
        "learning_rate": boosting.learning_rate,
        "min_data_in_leaf": boosting.least_rows,
        "max_bin": 63,
        "seed": options.seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": max(1, options.threads),
        "verbosity": -1,
    }
    data = lightgbm.Dataset(train.rows, train.relevant.astype(np.int32), group=train.sizes, params=parameters)
    asked = lightgbm.Dataset(
        held_out.rows, held_out.relevant.astype(np.int32), group=held_out.sizes, reference=data, params=parameters
    )
    stop = lightgbm.early_stopping(boosting.patience, verbose=False)
    booster = lightgbm.train(parameters, data, boosting.rounds, valid_sets=[asked], callbacks=[stop])
    return trees_of(booster.model_to_string(num_iteration=booster.best_iteration), train.rows.shape[1])


def lightgbm_or_refuse() -> ModuleType:
    """The library that grows trees; it is not needed for what is grown.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import lightgbm
    except ImportError:
        raise MissingExtraError(Text("the ranker"), "lightgbm", "ml") from None
    return lightgbm


def trees_of(text: str, n_features: int) -> Trees:
    """Trees from LightGBM's plain-text model, whose numbers are exact.

    Raises:
        UsageError: it splits on categories, which are not read here.
    """
    roots: list[int] = []
    columns: dict[str, list[float]] = {name: [] for name in ("features", "thresholds", "unknown", "left", "right")}
    leaves: list[float] = []
    for block in text.split("\nTree=")[1:]:
        said = dict(line.split("=", 1) for line in block.split("\n\n")[0].splitlines() if "=" in line)
        first, first_leaf = len(columns["features"]), len(leaves)
        leaves += [float(value) for value in said["leaf_value"].split()]
        split = said.get("split_feature", "").split() if said["num_leaves"] != "1" else []
        roots.append(first if split else ~first_leaf)
        if not split:
            continue
        kinds = [int(value) for value in said["decision_type"].split()]
        if any(kind & CATEGORICAL for kind in kinds):
            raise UsageError("the trees split on categories; only numbers are read")
        columns["features"] += [int(value) for value in split]
        # the largest float stands for "every number goes left", which no finite array could hold otherwise
        columns["thresholds"] += [_finite(float(value)) for value in said["threshold"].split()]
        columns["unknown"] += [_unknown(kind) for kind in kinds]
        for name in ("left", "right"):
            children = [int(value) for value in said[f"{name}_child"].split()]
            columns[name] += [child + first if child >= 0 else ~(~child + first_leaf) for child in children]
    return Trees(
        np.array(roots, np.int32),
        np.array(columns["features"], np.int32),
        np.array(columns["thresholds"], np.float64),
        np.array(columns["unknown"], np.uint8),
        np.array(columns["left"], np.int32),
        np.array(columns["right"], np.int32),
        np.array(leaves, np.float64),
        n_features,
    )


def _finite(value: float) -> float:
    return math.copysign(np.finfo(np.float64).max, value) if math.isinf(value) else value


def _unknown(kind: int) -> int:
    if (kind >> 2) & 3 != MISSING_IS_NAN:
        return 0
    return 1 if kind & DEFAULT_LEFT else 2
