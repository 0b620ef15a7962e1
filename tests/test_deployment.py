"""The Dockerfile and compose.yaml, as far as it can be told without an engine: what they name exists and is allowed."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from kuajie.cli.main import app
from kuajie.service.routes import ROUTES
from kuajie.storage.sql.address import address
from kuajie.workflows.environment import overridden
from kuajie.workflows.schedule import LoopConfig
from kuajie.workflows.workspace import ServiceConfig, StoreConfig

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
EXTRAS = ("service", "mysql", "postgres", "redis", "telemetry")


def instructions() -> list[tuple[str, str]]:
    """Those of the Dockerfile, with continuation lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else command


def test_the_image_is_built_from_what_there_is() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert any(f"!{source}".startswith(line) for line in ignored if line.startswith("!")), source
    for kept in ("README.md", "LICENSE"):
        assert kept in str(PROJECT), "the build reads it"


def test_the_image_is_pinned_small_and_not_root() -> None:
    steps = instructions()
    bases = [rest.split()[0] for word, rest in steps if word == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.1[123]-slim-\w+", base) for base in bases)
    last = steps[max(place for place, (word, _) in enumerate(steps) if word == "FROM") :]
    names = [word for word, _ in last]
    assert dict(last)["USER"] == "kuajie"
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in {"RUN", "COPY"})
    assert {"HEALTHCHECK", "ENTRYPOINT", "CMD", "EXPOSE"} <= set(names)
    assert not re.search(r"\bADD\b|:latest|curl .*\| *sh|sudo", (ROOT / "Dockerfile").read_text())
    runs = " ".join(rest for word, rest in steps if word == "RUN")
    assert runs.count("pip install") - runs.count("--no-deps /wheels") == runs.count("--require-hashes")


def test_the_image_starts_a_command_and_asks_a_route() -> None:
    last = dict(instructions())
    assert yaml.safe_load(last["ENTRYPOINT"]) == ["kuajie"]
    assert "kuajie" in PROJECT["scripts"]
    assert yaml.safe_load(last["CMD"])[0] in COMMANDS
    check = last["HEALTHCHECK"]
    assert "/health/ready" in {route.path for route in ROUTES}
    compile(yaml.safe_load(check[check.index("CMD ") + 4 :])[2], "healthcheck", "exec")
    assert "/health/ready" in check
    names = dict(pair.split("=", 1) for pair in last["ENV"].split())
    told = overridden({}, names, {"service": ServiceConfig})
    assert told["service"] == {"host": "0.0.0.0", "port": "8000"}


@pytest.mark.parametrize("file", ["service.txt", "build.txt"])
def test_what_is_installed_has_hashes(file: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements" / file).read_text(encoding="utf-8").strip())
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry
    assert "://" not in " ".join(entries)


def test_everything_that_the_service_needs_is_installed() -> None:
    text = (ROOT / "requirements" / "service.txt").read_text(encoding="utf-8")
    needed = PROJECT["dependencies"] + [each for extra in EXTRAS for each in PROJECT["optional-dependencies"][extra]]
    for requirement in needed:
        name = re.match(r"[A-Za-z0-9-]+", requirement)
        assert name is not None
        assert re.search(rf"^{name[0].lower()}==", text, flags=re.MULTILINE), requirement


def test_the_services_depend_on_each_other_and_are_healthy(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"database", "redis", "setup", "service", "trainer"}
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy", name
            assert "test" in services[other]["healthcheck"]
        image = service["image"]
        assert image == "kuajie" or re.search(r":\d", image), "a tag that says which"
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or source.startswith("$"), volume
    assert services["service"]["ports"] == ["127.0.0.1:8000:8000"], "nothing is open to others without a proxy"


def test_the_commands_exist(compose: dict[str, Any]) -> None:
    found = []
    for service in compose["services"].values():
        if service["image"] != "kuajie":
            continue
        command = service["command"]
        if "entrypoint" not in service:
            found.append(command)
        else:
            assert service["entrypoint"] == ["/bin/sh", "-c"]
            found += [each.split() for each in re.findall(r"kuajie ([a-z][^&;]*)", command[0])]
    assert len(found) == 4
    for words in found:
        options = {option for param in COMMANDS[words[0]].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= options, words


def test_the_settings_are_settings(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        if service["image"] == "kuajie":
            sections = {"service": ServiceConfig, "store": StoreConfig, "loop": LoopConfig}
            said = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in service["environment"].items()}
            told = overridden({}, said, sections)
            place = told["store"]["database"].replace("${KUAJIE_PASSWORD:?}", "secret")
            url = address(place, None, ROOT)
            assert (url.drivername, url.host) in {("mysql+pymysql", name) for name in compose["services"]}
            assert told["store"]["redis"].split("/")[2].split(":")[0] in compose["services"]


def test_the_variables_are_explained(compose: dict[str, Any]) -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"(?<!\$)\$\{(\w+)", text)):
        assert name in text.split("x-kuajie")[0], name
        assert name in page, name
    assert not re.search(r"PASSWORD: (?!\$\{\w+:\?\})", text), "no password is written down, and none is optional"
