"""The joint item space: every domain is a slice of one numbering."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kuajie.core.errors import UsageError


@dataclass(frozen=True)
class ItemSpace:
    """Item numbers 0..n_items-1, domain after domain.

    Attributes:
        domains: names, in the order of their slices.
        sizes: number of items of each domain.
    """

    domains: tuple[str, ...]
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.domains) != len(self.sizes) or len(set(self.domains)) != len(self.domains):
            raise UsageError(
                "domains must be distinct names with one size each, got {domains} {sizes}",
                domains=self.domains,
                sizes=self.sizes,
            )

    @property
    def n_items(self) -> int:
        """Items of all domains together."""
        return sum(self.sizes)

    @property
    def offsets(self) -> np.ndarray:
        """Start of each domain's slice, and the end of the last: int64, (n_domains + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    def index(self, domain: str) -> int:
        """Position of a domain.

        Raises:
            UsageError: no such domain.
        """
        if domain not in self.domains:
            raise UsageError(
                "there is no domain '{domain}'; the domains are {known}", domain=domain, known=", ".join(self.domains)
            )
        return self.domains.index(domain)

    def slice(self, domain: str) -> slice:
        """The item numbers of one domain."""
        number = self.index(domain)
        start = sum(self.sizes[:number])
        return slice(start, start + self.sizes[number])

    def domain_of(self, items: np.ndarray) -> np.ndarray:
        """Domain index of each item number: int64, same shape."""
        return np.searchsorted(self.offsets, items, side="right") - 1

    def others(self, domain: str) -> Sequence[str]:
        """All domains but this one."""
        self.index(domain)
        return [name for name in self.domains if name != domain]
