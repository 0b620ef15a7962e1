"""Surroundings: what a service needs besides its workspace: room, a clock that is right, keys, Redis, its port."""

import os
import shutil
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex

from kuajie.core.errors import KuajieError, StoreError, UsageError
from kuajie.core.hosts import LOOPBACK
from kuajie.core.language import message
from kuajie.core.texts import Text
from kuajie.data.snapshot import latest_snapshot
from kuajie.workflows.environment import names_in
from kuajie.workflows.stores import Cache, Finding, Store
from kuajie.workflows.workspace import FROM_ENVIRONMENT, Workspace

LEAST_BYTES = 1 << 30
Ready = Callable[[str], str | None]
"""The address of a service -> the model version that it answers with; None: it is not ready. OSError: nobody's."""


def surroundings(
    workspace: Workspace,
    store_of: Callable[[Workspace], Store | None],
    cache_of: Callable[[Workspace], Cache],
    ready: Ready,
    now: datetime,
    environment: Mapping[str, str] = os.environ,
) -> list[Finding]:
    """What there is to find.

    Args:
        workspace: that is served.
        store_of: opens the operational store for reading; None where there is none yet.
        cache_of: opens what processes share.
        ready: asks a service.
        now: the time.
        environment: variables that change settings.
    """
    set_there = names_in(environment, FROM_ENVIRONMENT)
    findings = [
        Finding(message("settings from the environment"), ok=True, detail=", ".join(set_there) or "-"),
        _look(message("the disk has room"), lambda: _room(workspace.root)),
        _look(message("the clock is not behind"), lambda: _clock(workspace, now)),
        _look(message("there are keys for those who are to be answered"), lambda: _keys(workspace, store_of, now)),
    ]
    if workspace.config.store.redis is not None or workspace.config.store.redis_env is not None:
        findings.append(_look(message("Redis keeps what it is given"), lambda: _shared(workspace, cache_of)))
    findings.append(_look(message("the port is free, or the service answers there"), lambda: _port(workspace, ready)))
    return findings


def _look(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, detail=look())
    except KuajieError as error:
        return Finding(name, ok=False, detail=error.text)


def _room(root: Path) -> str:
    free = shutil.disk_usage(root).free
    if free < LEAST_BYTES:
        raise UsageError(
            "there are {free:.1f} GiB free on the disk of {folder}; a snapshot and a model may need more than "
            "{least:.0f}. Make room.",
            free=free / 2**30,
            folder=root,
            least=LEAST_BYTES / 2**30,
        )
    return f"{free / 2**30:.1f} GiB"


def _clock(workspace: Workspace, now: datetime) -> str:
    """Something that was written later than now tells of a clock that was set back."""
    try:
        written = latest_snapshot(workspace.warehouse).path.stat().st_mtime
    except (KuajieError, OSError):
        written = 0.0
    if written > (now + timedelta(minutes=5)).timestamp():
        raise UsageError(
            "the clock says {now:%Y-%m-%d %H:%M} UTC, but the last snapshot was written later than that. Set the "
            "clock.",
            now=now,
        )
    return f"{now:%Y-%m-%d %H:%M:%S} UTC"


def _keys(workspace: Workspace, store_of: Callable[[Workspace], Store | None], now: datetime) -> str:
    store = store_of(workspace)
    keys = []
    if store is not None:
        try:
            keys = [key for each in store.access.organisations() for key in store.access.keys(each.organisation_id)]
        finally:
            store.close()
    valid = [k for k in keys if k.revoked_at is None and (k.expires_at is None or k.expires_at > now)]
    if valid:
        soon = [key.key_id for key in valid if key.expires_at and key.expires_at < now + timedelta(days=14)]
        expiring = Text("; within 14 days expire: {keys}", keys=", ".join(soon)) if soon else ""
        return Text("{count} keys of {organisations} organisations{expiring}", count=len(valid),
                    organisations=len({key.organisation_id for key in valid}), expiring=expiring)  # fmt: skip
    if keys or workspace.config.service.host not in LOOPBACK:
        raise UsageError(
            "there is no key that opens anything, so nobody is answered. Make one: kuajie keys create --organisation "
            "NAME --domains DOMAIN"
        )
    return Text("none: this machine alone is answered (demo mode)")


def _shared(workspace: Workspace, cache_of: Callable[[Workspace], Cache]) -> str:
    cache, value = cache_of(workspace), token_hex(8).encode()
    try:
        cache.put("doctor", value, 10)
        kept = cache.get("doctor")
    finally:
        cache.close()
    if kept != value:
        raise StoreError("Redis does not answer. Each process keeps its own histories until it does; start it again.")
    return Text("good")


def _port(workspace: Workspace, ready: Ready) -> str:
    config = workspace.config.service
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)  # noqa: S104 - where one asks
    url = f"http://[{host}]:{config.port}" if ":" in host else f"http://{host}:{config.port}"
    if _is_free(config.host, config.port):
        return Text("{url} is free", url=url)
    try:
        version = ready(url)
    except OSError:
        raise UsageError(
            "something that is no kuajie answers at {url}. Stop it, or say another port in [service].", url=url
        ) from None
    if version is None:
        raise UsageError("the service at {url} is not ready. Its log says more.", url=url)
    return Text("the service answers at {url} with the model {version}", url=url, version=version)


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
