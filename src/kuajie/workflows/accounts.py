"""Accounts: which of them are one person, by the snapshot and by what the store has heard since."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kuajie.core.errors import UsageError
from kuajie.core.records import Account, Link
from kuajie.data.config import IdentityConfig
from kuajie.data.dataset import JointDataset
from kuajie.workflows.stores import Store

MOST_ACCOUNTS = 64
"""Of one person; links that join more are not believed."""


@dataclass(frozen=True, eq=False)
class Accounts:
    """Who is who.

    Attributes:
        dataset: the snapshot.
        store: has links that came later.
        identity: the rules.
        domains: of the workspace, also those that the snapshot knows nothing of yet.
    """

    dataset: JointDataset
    store: Store
    identity: IdentityConfig
    domains: tuple[str, ...]

    def alike(self, account: Account) -> list[Account]:
        """The accounts of the person by the snapshot, and those of equal ids where these say who is who."""
        own = self.in_snapshot([account])
        if self.identity.method == "shared":
            own = list(dict.fromkeys([*own, *self._in_domains(account.user)]))
        return own

    def with_answering(self, own: Sequence[Account]) -> list[Account]:
        """The accounts, and the names under which their answers are kept elsewhere."""
        return [*own, *(each for known in own for each in self._answering(known))]

    def _in_domains(self, user: str) -> list[Account]:
        return [Account(domain=domain, user=user) for domain in self.domains]

    def _answering(self, account: Account) -> list[Account]:
        """Under which names answers to what the account was shown of other domains are kept."""
        if self.identity.method == "shared":
            return []
        others = (domain for domain in self.domains if domain != account.domain)
        return [Account(domain=domain, user=answering_user(account)) for domain in others]

    def row(self, account: Account) -> int | None:
        """The person of an account in the snapshot."""
        try:
            return self.dataset.person_of(account)
        except UsageError:
            return None

    def in_snapshot(self, accounts: Iterable[Account]) -> list[Account]:
        """The accounts, and those that the snapshot says are the same people."""
        found: dict[Account, None] = {}
        for account in accounts:
            found[account] = None
            person = self.row(account)
            if person is not None:
                found.update(dict.fromkeys(self.dataset.accounts_of(person)))
        return list(found)

    def linked(self, start: list[Account], now: datetime) -> tuple[list[Account], list[Link]]:
        """Joined by one-to-one links of the store, as the import joins; what cannot be told for sure is not joined."""
        reached, links = start, list[Link]()
        while True:
            links = [link for link in self.store.catalogue.links_of(reached) if self.joins(link, now)]
            ends = self.in_snapshot(dict.fromkeys([*reached, *(end for link in links for end in (link.a, link.b))]))
            if len(ends) > MOST_ACCOUNTS:
                return start, links
            if len(ends) == len(reached):
                break
            reached = ends
        merged = merge(start, links, self.in_snapshot)
        return merged if len({each.domain for each in merged}) == len(merged) else start, links

    def joins(self, link: Link, now: datetime) -> bool:
        """Whether a link is believed now."""
        valid = link.expires_at is None or now < link.expires_at
        return valid and link.confidence >= self.identity.min_confidence and link.a.domain != link.b.domain


def merge(
    start: Sequence[Account], links: Sequence[Link], snapshot: Callable[[Iterable[Account]], list[Account]]
) -> list[Account]:
    """The accounts that one-to-one links join to some: neither end has a second link into the other's domain."""
    ends = [(link.a, link.b.domain) for link in links] + [(link.b, link.a.domain) for link in links]
    single = {
        (link.a, link.b)
        for link in links
        if ends.count((link.a, link.b.domain)) == 1 and ends.count((link.b, link.a.domain)) == 1
    }
    found = list(start)
    for account in found:  # grows
        for a, b in single:
            if account in {a, b}:
                found += [each for each in snapshot([a, b]) if each not in found]
    return found


def answering_user(account: Account) -> str:
    """The user of another domain that an account's answers are kept under while it has no account there."""
    return f"{account.domain}:{account.user}"
