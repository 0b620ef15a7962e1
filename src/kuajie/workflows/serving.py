"""Serving: a stored model and the snapshot it was trained on, put together to answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import ArtifactError, UsageError
from kuajie.core.names import suggest
from kuajie.core.records import Account, RankedList
from kuajie.data.dataset import JointDataset
from kuajie.data.side import side_of
from kuajie.workflows.declared import declared_by, for_rules
from kuajie.workflows.find import Findings, Search, find
from kuajie.workflows.library import Library, Shelves
from kuajie.workflows.links import Things
from kuajie.workflows.ports import ModelStore
from kuajie.workflows.recommend import Engine
from kuajie.workflows.shape import Asker, Shaping
from kuajie.workflows.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Server:
    """Answers for the accounts of a snapshot.

    Attributes:
        engine: the model and what it needs.
        dataset: the snapshot that the model was trained on; its numbering is the model's.
        shaping: what becomes of lists before they are shown; None: nothing.
    """

    engine: Engine
    dataset: JointDataset
    shaping: Shaping | None = None

    @cached_property
    def library(self) -> Library:
        """What can be found by words."""
        return Shelves(self.dataset.catalog, self.dataset.knowledge).library()

    def recommend(self, account: Account, target: str, k: int = 10, *, repeats: bool = False) -> RankedList:
        """The k best items of the target for a known account, with reasons, re-ranked as the workspace says.

        With `repeats` also what was used before.

        Raises:
            UsageError: no such domain or account.
        """
        check_domain(self.dataset, account.domain)
        check_domain(self.dataset, target)
        history = self.dataset.history_of(account)
        if self.shaping is None or k < 1:
            return self.engine.recommend(account, history, target, k, repeats=repeats)
        most = self.shaping.config.candidates(target, k)
        ranked = self.engine.recommend(account, history, target, most, explain=False, repeats=repeats)
        return self.engine.explained(self.shaping.shaped(ranked, k, history, self.asker(account)), history)

    def asker(self, account: Account | None) -> Asker:
        """What the accounts of a person had declared when the snapshot was made."""
        if account is None:
            return Asker()
        accounts = self.dataset.accounts_of(self.dataset.person_of(account))
        return Asker(for_rules(declared_by(accounts, self.dataset, {}), account.domain))

    def search(self, query: str, account: Account | None = None, targets: Sequence[str] = (), k: int = 10) -> Findings:
        """Items and knowledge that fit a question in words, ranked for an account if one is named.

        Business rules hold for whom is named, else for somebody of whom nothing is known.

        Raises:
            UsageError: no such domain or account, or a query without a word.
        """
        for domain in (*targets, *([] if account is None else [account.domain])):
            check_domain(self.dataset, domain)
        history = None if account is None else self.dataset.history_of(account)
        allowed = None if self.shaping is None else self.shaping.permitting(self.asker(account))
        return find(self.library, self.engine, history, Search(query, tuple(targets), k, allowed=allowed))

    def history(self, account: Account, most: int = 10) -> list[tuple[str, str]]:
        """(domain, title) of what the person used last, newest first, each once."""
        numbers = dict.fromkeys(self.dataset.history_of(account, lent=False).items[::-1].tolist())
        titles = self.engine.titles
        return [(self.dataset.catalog.name(number)[0], titles[number]) for number in list(numbers)[:most]]


def open_server(
    workspace: Workspace,
    store: ModelStore,
    language: str = "en",
    model_version: str | None = None,
    clock: Clock = system_clock,
) -> Server:
    """Load the model that serves, or another version, with its snapshot.

    Args:
        workspace: whence the snapshot comes.
        store: whence the model comes.
        language: of titles and reasons.
        model_version: left out: the one that serves.
        clock: dates the lists.

    Raises:
        UsageError: there is no model.
        ArtifactError: the model or its snapshot is damaged or missing.
    """
    stored = store.load(model_version)
    folder = workspace.warehouse / stored.version.snapshot_id
    if not folder.is_dir():
        raise ArtifactError(
            "the model {model_version} was trained on the snapshot {snapshot_id}, which is not in "
            "{warehouse} any more. Run: kuajie train",
            model_version=stored.version.model_version,
            snapshot_id=stored.version.snapshot_id,
            warehouse=workspace.warehouse,
        )
    dataset = JointDataset.open(folder, workspace.config.strength)
    if dataset.space != stored.space:
        raise ArtifactError(
            "the model {model_version} does not fit the catalogue of its snapshot. Run: kuajie train",
            model_version=stored.version.model_version,
        )
    popularity = dataset.support()
    engine = Engine(
        model=stored.model,
        catalog=dataset.catalog,
        popularity=popularity,
        model_version=stored.version.model_version,
        language=language,
        clock=clock,
        things=Things.of(side_of(dataset.catalog, dataset.knowledge())),
    )
    return Server(engine, dataset, Shaping.of(workspace.config.rerank, dataset.catalog, popularity))


def check_domain(dataset: JointDataset, domain: str) -> None:
    """Answer a mistyped domain with what was probably meant.

    Raises:
        UsageError: no such domain.
    """
    if domain not in dataset.space.domains:
        raise UsageError(
            "there is no domain '{domain}'{hint}", domain=domain, hint=suggest(domain, dataset.space.domains)
        )


def parse_account(text: str) -> Account:
    """An account from `DOMAIN:ID`; the id may hold colons.

    Raises:
        UsageError: not of that form.
    """
    domain, colon, user = text.partition(":")
    if not (domain and colon and user):
        raise UsageError("a user is written DOMAIN:ID, such as courses:42, got '{text}'", text=text)
    return Account(domain=domain, user=user)
