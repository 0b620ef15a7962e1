"""The only place that names concrete adapters."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kuajie.core.clock import system_clock
from kuajie.core.errors import ArtifactError, StoreError, UsageError
from kuajie.core.language import LANGUAGES
from kuajie.data.starts import Starts
from kuajie.profiles.audience import Audience
from kuajie.storage.audiences import AudienceFolder
from kuajie.storage.learned import LearnedFile
from kuajie.storage.list_keys import ListKeyFile, keys_from
from kuajie.storage.models import ModelFolder
from kuajie.workflows.consume import ConsumeConfig, Consumer
from kuajie.workflows.deploy import Deployed, Deployment
from kuajie.workflows.groups import group_lists
from kuajie.workflows.learned import LearnedStore
from kuajie.workflows.library import Shelves
from kuajie.workflows.list_ids import ListKey
from kuajie.workflows.live import LiveHistories
from kuajie.workflows.new_items import NewItems
from kuajie.workflows.ports import AudienceStore, ModelStore
from kuajie.workflows.profile import profiler_of
from kuajie.workflows.receive import EventRules
from kuajie.workflows.serving import open_server
from kuajie.workflows.stores import Cache, EventStore, Store
from kuajie.workflows.tail import Tail
from kuajie.workflows.webhooks import Outbound
from kuajie.workflows.workspace import Workspace

log = logging.getLogger("kuajie.profiles")


def model_store(workspace: Workspace) -> ModelStore:
    """Where a workspace keeps its models."""
    return ModelFolder(workspace.models)


def audience_store(workspace: Workspace) -> AudienceStore:
    """Where a workspace keeps topics and segments of people."""
    return AudienceFolder(workspace.profiles)


def usable_audience(workspace: Workspace) -> Audience | None:
    """Topics and segments for a service, which answers without them where they are damaged, and says so in its log."""
    try:
        return audience_store(workspace).load()
    except ArtifactError as error:
        log.warning("%s", error)
        return None


def store_exists(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether there is an operational store: its file, or the name of a server."""
    from kuajie.storage.sql.address import address, file_of

    config = workspace.config.store
    file = file_of(address(config.database, config.database_env, workspace.root, environment))
    return file is None or file.is_file()


def operational_store(
    workspace: Workspace, *, write: bool = True, environment: Mapping[str, str] = os.environ
) -> Store:
    """Open the operational store of a workspace; close it afterwards.

    Args:
        workspace: names it.
        write: False: another process may write it; nothing is made, nothing can be written.
        environment: where URLs with passwords are.

    Raises:
        ConfigError: it is not configured rightly.
        MissingExtraError: the driver is not installed.
        StoreError: it does not answer, or another process writes it.
    """
    from kuajie.storage.sql.address import address
    from kuajie.storage.sql.engine import Limits
    from kuajie.storage.sql.store import SqlStore

    config = workspace.config.store
    return SqlStore.open(
        address(config.database, config.database_env, workspace.root, environment),
        write=write,
        limits=Limits(connections=config.connections, statement_seconds=config.statement_seconds),
        most_waiting=config.waiting_rows,
    )


