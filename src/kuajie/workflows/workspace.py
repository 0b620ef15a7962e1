"""A workspace: a folder with `kuajie.toml`; everything of one project lies in it."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError
from kuajie.core.files import refusal
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress
from kuajie.core.recommender import FitOptions
from kuajie.core.texts import Text
from kuajie.data.config import DataConfig
from kuajie.evaluation.tasks import RankingTask
from kuajie.graph.drawing import GraphConfig
from kuajie.profiles.config import ProfilesConfig
from kuajie.rerank.exploration import ExplorationConfig
from kuajie.rerank.pipeline import RerankConfig
from kuajie.rerank.registry import EXPLORING
from kuajie.workflows.arena import ArenaOptions, Chosen, Linked
from kuajie.workflows.choose import ChooseConfig, choose
from kuajie.workflows.consume import ConsumeConfig
from kuajie.workflows.environment import overridden
from kuajie.workflows.new_items import NewItemsConfig
from kuajie.workflows.schedule import LoopConfig
from kuajie.workflows.segment import SegmentConfig
from kuajie.workflows.webhooks import WebhooksConfig

FILE = "kuajie.toml"
FROM_ENVIRONMENT = frozenset({"store", "service", "loop"})
"""Sections that variables such as `KUAJIE_SERVICE__PORT` may set."""


class RunConfig(Config):
    """The section `[workspace]`: how this project runs.

    Attributes:
        name: for people.
        language: of reasons, reports and what the command line prints; left out: the system's.
        seed: of everything random.
        threads: how many a job may use.
        memory_gb: a job that needs more is planned differently or refused.
    """

    name: str = ""
    language: Literal["zh", "en"] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    threads: Annotated[int, Field(ge=1)] = 2
    memory_gb: Annotated[float, Field(gt=0)] = 8.0


class StoreConfig(Config):
    """The section `[store]`: where the service keeps what happens.

    Attributes:
        database: an SQLite file of the workspace, or a URL such as `mysql+pymysql://user@host/name` or
            `postgresql+psycopg://user@host/name`, which several processes and machines may share.
        database_env: name of the environment variable that holds the URL (for URLs with a password).
        redis: URL of a Redis server that processes share recent histories, counters and lists through; left out: each
            process keeps its own.
        redis_env: name of the environment variable that holds it.
        connections: that readers of one process may use at once.
        statement_seconds: longest statement; a database that says nothing for longer is given up.
        waiting_rows: rows that may wait to be written; more are refused, to be sent again.
        shown_days: after so many days the service removes lists and their exposures; 0: never. Events stay.
    """

    database: str = Field(default="kuajie.db", min_length=1, repr=False)
    database_env: str | None = None
    redis: str | None = Field(default=None, repr=False)
    redis_env: str | None = None
    connections: Annotated[int, Field(ge=1, le=1_000)] = 8
    statement_seconds: Annotated[int, Field(ge=1, le=3_600)] = 5
    waiting_rows: Annotated[int, Field(ge=1)] = 20_000
    shown_days: Annotated[int, Field(ge=0, le=36_500)] = 180


class ServiceConfig(Config):
    """The section `[service]`: how `kuajie serve` protects itself.

    Attributes:
        host: the address to answer at.
        port: 0: any free one.
        workers: processes; more than one need a database server.
        requests_per_second: of one key, on average; twice as many at once.
        most_at_once: requests that one process answers at the same time; more are told to come again.
        most_connections: that one process keeps open; above it, whoever has been half-open for longest is let go.
        header_seconds: a connection that has not sent its headers by then is closed.
        body_seconds: a request whose body has not arrived by then is refused.
        drain_seconds: how long requests may go on after the service was told to stop.
        poll_seconds: how often what other processes wrote, and the model that serves, are looked at.
        most_streams: pages that one process pushes fresh lists to at the same time; one key may hold half of them.
        push_seconds: a page is pushed at most one list in so long.
        log: lines on standard error: off, errors (requests that failed, 5xx) or all; what goes wrong beside requests is
            always said.
        telemetry: whether spans go to OpenTelemetry; needs the extra `telemetry`.
        list_secret_env: name of the environment variable that holds the secret of list ids, for machines that share no
            disk; left out: a file of the workspace, made by itself.
    """

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8_000
    workers: Annotated[int, Field(ge=1, le=1_000)] = 1
    requests_per_second: Annotated[float, Field(gt=0)] = 5_000.0
    most_at_once: Annotated[int, Field(ge=1)] = 512
    most_connections: Annotated[int, Field(ge=1)] = 4_096
    header_seconds: Annotated[float, Field(gt=0)] = 10.0
    body_seconds: Annotated[float, Field(gt=0)] = 10.0
    drain_seconds: Annotated[float, Field(gt=0)] = 10.0
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.3
    most_streams: Annotated[int, Field(ge=0)] = 1_000
    push_seconds: Annotated[float, Field(ge=0, le=60)] = 0.5
    log: Literal["off", "errors", "all"] = "errors"
    telemetry: bool = False
    list_secret_env: str | None = None


class ServingConfig(Config):
    """The section `[serving]`: what people are shown.

    Attributes:
        exploration: how often lists are shuffled, so that more can be learned about; off unless told.
        cached_list_seconds: so long a person's last good list may stand in where the model or the store fails; 0:
            never.
        model_seconds: where the model takes longer than this for one answer, three times in a row, it is left alone
            for some seconds.
    """

    exploration: ExplorationConfig = ExplorationConfig()
    cached_list_seconds: Annotated[int, Field(ge=0, le=7 * 86_400)] = 86_400
    model_seconds: Annotated[float, Field(gt=0)] = 1.0


class WorkspaceConfig(DataConfig):
    """Everything that `kuajie.toml` says."""

    workspace: RunConfig = RunConfig()
    training: ChooseConfig = ChooseConfig()
    store: StoreConfig = StoreConfig()
    service: ServiceConfig = ServiceConfig()
    serving: ServingConfig = ServingConfig()
    rerank: RerankConfig = RerankConfig()
    new_items: NewItemsConfig = NewItemsConfig()
    loop: LoopConfig = LoopConfig()
    segment: SegmentConfig = SegmentConfig()
    consume: ConsumeConfig = ConsumeConfig()
    webhooks: WebhooksConfig = WebhooksConfig()
    profiles: ProfilesConfig = ProfilesConfig()
    graph: GraphConfig = GraphConfig()

    @pydantic.model_validator(mode="after")
    def _drawn_once(self) -> Self:
        if self.serving.exploration.epsilon and any(step.kind in EXPLORING for step in self.rerank.steps):
            raise ValueError(Text("serving.exploration and an exploring step of [rerank] exclude each other"))
        return self

    @classmethod
    def read(cls, path: Path, environment: Mapping[str, str] = os.environ) -> Self:
        """Read a file; variables such as `KUAJIE_SERVICE__PORT` go before what it says.

        Raises:
            ConfigError: it is missing, not TOML, or has a wrong key or value.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(
                "there is no {name} in {folder}. Name a workspace with --workspace DIR, or make one: kuajie init DIR",
                name=path.name,
                folder=path.parent.resolve(),
            ) from None
        except OSError as error:
            raise ConfigError("{path} cannot be read: {reason}", path=path, reason=refusal(error)) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                "{path} is not valid TOML in UTF-8: {error}. Correct the line and run again.", path=path, error=error
            ) from None
        sections = {name: field.annotation for name, field in cls.model_fields.items() if name in FROM_ENVIRONMENT}
        return cls.parse(overridden(values, environment, sections), path)


