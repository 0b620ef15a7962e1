"""A workspace: a folder with `kuajie.toml`; everything of one project lies in it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError
from kuajie.core.files import refusal
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress
from kuajie.core.recommender import FitOptions
from kuajie.data.config import DataConfig
from kuajie.evaluation.tasks import RankingTask
from kuajie.workflows.arena import ArenaOptions, Chosen
from kuajie.workflows.choose import ChooseConfig, choose
from kuajie.workflows.consume import ConsumeConfig
from kuajie.workflows.segment import SegmentConfig
from kuajie.workflows.webhooks import WebhooksConfig

FILE = "kuajie.toml"


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
        statement_seconds: longest statement.
        waiting_rows: rows that may wait to be written; more are refused, to be sent again.
    """

    database: str = Field(default="kuajie.db", min_length=1, repr=False)
    database_env: str | None = None
    redis: str | None = Field(default=None, repr=False)
    redis_env: str | None = None
    connections: Annotated[int, Field(ge=1, le=1_000)] = 8
    statement_seconds: Annotated[int, Field(ge=1, le=3_600)] = 10
    waiting_rows: Annotated[int, Field(ge=1)] = 20_000


class ServiceConfig(Config):
    """The section `[service]`: how `kuajie serve` protects itself.

    Attributes:
        requests_per_second: of one key, on average; twice as many at once.
        most_at_once: requests that one process answers at the same time; more are told to come again.
        header_seconds: a connection that has not sent its headers by then is closed.
        body_seconds: a request whose body has not arrived by then is refused.
        drain_seconds: how long requests may go on after the service was told to stop.
        poll_seconds: how often what other processes wrote, and the model that serves, are looked at.
    """

    requests_per_second: Annotated[float, Field(gt=0)] = 2_000.0
    most_at_once: Annotated[int, Field(ge=1)] = 512
    header_seconds: Annotated[float, Field(gt=0)] = 10.0
    body_seconds: Annotated[float, Field(gt=0)] = 10.0
    drain_seconds: Annotated[float, Field(gt=0)] = 10.0
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.3


class WorkspaceConfig(DataConfig):
    """Everything that `kuajie.toml` says."""

    workspace: RunConfig = RunConfig()
    training: ChooseConfig = ChooseConfig()
    store: StoreConfig = StoreConfig()
    service: ServiceConfig = ServiceConfig()
    segment: SegmentConfig = SegmentConfig()
    consume: ConsumeConfig = ConsumeConfig()
    webhooks: WebhooksConfig = WebhooksConfig()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

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
        return cls.parse(values, path)


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
    ) -> Chosen:
        """What `auto` does within the budget of `[training]`."""
        return choose(interactions, tasks, options, config=self.config.training, progress=progress)

    def title(self, domain: str, language: str | None = None) -> str:
        """A domain's name for people, the English one for "en"."""
        config = self.config.domains[domain]
        return (config.title_en if language == "en" else "") or config.title or domain
