"""Random numbers inside kernels: a stream of its own for each list, so that results depend on nothing but its seed.

Source: SplitMix64 of Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA; gamma
variates by Marsaglia and Tsang (2000), "A simple method for generating gamma variables", ACM TOMS 26.
"""

import numpy as np
import numpy.typing as npt

from kuajie.numerics.jit import F64, kernel

U64 = npt.NDArray[np.uint64]


@kernel
def uniform(state: U64) -> float:
    """A number in (0, 1); `state` (1,) moves on."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (float(z >> np.uint64(11)) + 0.5) / 9007199254740992.0


@kernel
def normal(state: U64) -> float:
    """A standard normal number (Box and Muller)."""
    radius = np.sqrt(-2.0 * np.log(uniform(state)))
    return float(radius * np.cos(2.0 * np.pi * uniform(state)))


@kernel
def gamma(shape: float, state: U64) -> float:
    """A gamma variate of scale 1; shape > 0."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(state) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and np.log(uniform(state)) < 0.5 * x * x + d - d * v + d * np.log(v):
            return float(boost * d * v)


@kernel
def beta(a: float, b: float, state: U64) -> float:
    """A beta variate; a, b > 0."""
    x, y = gamma(a, state), gamma(b, state)
    return float(x / (x + y)) if x + y > 0 else 0.5


@kernel
def shuffle(values: npt.NDArray[np.int32], n: int, state: U64) -> None:
    """Put the first n values in a uniformly random order (Fisher and Yates)."""
    for last in range(n - 1, 0, -1):
        other = int(uniform(state) * (last + 1))
        values[last], values[other] = values[other], values[last]


def seeded(seed: int) -> U64:
    """A state for `uniform` and its kin."""
    return np.array([seed], np.uint64)


def betas(a: F64, b: F64, seed: int) -> F64:
    """One beta variate for each pair of parameters: (n,)."""
    values = np.empty(len(a))
    _betas(np.asarray(a, np.float64), np.asarray(b, np.float64), seeded(seed), values)
    return values


@kernel
def _betas(a: F64, b: F64, state: U64, values: F64) -> None:
    for place in range(len(values)):
        values[place] = beta(a[place], b[place], state)