@dataclass(frozen=True)
class Workspace:
    """The folder and its configuration."""

    root: Path
    config: WorkspaceConfig

    @classmethod
    def open(cls, root: Path | str) -> Self:
        """Read the workspace in a folder.

        Raises:
            ConfigError: see `WorkspaceConfig.read`.
        """
        folder = Path(root)
        return cls(folder, WorkspaceConfig.read(folder / FILE))

    def with_budget(self, seconds: float) -> "Workspace":
        """The same workspace, with so many seconds for choosing."""
        training = self.config.training.model_copy(update={"seconds": seconds})
        return replace(self, config=self.config.model_copy(update={"training": training}))

    @property
    def warehouse(self) -> Path:
        """Snapshots."""
        return self.root / "warehouse"

    @property
    def models(self) -> Path:
        """Model versions."""
        return self.root / "models"

    @property
    def profiles(self) -> Path:
        """Topics and segments of people."""
        return self.root / "profiles"

    @property
    def reports(self) -> Path:
        """Reports, JSON and HTML."""
        return self.root / "reports"

    @property
    def fit_options(self) -> FitOptions:
        """Seed, threads and memory of every fit."""
        run = self.config.workspace
        return FitOptions(run.seed, run.threads, int(run.memory_gb * 2**30))

    @property
    def arena_options(self) -> ArenaOptions:
        """Threads and memory of every comparison."""
        return ArenaOptions(self.config.workspace.threads, self.fit_options.memory_bytes)

    def chooser(
        self,
        interactions: Interactions,
        tasks: Mapping[str, RankingTask],
        options: FitOptions,
        progress: Progress,
        linked: Linked,
    ) -> Chosen:
        """What `auto` does within the budget of `[training]`."""
        return choose(interactions, tasks, options, config=self.config.training, progress=progress, linked=linked)

    def title(self, domain: str, language: str | None = None) -> str:
        """A domain's name for people, the English one for "en"."""
        config = self.config.domains[domain]
        return (config.title_en if language == "en" else "") or config.title or domain
