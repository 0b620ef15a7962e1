"""kuajie: recommendation across the catalogues of two companies.

Everything in `__all__` is loaded when it is first used, so that `import kuajie` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kuajie.api import (
        Workspace,
        benchmark,
        evaluate,
        import_data,
        loop_once,
        open_server,
        profile,
        recommend,
        refit,
        rising,
        search,
        segment_people,
        tradeoff,
        train,
        tune,
    )
    from kuajie.core.errors import KuajieError

__version__ = "0.1.0"

__all__ = [
    "KuajieError",
    "Workspace",
    "__version__",
    "benchmark",
    "evaluate",
    "import_data",
    "loop_once",
    "open_server",
    "profile",
    "recommend",
    "refit",
    "rising",
    "search",
    "segment_people",
    "tradeoff",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 # PEP 562
    if name not in __all__:
        raise AttributeError(f"module 'kuajie' has no attribute '{name}'")
    value = getattr(import_module("kuajie.core.errors" if name == "KuajieError" else "kuajie.api"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
