"""Real Chromium before a real `kuajie serve`. Every page comes from another address than the service, as a shop's does.

The widget sends a publishable key, the demo page none (`serve --demo`). The service is a process of its own, since
Playwright's loop and those of other tests do not live in one.
"""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

import kuajie
from kuajie.bootstrap import operational_store
from kuajie.cli.main import run
from kuajie.core.records import Event, Exposure, Organisation
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.access import PUBLISHABLE_SCOPES, SCOPES
from kuajie.workflows.keys import new_key
from kuajie.workflows.workspace import Workspace

COMMAND = (sys.executable, "-c", "from kuajie.cli.main import run; run()")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(kuajie.__file__).parents[1]), "LANG": "C.UTF-8"}
CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
ADVICE = "NOT TESTED on Chromium: the machine has none. Run: apt-get install chromium fonts-wqy-microhei"
PERSON = "0003"
HOSTILE = '<img src=x onerror="window.hacked=1">{{7*7}}'
TOML = """
[workspace]
name = "浏览器里的世界"
language = "zh"

[training]
seconds = 20
kinds = ["popularity", "itemknn"]

[service]
push_seconds = 0.2

[domains.courses]
title = "知识平台"
title_en = "Knowledge platform"
[[domains.courses.items]]
path = "courses_items.csv"
[[domains.courses.events]]
path = "courses.csv"

[domains.car]
title = "汽车用品"
title_en = "Car shop"
[[domains.car.items]]
path = "car_items.csv"
[[domains.car.events]]
path = "car.csv"
kind = "purchase"

[identity]
method = "links"
[[identity.links]]
path = "links.csv"
domain_a = "courses"
domain_b = "car"
"""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Person p likes topic p % 4, item i of either domain has topic i % 4. Items of topic 0 have hostile titles."""
    folder = tmp_path_factory.mktemp("浏览器")
    interactions = two_domain_interactions()[0]
    histories, size = interactions.histories, interactions.space.sizes[0]
    lines = {"courses": ["user,item,occurred_at"], "car": ["user,item,occurred_at"]}
    assert histories.times is not None
    for person, item, time in zip(histories.rows(), histories.items, histories.times, strict=True):
        domain, user = ("courses", f"{person:04d}") if item < size else ("car", f"车{person}")
        lines[domain].append(f"{user},{domain}-{item % size},{datetime.fromtimestamp(time, UTC).isoformat()}")
    for domain, rows in lines.items():
        (folder / f"{domain}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        named = {"courses": ("养车课", "Course"), "car": ("座椅", "Seat")}[domain]
        quoted = HOSTILE.replace('"', '""')
        titles = [
            f'{domain}-{n},"{quoted}{n}","{quoted}{n}",topic 0'
            if n % 4 == 0
            else f"{domain}-{n},{named[0]}·{n}号,{named[1]} no. {n},topic {n % 4}"
            for n in range(size)
        ]
        (folder / f"{domain}_items.csv").write_text(
            "\n".join(["item,title,title_en,category", *titles]) + "\n", "utf-8"
        )
    joined = [f"{person:04d},车{person}" for person in range(interactions.n_people)]
    (folder / "links.csv").write_text("\n".join(["user_a,user_b", *joined]) + "\n", encoding="utf-8")
    (folder / "kuajie.toml").write_text(TOML, encoding="utf-8")
    for command in ("import", "train"):
        with pytest.raises(SystemExit) as end:
            run([command, "--workspace", str(folder)])
        assert not end.value.code
    return folder


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a service, its process gone afterwards."""
    command = [*COMMAND, "serve", "--workspace", str(folder), "--port", "0", "--lang", "zh", "--demo"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
    )
    patience = threading.Timer(60, process.kill)
    patience.start()
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
        assert found, "it did not start"
        patience.cancel()
        yield found[0]
    finally:
        patience.cancel()
        process.terminate()
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()


