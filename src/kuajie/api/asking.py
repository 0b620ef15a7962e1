"""What a person, a question or a domain is answered."""

import os
from collections.abc import Sequence

from kuajie.api.snapshots import newest_dataset
from kuajie.bootstrap import model_store
from kuajie.core.language import language_of
from kuajie.core.records import RankedList
from kuajie.data.dataset import JointDataset
from kuajie.data.strength import strength
from kuajie.models import rising as trends
from kuajie.models.rising import Growth
from kuajie.workflows.find import Findings
from kuajie.workflows.serving import Server, parse_account
from kuajie.workflows.serving import open_server as open_stored
from kuajie.workflows.workspace import Workspace


def open_server(workspace: Workspace, *, model: str | None = None, language: str | None = None) -> Server:
    """Load a model with its snapshot once, to answer many: `server.recommend(account, target, k)`.

    Args:
        workspace: whose model.
        model: a version; left out: the one that serves.
        language: of titles and reasons; left out: the workspace's, else the system's.

    Raises:
        UsageError: there is no model, or no such language.
        ArtifactError: the model or its snapshot is damaged or missing.
    """
    spoken = language_of(language, workspace.config.workspace.language, environment=os.environ)
    return open_stored(workspace, model_store(workspace), spoken, model)


def recommend(
    workspace: Workspace,
    user: str,
    target: str,
    k: int = 10,
    *,
    model: str | None = None,
    language: str | None = None,
    repeats: bool = False,
) -> RankedList:
    """The k best items of a domain for one person, with reasons. `open_server` answers many without loading again.

    Args:
        workspace: whose model.
        user: who asks, as DOMAIN:ID.
        target: the domain to recommend from.
        k: how many items.
        model: a version; left out: the one that serves.
        language: of titles and reasons; left out: the workspace's, else the system's.
        repeats: whether what the person used before may be in the list.

    Raises:
        UsageError: no such account, domain or model.
        ArtifactError: the model or its snapshot is damaged or missing.
    """
    account = parse_account(user)
    return open_server(workspace, model=model, language=language).recommend(account, target, k, repeats=repeats)


def search(
    workspace: Workspace,
    query: str,
    user: str | None = None,
    targets: Sequence[str] = (),
    k: int = 10,
    *,
    model: str | None = None,
    language: str | None = None,
) -> Findings:
    """Items and knowledge that fit a question in words. `open_server` answers many without loading again.

    Args:
        workspace: whose model and snapshot.
        query: such as "first car loan".
        user: whom to rank for, as DOMAIN:ID; None: by the words and by what is popular.
        targets: domains to look in; none: all.
        k: how many items.
        model: a version; left out: the one that serves.
        language: of titles and reasons; left out: the workspace's, else the system's.

    Raises:
        UsageError: no such account, domain or model, or a query without a word.
        ArtifactError: the model or its snapshot is damaged or missing.
    """
    account = None if user is None else parse_account(user)
    return open_server(workspace, model=model, language=language).search(query, account, targets, k)


def rising(
    workspace: Workspace,
    domain: str,
    field: str = "category",
    weeks: int = 12,
    level: float = 0.95,
    *,
    dataset: JointDataset | None = None,
) -> list[Growth]:
    """Which topics of a domain rise: the weekly growth of each label's share of all use, with its interval.

    Args:
        workspace: whose newest snapshot.
        domain: whose items.
        field: of the labels: "category", "brand", or an attribute.
        weeks: the newest weeks that are looked at.
        level: of the intervals, over all labels together.
        dataset: an open snapshot of the workspace; None: the newest.

    Raises:
        UsageError: fewer than four weeks, or no such domain.
        DataError: there is no snapshot, no times, or no such labels.
    """
    dataset = newest_dataset(workspace) if dataset is None else dataset
    # of histories, times are known only where every domain has them
    used = dataset.events.where(strength(dataset.events, dataset.now, dataset.strength) > 0)
    return trends.rising(used.item, used.time, dataset.space, dataset.side, domain, field, weeks, level)
