"""Who people are: segments, and profiles field by field."""

import os
from collections.abc import Sequence

from kuajie.api.snapshots import newest_dataset
from kuajie.bootstrap import audience_store, operational_store, store_exists
from kuajie.core.language import language_of
from kuajie.core.records import Account
from kuajie.data.dataset import JointDataset
from kuajie.profiles.audience import Audience
from kuajie.workflows.profile import PersonProfile, profile_of, profiler_of
from kuajie.workflows.segment_people import segment_people as fit_segments
from kuajie.workflows.serving import parse_account
from kuajie.workflows.workspace import Workspace


def segment_people(workspace: Workspace, *, dataset: JointDataset | None = None) -> Audience:
    """Find topics of interest and segments of everybody in the newest snapshot, and keep them for later.

    Args:
        workspace: whose section `[profiles]`, seed and threads count.
        dataset: an open snapshot of the workspace; None: the newest.

    Raises:
        DataError: there is no snapshot, or nobody has used anything.
        MissingExtraError: scikit-learn is not installed.
        ResourceError: the disk refuses.
    """
    return fit_segments(
        newest_dataset(workspace) if dataset is None else dataset,
        audience_store(workspace),
        workspace.config.profiles,
        workspace.fit_options,
    )


def profile(
    workspace: Workspace, user: str, *, dataset: JointDataset | None = None, language: str | None = None
) -> PersonProfile:
    """What is known of one person, field by field, each with its source, sureness and expiry.

    Topics and segments are those that `segment_people` found last; without them these fields are unknown.

    Args:
        workspace: whose newest snapshot, and whose operational store if there is one.
        user: who, as DOMAIN:ID.
        dataset: an open snapshot of the workspace; None: the newest.
        language: of names; left out: the workspace's, else the system's.

    Raises:
        UsageError: no such account.
        DataError: there is no snapshot.
        ArtifactError: the snapshot or the segments are damaged.
        StoreError: the operational store does not answer.
    """
    account = parse_account(user)
    dataset = newest_dataset(workspace) if dataset is None else dataset
    spoken = language_of(language, workspace.config.workspace.language, environment=os.environ)
    profiler = profiler_of(dataset, audience_store(workspace).load(), workspace.config.profiles)
    accounts = dataset.accounts_of(dataset.person_of(account))
    return profile_of(dataset, profiler, account, _declared(workspace, accounts), spoken)


def _declared(workspace: Workspace, accounts: Sequence[Account]) -> dict[Account, dict[str, str]]:
    """What accounts have told the service."""
    if not store_exists(workspace):
        return {}
    store = operational_store(workspace, write=False)
    try:
        return {account: traits.attributes for account, traits in store.catalogue.people(accounts).items()}
    finally:
        store.close()
