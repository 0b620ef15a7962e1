"""How every kernel is compiled: without the GIL, cached on disk. Importing this imports numba (about a second)."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., Any])

# the types of arrays that kernels take
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
Bools = npt.NDArray[np.bool_]


def kernel(function: F) -> F:
    """Compile at the first call. Sums may be reassociated (SIMD), NaN and infinity keep their meaning."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder that the cache could be written to: compile in every process
        return numba.njit(**options)(function)  # type: ignore[no-any-return]


def start_compiler() -> None:
    """Let numba load what it needs before any kernel; processes that are forked afterwards share those 25 MB."""
    kernel(_nothing)()


def _nothing() -> None:
    """The smallest kernel."""
