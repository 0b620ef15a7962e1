"""The only place that names concrete adapters."""

import os
from collections.abc import Mapping

from kuajie.storage.models import ModelFolder
from kuajie.workflows.ports import ModelStore
from kuajie.workflows.stores import Cache, Store
from kuajie.workflows.workspace import Workspace


def model_store(workspace: Workspace) -> ModelStore:
    """Where a workspace keeps its models."""
    return ModelFolder(workspace.models)


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
