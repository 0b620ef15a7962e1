"""A snapshot in memory: training data for models, and the history of any account."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from kuajie.core import columns as c
from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories, Interactions, Order
from kuajie.core.records import Account
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.data import snapshot as snapshots
from kuajie.data.catalog import Catalog
from kuajie.data.config import StrengthConfig
from kuajie.data.entries import Numbers, Weighed, histories, slices, starts_of
from kuajie.data.event_columns import read_columns
from kuajie.data.identity import BORROWER, LENDER
from kuajie.data.kinds import DECLARED, TRIPLES
from kuajie.data.side import side_of
from kuajie.data.snapshot import SnapshotFolder, open_snapshot
from kuajie.data.strength import Events, counted, strength

FEW = 50  # accounts below which looking each up is faster than a join
BLOCK = 5_000  # people whose events are counted at once: what that takes should not stay with a process
TIMED_ENOUGH = 0.5  # share of events with a time that every domain needs for one order over all


@dataclass(frozen=True, eq=False)
class JointDataset:
    """Everything of a snapshot that fitting, evaluating and recommending need.

    Attributes:
        snapshot: whence it comes.
        catalog: all items.
        strength: how much an event says.
        accounts: domain, user, person, events, flag; by user and domain.
        events: of all people; `row` is the person.
        account: int32 (n_events,), whose each event is.
    """

    snapshot: SnapshotFolder
    catalog: Catalog
    strength: StrengthConfig
    accounts: pl.DataFrame
    events: Events
    account: npt.NDArray[np.int32]

    @classmethod
    def open(cls, folder: Path, strength: StrengthConfig | None = None) -> Self:
        """Load a snapshot.

        Raises:
            UsageError: there is none.
            ArtifactError: it is damaged.
        """
        snapshot = open_snapshot(folder)
        catalog = Catalog.of(snapshot.read(snapshots.ITEMS), snapshot.manifest.domains)
        manifest = snapshot.manifest
        events, account = read_columns(folder, manifest.files, manifest.events)
        accounts = snapshot.read(snapshots.ACCOUNTS)
        return cls(snapshot, catalog, strength or StrengthConfig(), accounts, events, account)

    @property
    def space(self) -> ItemSpace:
        """The joint item space."""
        return self.catalog.space

    @property
    def n_people(self) -> int:
        """People, those without any event included."""
        return self.snapshot.manifest.people

    @property
    def order(self) -> Order:
        """`joint` where times are known on at least half of the events of every domain, else `none`."""
        return "joint" if min(self.snapshot.manifest.timed.values()) >= TIMED_ENOUGH else "none"

    @property
    def now(self) -> float:
        """Unix seconds: the moment of freezing, or the newest event where the log ended before."""
        manifest = self.snapshot.manifest
        return min(manifest.as_of, manifest.newest or manifest.as_of).timestamp()

    def knowledge(self) -> pl.DataFrame:
        """Triples: domain, head, relation, tail; none where the workspace has no graph."""
        if snapshots.KNOWLEDGE not in self.snapshot.manifest.files:
            return pl.DataFrame(schema=TRIPLES)
        return self.snapshot.read(snapshots.KNOWLEDGE)

    @cached_property
    def places(self) -> dict[str, Labels]:
        """Where people are, by the domain that was told: labels of each person; no domain where nobody said."""
        if snapshots.PLACES not in self.snapshot.manifest.files:
            return {}
        rows = self.snapshot.read(snapshots.PLACES)
        return {str(domain): self._places(some) for (domain,), some in rows.group_by(c.DOMAIN, maintain_order=True)}

    def _places(self, rows: pl.DataFrame) -> Labels:
        names = rows["place"].unique(maintain_order=True)
        codes = rows["place"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int32).to_numpy()
        found = sparse.coo_array(
            (np.ones(len(rows), bool), (rows[c.PERSON].to_numpy(), codes)), shape=(self.n_people, len(names))
        )
        return Labels(tuple(names), found.tocsr())

    @cached_property
    def side(self) -> SideInformation:
        """What the catalogue and the graph say of the items."""
        vectors = None
        if snapshots.VECTORS in self.snapshot.manifest.files:
            vectors = self.snapshot.read(snapshots.VECTORS)
        return side_of(self.catalog, self.knowledge(), vectors)

    def interactions(
        self, as_of: datetime | None = None, *, lent: bool = False, described: bool = True
    ) -> Interactions:
        """One history for each person, oldest first.

        Args:
            as_of: events at or after it are left out and ages count from it; left out: everything, ages from `now`.
            lent: whether history lent by one-to-many links is in it (for evaluation it would leak).
            described: whether what is known of the items goes along; once made it stays in memory.
        """
        events, at = self._trained(slice(None)), self.now if as_of is None else as_of.timestamp()
        own = events if as_of is None else events.where(~(events.time >= at))
        people = np.arange(self.n_people)
        borrowed = [self._borrowed(people, at, as_of is not None)] if lent else []
        return Interactions(
            self.space, self._assemble(own, borrowed, self.n_people, at), self.side if described else None
        )

    def support(self) -> npt.NDArray[np.float64]:
        """How many events of each item count, those of flagged accounts as configured: float64 (n_items,).

        What `interactions().support()` counts, without making histories.
        """
        total = np.zeros(self.space.n_items)
        for first in range(0, self.n_people, BLOCK):
            part = slice(self._starts[first], self._starts[min(first + BLOCK, self.n_people)])
            events = self._trained(part)
            total += np.bincount(events.item[counted(events, self.strength)], minlength=len(total))
        return total

    def trained_events(self) -> Events:
        """Everybody's events, without those of flagged accounts where the workspace leaves them out."""
        return self._trained(slice(None))

    def declared(self, accounts: Sequence[Account]) -> dict[Account, dict[str, str]]:
        """What some accounts have declared, those that have declared something."""
        found = {}
        for account in accounts:
            rows = self._declared.filter((pl.col(c.USER) == account.user) & (pl.col(c.DOMAIN) == account.domain))
            for text in rows[c.ATTRIBUTES]:
                values = msgspec.json.decode(text).items()
                found[account] = {name: str(value) for name, value in values if value not in {None, ""}}
        return found

    def histories_of(self, accounts: Sequence[Account], at: datetime | None = None, *, lent: bool = True) -> Histories:
        """The histories of the people behind some accounts, one row each.

        Args:
            accounts: as their domains name them.
            at: events at or after it are left out; left out: everything, ages from `now`.
            lent: whether history lent by one-to-many links is in it.

        Raises:
            UsageError: an account is not known.
        """
        people = self.people_of(accounts)
        moment = self.now if at is None else at.timestamp()
        own = slices(self._starts, people)
        events = self.events.where(own.places)
        events = Events(own.rows, events.item, events.kind, events.time, events.value)
        if at is not None:
            events = events.where(~(events.time >= moment))
        borrowed = [self._borrowed(people, moment, at is not None)] if lent and len(self._lent) else []
        return self._assemble(events, borrowed, len(people), moment)

    def history_of(self, account: Account, at: datetime | None = None, *, lent: bool = True) -> Histories:
        """The history of the person behind an account: one row (see `histories_of`)."""
        return self.histories_of([account], at, lent=lent)

    def events_of(self, people: Sequence[int]) -> Events:
        """The events of some people as those of one history, person after person, oldest first in each."""
        places = slices(self._starts, np.asarray(people, np.int64)).places
        events = self.events.where(places)
        return Events(np.zeros(len(places), np.int32), events.item, events.kind, events.time, events.value)

    def lent_to(self, people: Sequence[int], lenders: Sequence[int], at: float) -> Weighed:
        """What some people (rows) lend to others, as entries of one history, oldest first."""
        found = self._borrowed(np.asarray(people, np.int64), at, cut=False, willing=lenders)
        order = np.argsort(np.nan_to_num(found.time, nan=-np.inf), kind="stable")
        rows = np.zeros(len(order), np.int32)
        return Weighed(rows, found.item[order], found.weight[order], found.time[order], np.ones(len(order), bool))

    def lenders_of(self, people: Sequence[int]) -> list[int]:
        """The people (rows) who lend history to some people."""
        loans = slices(self._loans_of_people, np.asarray(people, np.int64))
        people_of_loans = self._person[self._lent[LENDER].to_numpy()[loans.places]]
        return [int(person) for person in np.unique(people_of_loans)]

    def borrowers_of(self, accounts: Sequence[Account]) -> list[Account]:
        """The accounts of those who borrow from the people behind some accounts; unknown accounts lend nothing."""
        if self._lent.is_empty():
            return []
        known = self.accounts.select(c.DOMAIN, c.USER, c.PERSON)
        names = {c.DOMAIN: [account.domain for account in accounts], c.USER: [account.user for account in accounts]}
        people = known.join(pl.DataFrame(names, schema={c.DOMAIN: pl.String, c.USER: pl.String}), on=list(names))
        lends = np.isin(self._person[self._lent[LENDER].to_numpy()], people[c.PERSON].to_numpy())
        return [each for person in self._lent[c.PERSON].filter(lends).unique() for each in self.accounts_of(person)]

    def person_of(self, account: Account) -> int:
        """The row of the person in `interactions`.

        Raises:
            UsageError: the account is not known.
        """
        self.space.index(account.domain)
        users = self.accounts[c.USER]
        place = bisect_left(users, account.user)  # code points and UTF-8 are ordered alike
        while place < len(users) and users[place] == account.user:
            if self.accounts[c.DOMAIN][place] == account.domain:
                return int(self.accounts[c.PERSON][place])
            place += 1
        raise UsageError(
            "there is no user '{user}' in the domain '{domain}'; ids are compared exactly, as text",
            user=account.user[:80],
            domain=account.domain,
        )

    def people_of(self, accounts: Sequence[Account]) -> Numbers:
        """The rows of many people in `interactions`: int64 (n,).

        Raises:
            UsageError: an account is not known.
        """
        if len(accounts) < FEW:
            return np.array([self.person_of(account) for account in accounts], np.int64)
        names = {c.DOMAIN: [account.domain for account in accounts], c.USER: [account.user for account in accounts]}
        table = self.accounts.select(c.DOMAIN, c.USER, c.PERSON)
        found = pl.DataFrame(names).join(table, on=(c.DOMAIN, c.USER), how="left", maintain_order="left")[c.PERSON]
        for place in found.is_null().arg_true().head(1):
            self.person_of(accounts[place])  # says which
        return found.cast(pl.Int64).to_numpy()

    def accounts_of(self, person: int) -> list[Account]:
        """The accounts of a row of `interactions`."""
        if not 0 <= person < self.n_people:
            raise UsageError("people are 0..{last}, got {person}", last=self.n_people - 1, person=person)
        places = self._account_order[self._account_starts[person] : self._account_starts[person + 1]]
        domains, users = self.accounts[c.DOMAIN], self.accounts[c.USER]
        return [Account(domain=domains[place], user=users[place]) for place in places.tolist()]

    def _trained(self, part: slice) -> Events:
        """Those of some events that models are fitted on."""
        events = self.events.where(part)
        if self.snapshot.manifest.flagged == "exclude":
            flagged = self._flagged[self.account[part]]
            events = events.where(~flagged) if flagged.any() else events
        return events

    @cached_property
    def _declared(self) -> pl.DataFrame:
        if snapshots.DECLARED not in self.snapshot.manifest.files:
            return pl.DataFrame(schema=DECLARED)
        return self.snapshot.read(snapshots.DECLARED)

    @cached_property
    def _starts(self) -> Numbers:
        return starts_of(self.events.row, self.n_people)

    @cached_property
    def _flagged(self) -> npt.NDArray[np.bool_]:
        return (self.accounts["flag"].str.len_bytes() > 0).to_numpy()

    @cached_property
    def _person(self) -> npt.NDArray[np.int32]:
        return self.accounts[c.PERSON].to_numpy()

    @cached_property
    def _account_order(self) -> Numbers:
        return np.argsort(self._person, kind="stable")

    @cached_property
    def _account_starts(self) -> Numbers:
        return starts_of(self._person, self.n_people)

    @cached_property
    def _lent(self) -> pl.DataFrame:
        """Loans by borrowing person: person, lender (account), confidence; of repeats the surest."""
        lent = self.snapshot.read(snapshots.LENT_FILE)
        if self.snapshot.manifest.flagged == "exclude":
            lent = lent.filter(~pl.Series(self._flagged[lent[LENDER].to_numpy()]))
        named = lent.with_columns(pl.Series(c.PERSON, self._person[lent[BORROWER].to_numpy()]))
        return named.group_by(c.PERSON, LENDER).agg(pl.col(c.CONFIDENCE).max()).sort(c.PERSON, LENDER)

    @cached_property
    def _loans_of_people(self) -> Numbers:
        return starts_of(self._lent[c.PERSON].to_numpy(), self.n_people)

    @cached_property
    def _of_lenders(self) -> tuple[Numbers, Numbers]:
        """Places of the events of accounts that lend, by account, and where each account starts."""
        lends = np.zeros(len(self.accounts), bool)
        lends[self._lent[LENDER].to_numpy()] = True
        places = np.flatnonzero(lends[self.account])
        account = self.account[places]
        return places[np.argsort(account, kind="stable")], starts_of(account, len(self.accounts))

    def _borrowed(self, people: Numbers, at: float, cut: bool, willing: Sequence[int] | None = None) -> Weighed:
        """Events lent to people, each with its strength for the lender times the confidence.

        Of `willing` lenders alone, rows of people, where they are named.
        """
        loans = slices(self._loans_of_people, people)
        lenders = self._lent[LENDER].to_numpy()[loans.places]
        confidence = self._lent[c.CONFIDENCE].to_numpy()[loans.places]
        order, starts = self._of_lenders
        found = slices(starts, lenders.astype(np.int64))
        source = self.events.where(order[found.places])
        keep = ~(source.time >= at) if cut else np.ones(len(source), bool)
        if willing is not None:
            keep &= np.isin(self._person[lenders], np.asarray(willing, np.int64))[found.rows]
        loan, source = found.rows[keep], source.where(keep)
        events = Events(loan, source.item, source.kind, source.time, source.value)
        weights = strength(events, at, self.strength) * confidence[loan].astype(np.float32)
        return Weighed(loans.rows[loan], events.item, weights, events.time, np.ones(len(loan), bool))

    def _assemble(self, own: Events, borrowed: list[Weighed], n_rows: int, at: float) -> Histories:
        mine = Weighed(own.row, own.item, strength(own, at, self.strength), own.time)
        return histories([mine, *borrowed], n_rows, self.space.n_items, at, self.order)
