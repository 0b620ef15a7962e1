"""What a run of load gave: answers by status, latencies of what was answered 200, second by second."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

SERVED = 200


def quantile(ordered: list[float], share: float) -> float:
    """The smallest value that so many are not above; NaN of nothing."""
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclass
class Tally:
    """Counts answers while they come.

    Attributes:
        start: when the run began.
    """

    start: float
    statuses: Counter[int] = field(default_factory=Counter)
    served: list[tuple[float, float]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def add(self, status: int, due: float, at: float) -> None:
        """One answer to what should have been sent at `due`."""
        self.statuses[status] += 1
        if status == SERVED:
            self.served.append((at - self.start, at - due))
        else:
            self.refused.append(at - due)

    def result(self, seconds: float) -> dict[str, Any]:
        """All of it; times in milliseconds, counted from when a request should have been sent.

        Late answers count as latency, but not as goodput.
        """
        times = sorted(took for _, took in self.served)
        timeline: list[dict[str, float]] = []
        for second in range(math.ceil(seconds)):
            own = sorted(took for at, took in self.served if second <= at < second + 1)
            timeline.append({"served": len(own), "p99_ms": round(1_000 * quantile(own, 0.99), 2) if own else 0.0})
        return {
            "seconds": round(seconds, 3),
            "requests": sum(self.statuses.values()),
            "served_per_second": round(sum(at <= seconds for at, _ in self.served) / seconds, 1),
            "statuses": {str(status): number for status, number in sorted(self.statuses.items())},
            "p50_ms": round(1_000 * quantile(times, 0.5), 2),
            "p99_ms": round(1_000 * quantile(times, 0.99), 2),
            "max_ms": round(1_000 * times[-1], 2) if times else math.nan,
            "refused_p99_ms": round(1_000 * quantile(sorted(self.refused), 0.99), 2),
            "timeline": timeline,
        }
