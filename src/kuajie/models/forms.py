"""The form in which a linear model keeps its item-to-item matrix: full, its largest entries, or low-rank."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError, UsageError
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.core.space import ItemSpace
from kuajie.models.item_weights import DenseWeights, ItemWeights, SparseWeights

if TYPE_CHECKING:
    from kuajie.numerics.pruning import RowsOf

Form = Literal["dense", "top-k", "low-rank"]
Method = Literal["primal", "dual", "low-rank"]
"""How a linear system is solved: in the space of the items, of the people, or of the largest singular directions."""
Count = Annotated[int, pydantic.Field(ge=1)]
DENSE_ITEMS = 4_000
"""Up to so many items `auto` keeps the full matrix: 64 MB."""


class FormConfig(Config):
    """What is kept of the matrix.

    Attributes:
        form: auto keeps the full matrix of small catalogues, else the largest entries, else a low-rank matrix.
        k: entries of largest size kept for each history item in each domain, where the form is top-k.
        rank: of the low-rank form.
    """

    form: Literal["auto"] | Form = "auto"
    k: Count = 300
    rank: Count = 256

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that may be used, the most exact first."""
        return ("dense", "top-k", "low-rank") if self.form == "auto" else (self.form,)


def kept_form(config: FormConfig, space: ItemSpace) -> Literal["dense", "top-k"]:
    """The form of an exact matrix."""
    if config.form in ("dense", "top-k"):
        return "dense" if config.form == "dense" else "top-k"
    return "dense" if space.n_items <= DENSE_ITEMS else "top-k"


def refuse_low_rank(name: str, config: FormConfig) -> None:
    """Refuse a form that does not follow from sums.

    Raises:
        UsageError: it is low-rank.
    """
    if config.form == "low-rank":
        raise UsageError("the low-rank form of {name} does not follow from sums. Fit it anew.", name=name)


def kept_bytes(config: FormConfig, space: ItemSpace, form: Form) -> int:
    """Memory of the finished matrix, and of the buffers that it is joined from."""
    if form == "dense":
        return 4 * space.n_items**2
    if form == "top-k":
        return 24 * space.n_items * sum(min(config.k, size) for size in space.sizes)
    return 8 * space.n_items * config.rank


def low_rank_plan(config: FormConfig, shape: DataShape, options: FitOptions, parts: int = 1) -> Plan:
    """What the low-rank form needs, for `parts` matrices side by side: passes over the entries, and tall bases."""
    width, threads = config.rank + 16, max(1, min(options.threads, 2))
    sides = sorted((shape.n_people, shape.space.n_items))
    kept = parts * kept_bytes(config, shape.space, "low-rank")
    seconds = width * (2.5e-8 * shape.n_entries + width * (5e-9 * sides[0] + 1e-9 * sides[1]))
    return Plan("low-rank", 40 * shape.n_entries + kept + 12 * width * sum(sides), 0.1 + parts * seconds / threads)


def keep_rows(config: FormConfig, rows_of: "RowsOf", space: ItemSpace, form: Form, threads: int) -> ItemWeights:
    """Make all rows of W, a few at a time, and keep them in the form dense or top-k."""
    from kuajie.numerics.pruning import filled, pruned

    if form == "dense":
        return DenseWeights(filled(rows_of, space.n_items, space.n_items, threads))
    return SparseWeights(pruned(rows_of, space.n_items, space.offsets, config.k, threads))


def refuse_large(name: str, needed: int, options: FitOptions) -> None:
    """Refuse what does not fit before it is made.

    Raises:
        ResourceError: it needs more memory than there is.
    """
    if needed > options.memory_bytes:
        raise ResourceError(
            "{name} needs {needed:.1f} GiB, available are {granted:.1f} GiB. Allow more memory, choose another "
            "form, or leave it out.",
            name=name,
            needed=needed / 2**30,
            granted=options.memory_bytes / 2**30,
        )


def cheapest(name: str, plans: list[Plan], shape: DataShape, options: FitOptions, limit: float = 60.0) -> Plan:
    """The first plan that fits into memory and takes at most `limit` seconds; else the fastest that fits.

    Raises:
        ResourceError: none fits.
    """
    fitting = [plan for plan in plans if plan.memory_bytes <= options.memory_bytes]
    if not fitting:
        least = min(plans, key=lambda plan: plan.memory_bytes)
        raise ResourceError(
            "{name} needs at least {needed:.1f} GiB ({method}) for {n_people:,} people and {n_items:,} "
            "items, available are {granted:.1f} GiB. Choose a smaller k or rank, or allow more memory.",
            name=name,
            needed=least.memory_bytes / 2**30,
            method=least.method,
            n_people=shape.n_people,
            n_items=shape.space.n_items,
            granted=options.memory_bytes / 2**30,
        )
    quick = [plan for plan in fitting if plan.seconds <= limit]
    return quick[0] if quick else min(fitting, key=lambda plan: plan.seconds)


def cheapest_solution(
    name: str, config: FormConfig, plan_of: Callable[[Method], Plan], shape: DataShape, options: FitOptions
) -> Plan:
    """The cheaper of primal and dual; low-rank where neither fits or both would take minutes.

    Raises:
        ResourceError: nothing that the form allows fits.
    """
    exact = [] if config.form == "low-rank" else [plan_of("primal"), plan_of("dual")]
    rest = [plan_of("low-rank")] if config.form in ("auto", "low-rank") else []
    ordered = sorted(exact, key=lambda plan: plan.seconds)
    return cheapest(name, [*ordered, *rest], shape, options, limit=120.0)
