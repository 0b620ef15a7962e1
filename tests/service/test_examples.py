"""Every command and every line of Python that the documentation of the service shows, against a service."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kuajie.cli.main import run
from kuajie.client import Client, KeyRequest
from kuajie.workflows.control import offered

from .test_process import Served, serving

DOCS = Path(__file__).parents[2] / "docs"
BUDGET = '[training]\nseconds = 2\nkinds = ["popularity", "itemknn"]\n'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo world, small, with a model that is trained in a moment."""
    folder = tmp_path_factory.mktemp("示例") / "demo"
    call("init", str(folder), "--scenario", "car-parts", "--size", "small")
    config = folder / "kuajie.toml"
    text = re.sub(r"\[training\]\n(?:[^\[]*\n)?", "", config.read_text(encoding="utf-8"))
    config.write_text(f"{text}\n{BUDGET}", encoding="utf-8")
    for command in ("import", "train"):
        call(command, "--workspace", str(folder))
    with serving(folder, "--demo") as served, pytest.MonkeyPatch.context() as environment:
        control = offered(folder)
        assert control is not None
        with Client(served.url, control.key) as admin:
            made = admin.make_key(KeyRequest(organisation="示例", domains=["courses", "car_parts"]))
        environment.setenv("KUAJIE_KEY", made.key)  # for commands that show one
        yield served


def call(*arguments: str) -> None:
    with pytest.raises(SystemExit) as end:
        run(list(arguments))
    assert not end.value.code


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def curls(page: str) -> list[str]:
    """Each command that begins with curl, to the line that ends it for a shell."""
    commands: list[str] = []
    for line in "\n".join(blocks(page, "console")).splitlines():
        open_still = bool(commands) and (commands[-1].endswith("\\") or commands[-1].count("'") % 2 == 1)
        if open_still:
            commands[-1] += f"\n{line}"
        elif line.startswith("curl "):
            commands.append(line)
    return commands


def test_the_python_of_the_client_page_runs(served: Served) -> None:
    namespace: dict[str, Any] = {}
    source = blocks("client.md", "python")
    assert len(source) > 5
    for block in source:
        exec(compile(block.replace("http://127.0.0.1:8000", served.url), "client.md", "exec"), namespace)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("page", ["api.md", "operations.md"])
def test_the_curl_commands_run(served: Served, page: str) -> None:
    """In their order; LIST and ITEM stand for somebody's last list and its first item."""
    last: dict[str, Any] = {}
    commands = curls(page)
    assert commands or page != "api.md"
    for command in commands:
        shown = command.replace("http://127.0.0.1:8000", served.url)
        if last:
            shown = re.sub(r"\bLIST\b", last["list_id"], shown)
            shown = re.sub(r"\bITEM\b", last["items"][0]["item"], shown)
        endless = "/stream" in command  # it goes on until somebody has enough
        options = f"--max-time {3 if endless else 20} -w '\\n%{{http_code}}'"
        done = subprocess.run(
            ["bash", "-c", shown.replace("curl", f"curl {options}", 1)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == (28 if endless else 0), (command, done.stderr)
        body, _, status = done.stdout.rpartition("\n")
        assert status in {"200", "204"}, (command, body)
        told = json.loads(body) if body.startswith("{") else {}
        assert not told.get("rejected"), (command, body)
        last = told if "list_id" in told and '"user"' in command else last  # a page's list is nobody's
