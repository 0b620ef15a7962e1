"""A small trained workspace, and the service over it in this process."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from starlette.testclient import TestClient

from kuajie.bootstrap import deployed, model_store, outbound, service_of
from kuajie.cli.main import run
from kuajie.core.records import Organisation
from kuajie.core.texts import Text
from kuajie.service import push
from kuajie.service.app import make_app
from kuajie.service.calls import Service
from kuajie.storage.cache.memory import MemoryCache
from kuajie.storage.outbound.sender import PinnedSender, resolve
from kuajie.testing.memory_store import MemoryStore
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.access import OPERATOR_SCOPES, PUBLISHABLE_SCOPES, SCOPES, TokenBucket
from kuajie.workflows.deploy import Deployment
from kuajie.workflows.keys import new_key
from kuajie.workflows.tail import Tail
from kuajie.workflows.webhooks import Answer, Outbound, Sender
from kuajie.workflows.workspace import Workspace

NOW = datetime.now(UTC)
PAGE = "https://shop.example"
TOML = """
[workspace]
name = "种好的世界"

[training]
seconds = 20
kinds = ["popularity", "itemknn"]

[domains.courses]
title = "课程"
title_en = "Courses"
[[domains.courses.events]]
path = "courses.csv"
columns = { user = "uid", item = "item", occurred_at = "ts" }

[domains.car]
title = "汽车"
[[domains.car.events]]
path = "car.csv"
columns = { user = "uid", item = "item", occurred_at = "ts" }
kind = "purchase"

