"""The service reads a stream beside answering: the next list knows what it brought."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import redis

from kuajie.testing.servers import Server
from kuajie.workflows.workspace import Workspace

from .conftest import Outcome
from .test_process import serving


def test_the_service_consumes_a_stream(workspace: Workspace, redis_server: Server) -> None:
    config: Path = workspace.root / "kuajie.toml"
    section = f'[consume]\nurl = "{redis_server.url}"\nstream = "事件"\n'
    config.write_text(config.read_text(encoding="utf-8") + section, encoding="utf-8")
    with redis.Redis.from_url(redis_server.url) as client, serving(workspace.root) as served:
        client.flushall()
        assert served.recommend("新人")["fallback"] == "popular"
        event = {"event_id": "一", "domain": "courses", "user": "新人", "item": "课1", "kind": "purchase"}
        client.xadd("事件", {"event": json.dumps(event)})
        until = time.monotonic() + 30
        while served.recommend("新人")["fallback"]:
            assert time.monotonic() < until
            time.sleep(0.05)
        while client.xpending("事件", "kuajie")["pending"]:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert served.ask("/v1/events", event)[1]["duplicate"] == 1
        served.process.terminate()
        _, err = served.process.communicate(timeout=30)
        assert served.process.returncode == 0, err


def test_a_stream_that_is_named_wrongly_is_said_at_the_start(
    workspace: Workspace, kuajie: Callable[..., Outcome]
) -> None:
    config: Path = workspace.root / "kuajie.toml"
    config.write_text(config.read_text(encoding="utf-8") + '[consume]\nurl = "http://x"\n', encoding="utf-8")
    wrong = kuajie("serve", "--workspace", workspace.root, "--port", "0")
    assert wrong.code == 2
    assert "[consume] url must begin with" in wrong.err
    assert kuajie("keys", "list", "--workspace", workspace.root).code == 0, "the store was let go of"
