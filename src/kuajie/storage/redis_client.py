"""A client of a Redis server, for the cache and for streams."""

from typing import TYPE_CHECKING

from kuajie.core.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import redis


def redis_client(url: str, seconds: float, purpose: str, setting: str) -> "redis.Redis":
    """A client; the server need not answer yet.

    Args:
        url: of the server.
        seconds: within which it must answer.
        purpose: what for, to say so where the package is missing.
        setting: where the URL stands.

    Raises:
        MissingExtraError: the package is not installed.
        ConfigError: this is no URL.
    """
    try:
        import redis
    except ModuleNotFoundError:
        raise MissingExtraError(purpose, "redis", "redis") from None
    try:
        return redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=None)
    except ValueError:
        raise ConfigError("{setting} is not a URL such as redis://host:6379/0. Correct it.", setting=setting) from None
