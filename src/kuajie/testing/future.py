"""The kit's proof that nothing knows the future: what comes later is changed, and what was said before must stay."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from kuajie.core.histories import Interactions

Rows = dict[tuple[int, int, float], np.ndarray[Any, Any]]
"""(person, item, time) of what was used -> what was known of its candidates before."""


def assert_no_future(
    known_before: Callable[[Interactions, float], Rows], interactions: Interactions, cut: float
) -> int:
    """Change everything after each of some moments, in several ways; rows that were asked before must stay the same.

    Args:
        known_before: features of what is used from `cut` on, learned from the interactions.
        interactions: with times.
        cut: unix seconds.

    Returns:
        how many rows were compared.

    Raises:
        AssertionError: a row changed.
    """
    wanted = known_before(interactions, cut)
    moments = np.quantile([time for _, _, time in wanted], [0.0, 0.3, 0.7])
    compared = 0
    for moment in moments.tolist():
        for changed in (_without(interactions, moment), _other_items(interactions, moment)):
            found = known_before(changed, cut)
            for key, features in wanted.items():
                if key[2] <= moment and key in found:
                    np.testing.assert_array_equal(found[key], features, err_msg=str(key))
                    compared += 1
    return compared


def _after(interactions: Interactions, moment: float) -> np.ndarray[Any, Any]:
    times = interactions.histories.times
    assert times is not None
    return times > moment


def _without(interactions: Interactions, moment: float) -> Interactions:
    return replace(interactions, histories=interactions.histories.keep(~_after(interactions, moment)))


def _other_items(interactions: Interactions, moment: float) -> Interactions:
    """Everything after the moment is of the first item instead, and heavier."""
    histories, later = interactions.histories, _after(interactions, moment)
    items = np.where(later, np.int32(0), histories.items).astype(np.int32)
    weights = np.where(later, np.float32(9), histories.weights).astype(np.float32)
    return replace(interactions, histories=replace(histories, items=items, weights=weights))
