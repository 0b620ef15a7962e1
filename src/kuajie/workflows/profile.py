"""Profile: what is known of one person, field by field."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from kuajie.core.records import Account, Record
from kuajie.data.dataset import JointDataset
from kuajie.profiles.audience import Audience
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.fields import Field, moment
from kuajie.profiles.person import Profiler
from kuajie.workflows.declared import Declared, declared_by


class PersonProfile(Record, frozen=True):
    """One person.

    Attributes:
        account: who was asked for.
        accounts: everything that is this person, DOMAIN:ID.
        at: the moment that counts as now.
        fields: what is known, and what is not.
    """

    account: str
    accounts: tuple[str, ...]
    at: datetime
    fields: tuple[Field, ...]


def profiler_of(dataset: JointDataset, audience: Audience | None, config: ProfilesConfig) -> Profiler:
    """What makes profiles over a snapshot."""
    return Profiler(dataset.catalog, config, dataset.strength, audience)


def profile_of(
    dataset: JointDataset,
    profiler: Profiler,
    account: Account,
    declared: Declared | None = None,
    language: str = "en",
    at: datetime | None = None,
) -> PersonProfile:
    """The profile of the person behind an account, from a snapshot.

    Args:
        dataset: the snapshot.
        profiler: over its catalogue.
        account: who.
        declared: what accounts declared, beside what the snapshot knows.
        language: of names.
        at: now; left out: the snapshot's.

    Raises:
        UsageError: no such account.
    """
    person = dataset.person_of(account)
    accounts = dataset.accounts_of(person)
    now = dataset.now if at is None else at.timestamp()
    fields = profiler.profile(dataset.events_of([person]), now, told_by(accounts, dataset, declared or {}), language)
    return PersonProfile(
        account=f"{account.domain}:{account.user}",
        accounts=tuple(f"{each.domain}:{each.user}" for each in accounts),
        at=moment(now),
        fields=tuple(fields),
    )


def told_by(
    accounts: Sequence[Account], dataset: JointDataset, declared: Declared
) -> list[tuple[Mapping[str, str], float]]:
    """What some accounts declared: of the snapshot, and newer, which goes first; nobody knows when it was declared."""
    return [(attributes, float(np.nan)) for attributes in declared_by(accounts, dataset, declared).values()]
