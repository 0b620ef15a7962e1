"""Putting a report together from what a workspace holds: snapshot, evaluation, and some people as samples."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kuajie.core.clock import Clock, system_clock
from kuajie.core.files import filled_folder
from kuajie.core.language import translator
from kuajie.core.records import Account
from kuajie.core.texts import Text
from kuajie.data.dataset import JointDataset
from kuajie.workflows.report import Report, Sample, render
from kuajie.workflows.serving import Server
from kuajie.workflows.workspace import Workspace

SAMPLE_ITEMS = 5
LEAST_HISTORY = 3
"""Entries that a sample person has in other domains."""


def report_of(
    workspace: Workspace,
    dataset: JointDataset,
    evaluation: Mapping[str, Any] | None = None,
    server: Server | None = None,
    clock: Clock = system_clock,
    language: str = "en",
) -> Report:
    """The report of a snapshot.

    Args:
        workspace: names things.
        dataset: the snapshot.
        evaluation: `EvaluationResult.to_json()`.
        server: recommends to the sample people; left out: no samples.
        clock: dates the page.
        language: of the domains' titles.
    """
    manifest = dataset.snapshot.manifest
    return Report(
        name=workspace.config.workspace.name or workspace.root.resolve().name,
        created_at=clock(),
        titles={domain: workspace.title(domain, language) for domain in manifest.domains},
        snapshot=dataset.snapshot.record,
        quality=manifest.quality,
        overlap=manifest.overlap,
        results=evaluation["domains"] if evaluation else {},
        twins=evaluation["twin_items"] if evaluation else 0,
        samples=[] if server is None else list(samples_of(server, workspace.config.workspace.seed)),
        notes=notes_of(evaluation) if evaluation else [],
        tradeoff=evaluation.get("tradeoff") if evaluation else None,
    )


def notes_of(evaluation: Mapping[str, Any]) -> list[Text]:
    """Sentences about how it was measured."""
    sampled = Text("Ranked among sampled items: for comparison with tables that did the same, not with others.")
    return [evaluation["protocol"], *([sampled] if evaluation["candidates"] != "full" else [])]


def write_reports(
    workspace: Workspace,
    dataset: JointDataset,
    evaluation: Mapping[str, Any],
    server: Server | None,
    language: str,
    clock: Clock = system_clock,
) -> Path:
    """Write `evaluation.json` and `report.html` into the workspace's reports; returns the page.

    Raises:
        ResourceError: the disk refuses.
    """
    text = json.dumps(evaluation, ensure_ascii=False, indent=2, allow_nan=False)
    report = report_of(workspace, dataset, evaluation, server, clock, language)
    page = render(report, translator(language), language)
    with filled_folder(workspace.reports) as draft:  # both or neither
        (draft / "evaluation.json").write_text(text + "\n", encoding="utf-8")
        (draft / "report.html").write_text(page, encoding="utf-8")
    return workspace.reports / "report.html"


def samples_of(server: Server, seed: int, most: int = 6) -> Iterator[Sample]:
    """For each target one person who knows only other domains, and one who knows both."""
    for account, target in sample_people(server.dataset, seed)[:most]:
        yield Sample(
            person=f"{account.domain}:{account.user}",
            history=server.history(account),
            ranked=server.recommend(account, target, SAMPLE_ITEMS),
        )


def sample_people(dataset: JointDataset, seed: int) -> list[tuple[Account, str]]:
    """Accounts and targets: first somebody cold in each target, then somebody known in both."""
    interactions = dataset.interactions()
    counts = interactions.domain_counts()
    rng = np.random.default_rng([seed, 20])
    found = []
    for cold in (True, False):
        for number, target in enumerate(interactions.space.domains):
            elsewhere = counts.sum(axis=1) - counts[:, number]
            fits = (elsewhere >= LEAST_HISTORY) & ((counts[:, number] == 0) == cold)
            if fits.any():
                person = int(rng.choice(np.flatnonzero(fits)))
                accounts = dataset.accounts_of(person)
                found.append((next((a for a in accounts if a.domain != target), accounts[0]), target))
    return found