def cache(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> Cache:
    """What processes share for a while: Redis where the workspace names one, else the memory of this process.

    Raises:
        ConfigError: the environment variable is not set, or this is no URL.
        MissingExtraError: the package `redis` is not installed.
    """
    from kuajie.storage.cache.memory import MemoryCache

    config = workspace.config.store
    if config.redis is None and config.redis_env is None:
        return MemoryCache()
    from kuajie.storage.cache.redis import RedisCache, redis_address

    return RedisCache.open(redis_address(config.redis, config.redis_env, environment))


def learned_store(workspace: Workspace) -> LearnedStore:
    """Where a workspace keeps what exploring steps have learned."""
    return LearnedFile.of(workspace.root)


def list_keys(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> Callable[[], Sequence[ListKey]]:
    """Where the secrets that sign ids of lists are read.

    Raises:
        ConfigError: the environment variable that is named is not set.
    """
    variable = workspace.config.service.list_secret_env
    if variable is not None:
        held = keys_from(variable, environment)
        return lambda: held
    return ListKeyFile.of(workspace.root).read


def rotate_list_keys(workspace: Workspace, now: datetime) -> ListKey:
    """Let a new secret sign the ids of lists.

    Raises:
        UsageError: the secret is in the environment.
    """
    variable = workspace.config.service.list_secret_env
    if variable is not None:
        raise UsageError(
            "the secret of list ids is in the environment variable {variable}. Put a new one in front of it, separated "
            "by a comma, and start the service again.",
            variable=variable,
        )
    return ListKeyFile.of(workspace.root).rotate(now)


def may_be_shared(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether several processes may write the operational store."""
    return store_file(workspace, environment) is None


def store_file(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file of an SQLite store; None where the store is on a server."""
    from kuajie.storage.sql.address import address, file_of

    config = workspace.config.store
    return file_of(address(config.database, config.database_env, workspace.root, environment))


def consumer_of(
    workspace: Workspace,
    config: ConsumeConfig,
    events: EventStore,
    pause: Callable[[float], bool],
    environment: Mapping[str, str] = os.environ,
) -> Consumer:
    """What takes events from a stream; closing its source is the caller's matter.

    Raises:
        ConfigError: no stream is named, or wrongly.
        MissingExtraError: its client is not installed.
    """
    from kuajie.storage.streams.address import open_source

    return Consumer(
        open_source(config, environment),
        events,
        EventRules(frozenset(workspace.config.domains), workspace.config.cleaning),
        system_clock,
        pause,
        allowed=None if config.domains is None else frozenset(config.domains),
        batch=config.batch,
    )


def outbound(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> Outbound:
    """What telling others needs; the master secret is looked for when it is needed."""
    from kuajie.storage.outbound.master import master_secret
    from kuajie.storage.outbound.sender import PinnedSender

    config = workspace.config.webhooks
    return Outbound(
        PinnedSender(config.ports, config.seconds, loopback=config.loopback),
        lambda: master_secret(workspace.root, config.secret_env, environment),
        model_store(workspace).activated_at,
    )


@dataclass(frozen=True, eq=False)
class ServiceParts:
    """What one process of the service is made of; closing the store and the cache is its matter."""

    store: Store
    cache: Cache
    deployment: Deployment
    tail: Tail
    outbound: Outbound


def service_of(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> ServiceParts:
    """Open the store, load the model that serves and try it.

    Raises:
        UsageError: there is no model.
        ArtifactError: the model or its snapshot is damaged.
        StoreError: the store does not answer, or another process writes it.
        ConfigError, MissingExtraError: see `operational_store` and `cache`.
    """
    models = model_store(workspace)
    store = operational_store(workspace, environment=environment)
    try:
        shared = cache(workspace, environment)
        tail = Tail.at_end(store, None if shared.shared else shared)
        deployment = Deployment(lambda version: deployed(workspace, models, store, shared, version), models.serving)
    except BaseException:
        store.close()
        raise
    return ServiceParts(store, shared, deployment, tail, outbound(workspace, environment))


def deployed(
    workspace: Workspace, models: ModelStore, store: Store, shared: Cache, version: str | None = None
) -> Deployed:
    """A model version with its snapshot and the histories over it, not tried yet."""
    server = open_server(workspace, models, LANGUAGES[0], version)
    config = workspace.config
    engines = {language: replace(server.engine, language=language) for language in LANGUAGES}
    arriving = config.new_items
    content = Starts(
        server.dataset.catalog, server.engine.popularity, arriving.nearest, arriving.kind_weight, arriving.read_used
    )
    near = config.cleaning.near_duplicate_seconds
    tell = None if server.shaping is None else server.shaping.fresh.learn
    new_items = NewItems(server.dataset, engines, content, arriving, near, tell)
    for engine in engines.values():
        _ = engine.links  # made here, not in the first request of each language
    ready = Deployed(
        engines=engines,
        dataset=server.dataset,
        live=LiveHistories(server.dataset, store, shared, config.identity, config.cleaning, domains=config.domains),
        shelves=Shelves(server.dataset.catalog, server.dataset.knowledge, store.catalogue),
        new_items=new_items,
        shaping=server.shaping,
        profiler=profiler_of(server.dataset, usable_audience(workspace), config.profiles),
        groups=group_lists(server.dataset),
    )
    with suppress(StoreError):  # last, for it all takes a while; the next look at the tail goes on
        new_items.read(store.catalogue)
    return ready
