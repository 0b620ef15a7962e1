"""Another model serves: whole, tried, under load; a damaged one is refused and the old one goes on."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pytest

from kuajie.bootstrap import model_store
from kuajie.core.errors import ArtifactError
from kuajie.service.calls import Service
from kuajie.storage.artifacts import save_model
from kuajie.workflows.deploy import Deployed, Deployment, tried
from kuajie.workflows.workspace import Workspace

from .conftest import Running


def copy_version(service: Service, name: str) -> Path:
    """The version that serves, under another name; it does not serve yet."""
    stored = model_store(service.workspace).load()
    folder = service.workspace.models / name
    save_model(stored.model, stored.space, folder, msgspec.structs.replace(stored.version, model_version=name))
    return folder


def point(service: Service, name: str) -> None:
    (service.workspace.models / "serving").write_text(name + "\n", encoding="utf-8")


def test_what_is_activated_serves(fast: Running) -> None:
    before = fast.recommend("0007")
    copy_version(fast.service, "v2")
    model_store(fast.service.workspace).serve("v2")
    fast.service.deployment.look()  # unless the service has looked by itself
    after = fast.recommend("0007")
    assert after["model_version"] == "v2"
    assert after["items"] == before["items"]
    fast.event(1, "换过之后", "课1")
    assert not fast.recommend("换过之后")["fallback"]
    assert not fast.service.deployment.look()


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "flipped", "manifest", "pointer"])
def test_what_is_damaged_is_refused(fast: Running, damage: str) -> None:
    before = fast.recommend("0007")
    folder = copy_version(fast.service, "坏")
    arrays = max((path for path in folder.iterdir() if path.suffix == ".safetensors"), key=lambda p: p.stat().st_size)
    content = arrays.read_bytes()
    if damage == "missing":
        arrays.unlink()
    elif damage == "empty":
        arrays.write_bytes(b"")
    elif damage == "truncated":
        arrays.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        arrays.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif damage == "manifest":
        (folder / "manifest.json").write_text("{", encoding="utf-8")
    point(fast.service, "没有这个" if damage == "pointer" else "坏")
    assert not fast.service.deployment.look()
    assert not fast.service.deployment.look(), "it is not tried again and again"
    ready = fast.ask("GET", "/health/ready").json()
    assert ready["model_version"] == before["model_version"]
    assert ready["refused"]
    assert fast.recommend("0007")["items"] == before["items"]
    point(fast.service, before["model_version"])
    fast.service.deployment.look()
    assert not fast.ask("GET", "/health/ready").json()["refused"]


class Wrong:
    """A model whose scores are wrong in some way."""

    def __init__(self, model: object, kind: str) -> None:
        self._model, self._kind = model, kind

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)

    def score(self, histories, target):
        scores = self._model.score(histories, target)
        if self._kind == "shape":
            return scores[:, :-1]
        if self._kind == "raises":
            raise RuntimeError("a fault")
        return np.full_like(scores, np.inf)


@pytest.mark.parametrize("kind", ["shape", "infinite"])
def test_canaries_find_wrong_scores(fast: Running, kind: str) -> None:
    from dataclasses import replace

    now = fast.service.deployment.now
    engines = {name: replace(engine, model=Wrong(engine.model, kind)) for name, engine in now.engines.items()}
    with pytest.raises(ArtifactError, match="wrong shape"):
        tried(replace(now, engines=engines))


def test_a_fault_of_the_model_shows_what_is_popular(fast: Running, caplog: pytest.LogCaptureFixture) -> None:
    from dataclasses import replace

    now = fast.service.deployment.now
    whole = {name: engine.model for name, engine in now.engines.items()}

    class Sometimes(Wrong):
        def score(self, histories, target):
            if len(histories.items):
                raise RuntimeError("a fault")
            return self._model.score(histories, target)

    engines = {name: replace(engine, model=Sometimes(whole[name], "")) for name, engine in now.engines.items()}
    fast.service.deployment.now = replace(now, engines=engines)
    ranked = fast.recommend("0007")
    assert (ranked["degraded"], ranked["fallback"], len(ranked["items"])) == (True, "popular", 5)
    assert "a fault" in caplog.text


def test_an_answer_is_of_one_version(workspace: Workspace, fast: Running) -> None:
    """Versions are swapped in a loop while lists are asked for; titles tell which version a list is of."""
    from dataclasses import replace

    now = fast.service.deployment.now
    versions: dict[str, Deployed] = {}
    for name in ("一", "二"):
        engines = {}
        for language, engine in now.engines.items():
            made = replace(engine, model_version=name)
            object.__setattr__(made, "titles", [f"{name}{title}" for title in engine.titles])
            engines[language] = made
        versions[name] = replace(now, engines=engines)
    pointer = ["一"]
    deployment = Deployment(lambda name: versions[name or "一"], lambda: pointer[0])
    fast.service.deployment = deployment
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            pointer[0] = "二" if pointer[0] == "一" else "一"
            deployment.look()

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = set()

        def ask(number: int) -> None:
            if number % 4:
                ranked = fast.recommend(f"{number % 40:04d}")
            else:
                ranked = fast.ask("GET", f"/v1/items/courses/课{number % 20}/similar?target=car").json()
            seen.add(ranked["model_version"])
            assert {each["title"][0] for each in ranked["items"]} == {ranked["model_version"]}

        with ThreadPoolExecutor(6) as callers:
            list(callers.map(ask, range(200)))
    finally:
        stop.set()
        swapper.join()
    assert seen == {"一", "二"}
    assert json.dumps(sorted(seen))
