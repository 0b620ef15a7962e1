"""Which stream a workspace names, and the consumer of it."""

import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from kuajie.core.errors import ConfigError
from kuajie.workflows.consume import ConsumeConfig, MessageSource


def open_source(config: ConsumeConfig, environment: Mapping[str, str] = os.environ) -> MessageSource:
    """The stream; it need not answer yet.

    Raises:
        ConfigError: none is named, or this is no URL of a stream.
        MissingExtraError: its client is not installed.
    """
    url = stream_url(config, environment)
    if url.startswith(("redis://", "rediss://")):
        from kuajie.storage.streams.redis import RedisStream

        return RedisStream.open(url, config.stream, config.group, consumer(), config.field, config.claim_seconds)
    if url.startswith("kafka://"):
        from kuajie.storage.streams.kafka import KafkaTopic

        options = {name: _value(name, value, environment) for name, value in config.kafka.items()}
        return KafkaTopic.open(urlsplit(url).netloc, config.stream, config.group, options)
    raise ConfigError(
        "[consume] url must begin with redis://, rediss:// or kafka://. Correct it, or give --from URL.",
    )


def stream_url(config: ConsumeConfig, environment: Mapping[str, str] = os.environ) -> str:
    """The URL, from the configuration or the environment, which goes first.

    Raises:
        ConfigError: there is none.
    """
    found = config.url if config.url_env is None else environment.get(config.url_env)
    if not found:
        raise ConfigError(
            "no stream is named. Put its URL into [consume] of kuajie.toml (url, or url_env for the name of an "
            "environment variable), or give --from URL."
        )
    return found


def consumer() -> str:
    """A name that no other process has; so nobody waits for messages that another is busy with."""
    return f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"


def _value(name: str, value: str, environment: Mapping[str, str]) -> str:
    if not value.startswith("env:"):
        return value
    found = environment.get(value.removeprefix("env:"))
    if not found:
        raise ConfigError(
            "[consume] kafka.{name} names the environment variable {variable}, which is not set.",
            name=name,
            variable=value.removeprefix("env:"),
        )
    return found