@dataclass
class Shop:
    """A page of somebody else, over a service that wants keys.

    Attributes:
        service: address of the service.
        origin: address of the page.
        key: publishable, for that page.
        folder: the workspace.
        body: what the page holds.
        policy: its content-security policy.
    """

    service: str
    origin: str
    key: str
    secret: str
    folder: Path
    body: str = ""
    policies: dict[str, str] = field(default_factory=dict)

    @property
    def policy(self) -> str:
        return (
            f"default-src 'none'; script-src {self.service} 'nonce-test'; connect-src {self.service}; "
            "style-src 'nonce-test'; img-src 'self'; base-uri 'none'"
        )

    def slot(self, inside: str = "", script: str = "", **attributes: str) -> str:
        """A page with one slot."""
        told = {
            "api": self.service,
            "key": self.key,
            "domain": "courses",
            "user": PERSON,
            "target": "car",
            **attributes,
        }
        listed = " ".join(f'{name}="{escape(value)}"' for name, value in told.items())
        source = script or f'<script type="module" src="{self.service}/widget/kj-slot.js"></script>'
        return f"{source}<kj-slot {listed}>{inside}</kj-slot>"

    def post(self, path: str, body: Any) -> Any:
        """As the platform's own server."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.secret}"}
        request = urllib.request.Request(self.service + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def event(self, number: object, item: str, user: str = PERSON, kind: str = "purchase") -> None:
        event = {"event_id": f"e{number}", "domain": "courses", "user": user, "item": item, "kind": kind}
        assert self.post("/v1/events", event)["rejected"] == 0

    def stored(self, list_id: str) -> tuple[list[Event], list[Exposure]]:
        """Answers to a list and what was seen of it, read from the store beside the service."""
        store = operational_store(Workspace.open(self.folder), write=False)
        try:
            rows = [row.event for row in store.events.after(0)]
            exposures = store.shown.exposures_of(list_id)
        finally:
            store.close()
        return [event for event in rows if event.exposure_id and list_id in event.exposure_id], exposures


STYLE = """<style nonce="test">
body { margin: 1rem; font-family: sans-serif } .tall { height: 3000px } kj-slot { display: block; min-height: 20rem }
</style>"""


@pytest.fixture(scope="session")
def shop(world: Path) -> Iterator[Shop]:
    """A service with keys, and a server of pages that may use one of them."""
    folder = world

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f"<!doctype html><html lang=zh><meta charset=utf-8><title>店</title>{STYLE}{made.body}".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", made.policy)
            self.end_headers()
            self.wfile.write(page if self.path.startswith("/page") else b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    origin = f"http://127.0.0.1:{pages.server_port}"
    secret, key = keys(folder, origin)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    try:
        with serving(folder) as service:
            made = Shop(service, origin, key, secret, folder)
            yield made
    finally:
        pages.shutdown()
        pages.server_close()


def keys(folder: Path, origin: str) -> tuple[str, str]:
    """A secret and a publishable key of the platform."""
    now = datetime.now(UTC)
    secret, first = new_key("平台", "secret", now, scopes=SCOPES)
    key, second = new_key("平台", "publishable", now, scopes=PUBLISHABLE_SCOPES, origins=(origin,))
    store = operational_store(Workspace.open(folder))
    try:
        platform = Organisation(organisation_id="平台", name="平台", created_at=now, domains=("courses",))
        store.access.put_organisation(platform)
        for each in (first, second):
            store.access.add_key(each)
    finally:
        store.close()
    return secret, key


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; gone after the module, since its loop must not meet those of other tests."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip(ADVICE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, shop: Shop) -> Iterator[Callable[..., Page]]:
    """Opens the shop's page: visit(body, locale="zh-CN"). No page may report an error."""
    expect.set_options(timeout=5_000)
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(body: str, **options: Any) -> Page:
        shop.body = body
        quiet = options.pop("quiet", False)
        context = browser.new_context(**{"locale": "zh-CN", "viewport": {"width": 900, "height": 700}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        if not quiet:
            page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.goto(shop.origin + "/page")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