[identity]
method = "links"
[[identity.links]]
path = "links.csv"
domain_a = "courses"
domain_b = "car"
"""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Person p likes topic p % 4, item i of either domain has topic i % 4; p is "0007" in courses and "车7" in car."""
    folder = tmp_path_factory.mktemp("服务")
    interactions = two_domain_interactions()[0]
    histories, size = interactions.histories, interactions.space.sizes[0]
    lines: dict[str, list[str]] = {"courses": ["uid,item,ts"], "car": ["uid,item,ts"]}
    assert histories.times is not None
    for person, item, time in zip(histories.rows(), histories.items, histories.times, strict=True):
        domain, prefix, user = ("courses", "课", f"{person:04d}") if item < size else ("car", "🚗", f"车{person}")
        lines[domain].append(f"{user},{prefix}{item % size},{datetime.fromtimestamp(time, UTC).isoformat()}")
    for domain, rows in lines.items():
        (folder / f"{domain}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    joined = [f"{person:04d},车{person}" for person in range(interactions.n_people)]
    (folder / "links.csv").write_text("\n".join(["user_a,user_b", *joined]) + "\n", encoding="utf-8")
    (folder / "kuajie.toml").write_text(TOML, encoding="utf-8")
    for command in ("import", "train"):
        with pytest.raises(SystemExit) as end:
            run([command, "--workspace", str(folder)])
        assert not end.value.code
    return folder


@pytest.fixture
def workspace(template: Path, tmp_path: Path) -> Workspace:
    """A workspace of one test."""
    return Workspace.open(Path(shutil.copytree(template, tmp_path / "工作区")))


@dataclass(frozen=True)
class Outcome:
    """What a person saw."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def kuajie(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs a command in this process and returns its exit code and output."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            run([str(argument) for argument in arguments])
        return Outcome(int(end.value.code or 0), *capfd.readouterr())

    return call


@pytest.fixture(autouse=True)
def streams_end_after_their_first_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a request says how long it wants to read; the test client waits for the end."""
    monkeypatch.setattr(push, "SECONDS", 0)


@dataclass
class Running:
    """A service and who may ask it."""

    service: Service
    client: TestClient

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Any:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.client.request(method, path, json=body, headers=headers) if body is not None else (
            self.client.request(method, path, headers=headers)
        )  # fmt: skip

    def post(self, path: str, body: Any, token: str | None = None, status: int = 200, **headers: str) -> Any:
        answer = self.ask("POST", path, body, token, **headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def recommend(self, user: str = "0007", status: int = 200, token: str | None = None, **more: Any) -> Any:
        body = {"domain": "courses", "user": user, "target": "car", "k": 5, **more}
        return self.post("/v1/recommend", body, token, status)

    def event(self, number: object, user: str, item: str, token: str | None = None, **more: Any) -> Any:
        event = {"event_id": f"e{number}", "domain": "courses", "user": user, "item": item, "kind": "purchase", **more}
        return self.post("/v1/events", event, token)


def telling(workspace: Workspace) -> Outbound:
    """What telling others needs; hosts under `example` have an address, which no test speaks to."""
    made = outbound(workspace, {})
    assert isinstance(made.sender, PinnedSender)
    return replace(made, sender=replace(made.sender, resolver=addresses))


def addresses(host: str, port: int) -> list[str]:
    return ["1.1.1.1"] if host.endswith(".example") else resolve(host, port)


def with_memory(workspace: Workspace) -> Service:
    """The service over a store in memory."""
    store, cache, models = MemoryStore(), MemoryCache(), model_store(workspace)
    deployment = Deployment(lambda version: deployed(workspace, models, store, cache, version), models.serving)
    return Service(workspace, store, cache, deployment, Tail.at_end(store, cache), outbound=telling(workspace))


def with_sqlite(workspace: Workspace) -> Service:
    """The service as `kuajie serve` makes it."""
    parts = service_of(workspace)
    return Service(workspace, parts.store, parts.cache, parts.deployment, parts.tail, outbound=parts.outbound)


@pytest.fixture(params=[with_memory, with_sqlite], ids=["memory", "sqlite"])
def running(workspace: Workspace, request: pytest.FixtureRequest) -> Iterator[Running]:
    """In demo mode, over both stores."""
    yield from _run(request.param(workspace))


@pytest.fixture
def fast(workspace: Workspace) -> Iterator[Running]:
    """In demo mode, over a store in memory."""
    yield from _run(with_memory(workspace))


@dataclass(frozen=True)
class Silent:
    """Judges addresses as another sender does, and sends nothing."""

    judge: Sender

    def problem(self, url: str) -> Text | None:
        return self.judge.problem(url)

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return Answer(200)


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The same for all tests of a module that do not mind what others left behind.

    Nobody asks it too often, keys that a test makes do not end its demo mode, and it sends nothing to webhooks.
    """
    folder = shutil.copytree(template, tmp_path_factory.mktemp("共用") / "工作区")
    service = with_memory(Workspace.open(folder))
    service.bucket, service.insist = TokenBucket(1e9, monotonic), True
    assert service.outbound is not None
    service.outbound = replace(service.outbound, sender=Silent(service.outbound.sender))
    yield from _run(service)


def _run(service: Service) -> Iterator[Running]:
    service.demo = True
    with TestClient(make_app(service), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield Running(service, client)


def operator_of(service: Service) -> str:
    """A token that opens what operators do, which demo mode does not; it is in no store."""
    made, key = new_key("", "secret", NOW, scopes=OPERATOR_SCOPES)
    service.doorkeeper.admit(key)
    return made


@pytest.fixture
def token(fast: Running) -> Callable[..., str]:
    """Makes keys: token("courses"), token("car", "publishable"); from then on there is no demo mode."""
    fast.service.demo = False
    access = fast.service.store.access
    for domain in ("courses", "car"):
        access.put_organisation(
            Organisation(organisation_id=f"{domain}公司", name=domain, created_at=NOW, domains=(domain,))
        )

    def make(domain: str, kind: Any = "secret", **more: Any) -> str:
        scopes = PUBLISHABLE_SCOPES if kind == "publishable" else SCOPES
        origins = (PAGE,) if kind == "publishable" else ()
        made, key = new_key(f"{domain}公司", kind, NOW, **{"scopes": scopes, "origins": origins, **more})
        access.add_key(key)
        return made

    return make
