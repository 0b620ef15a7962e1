"""Embeddings of entities and relations, trained so that true triples lie nearer than corrupted ones.

    TransE   d(h, r, t) = || h + r - t ||_2                              real vectors
    RotatE   d(h, r, t) = sum_k | h_k e^(i theta_rk) - t_k |             complex vectors, phases theta
    loss     = - log sigma(gamma - d(true)) - mean_n log sigma(d(corrupted_n) - gamma)

Steps are those of AdaGrad, one triple at a time in one thread, so a seed decides everything.

Sources: Bordes et al. 2013, "Translating embeddings for modeling multi-relational data" (TransE); Sun et al. 2019,
"RotatE: knowledge graph embedding by relational rotation in complex space", eq. 4 (rotation) and eq. 5 (the loss, here
with equal weights of the negatives).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kuajie.numerics.jit import F32, I32, I64, Bools, kernel

Geometry = Literal["translation", "rotation"]


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes:
        geometry: translation (TransE) or rotation (RotatE).
        dimension: real numbers of each entity; even for rotation.
        margin: gamma.
        rate: of AdaGrad.
        negatives: corrupted triples for each true one.
        epochs: passes over all triples.
    """

    geometry: Geometry = "translation"
    dimension: int = 64
    margin: float = 6.0
    rate: float = 0.1
    negatives: int = 4
    epochs: int = 50


@dataclass(frozen=True, eq=False)
class Embedding:
    """What was learned: float32 (n_entities, dimension), and (n_relations, dimension or half of it for phases)."""

    entities: F32
    relations: F32


def train(heads: I32, kinds: I32, tails: I32, n_entities: int, n_relations: int, how: Training, seed: int) -> Embedding:
    """Train on triples; no triples give random vectors.

    Args:
        heads: int32 (n_triples,).
        kinds: relation of each.
        tails: of each.
        n_entities: how many there are.
        n_relations: how many there are.
        how: to train.
        seed: of the start, the order and the negatives.
    """
    rng = np.random.default_rng(seed)
    rotation, n_triples = how.geometry == "rotation", len(heads)
    width = how.dimension // 2 if rotation else how.dimension
    size = 1 / math.sqrt(how.dimension)
    entities = rng.normal(0, size, (n_entities, how.dimension)).astype(np.float32)
    start = (
        rng.uniform(-math.pi, math.pi, (n_relations, width)) if rotation else rng.normal(0, size, (n_relations, width))
    )
    relations: F32 = start.astype(np.float32)
    entity_sums, relation_sums = np.zeros_like(entities), np.zeros_like(relations)
    for _ in range(how.epochs if n_triples else 0):
        order = rng.permutation(n_triples)
        corrupted = rng.integers(0, n_entities, (n_triples, how.negatives), dtype=np.int32)
        at_head = rng.random((n_triples, how.negatives)) < 0.5
        _epoch(
            order, heads, kinds, tails, corrupted, at_head, rotation, how.margin, how.rate,
            entities, relations, entity_sums, relation_sums,
        )  # fmt: skip
    return Embedding(entities, relations)


@kernel
def gradient(
    rotation: bool, head: F32, relation: F32, tail: F32, by_head: F32, by_relation: F32, by_tail: F32
) -> float:
    """The distance of one triple, and its derivatives."""
    if not rotation:
        total = 0.0
        for k in range(len(head)):
            gap = head[k] + relation[k] - tail[k]
            by_head[k] = gap
            total += gap * gap
        distance = math.sqrt(total) + 1e-9
        for k in range(len(head)):
            by_head[k] /= distance
            by_relation[k] = by_head[k]
            by_tail[k] = -by_head[k]
        return distance
    half, distance = len(relation), 0.0
    for k in range(half):
        cosine, sine = math.cos(relation[k]), math.sin(relation[k])
        real = head[k] * cosine - head[half + k] * sine
        imaginary = head[k] * sine + head[half + k] * cosine
        gap, other = real - tail[k], imaginary - tail[half + k]
        length = math.sqrt(gap * gap + other * other) + 1e-9
        distance += length
        gap, other = gap / length, other / length
        by_head[k] = gap * cosine + other * sine
        by_head[half + k] = other * cosine - gap * sine
        by_tail[k], by_tail[half + k] = -gap, -other
        by_relation[k] = other * real - gap * imaginary
    return distance


@kernel
def _descend(values: F32, sums: F32, slope: float, by: F32, rate: float) -> None:
    for k in range(len(values)):
        change = slope * by[k]
        sums[k] += change * change
        values[k] -= rate * change / (math.sqrt(sums[k]) + 1e-6)


@kernel
def _epoch(
    order: I64,
    heads: I32,
    kinds: I32,
    tails: I32,
    corrupted: I32,
    at_head: Bools,
    rotation: bool,
    margin: float,
    rate: float,
    entities: F32,
    relations: F32,
    entity_sums: F32,
    relation_sums: F32,
) -> None:
    by_head = np.empty(entities.shape[1], np.float32)
    by_tail = np.empty(entities.shape[1], np.float32)
    by_relation = np.empty(relations.shape[1], np.float32)
    n_negatives = corrupted.shape[1]
    for triple in order:
        kind = kinds[triple]
        for number in range(-1, n_negatives):
            head, tail = heads[triple], tails[triple]
            if number >= 0:
                if at_head[triple, number]:
                    head = corrupted[triple, number]
                else:
                    tail = corrupted[triple, number]
                if head == heads[triple] and tail == tails[triple]:
                    continue
            distance = gradient(
                rotation, entities[head], relations[kind], entities[tail], by_head, by_relation, by_tail
            )
            if number < 0:
                slope = 1 / (1 + math.exp(margin - distance))
            else:
                slope = -1 / (1 + math.exp(distance - margin)) / n_negatives
            _descend(entities[head], entity_sums[head], slope, by_head, rate)
            _descend(entities[tail], entity_sums[tail], slope, by_tail, rate)
            _descend(relations[kind], relation_sums[kind], slope, by_relation, rate)
