"""Events -> snapshot -> train -> activate: by command, by the service's own schedule, and whatever goes wrong."""

import json
import random
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kuajie.api import loop_once
from kuajie.bootstrap import model_store
from kuajie.core.errors import ArtifactError
from kuajie.core.locks import locked
from kuajie.workflows import loop as looping
from kuajie.workflows.schedule import LoopLog, Round
from kuajie.workflows.workspace import Workspace

from .conftest import Outcome, Running, _run, with_sqlite
from .test_process import COMMAND, ENVIRONMENT


def configured(workspace: Workspace, text: str = "") -> Workspace:
    """The workspace with more in its configuration."""
    config = workspace.root / "kuajie.toml"
    config.write_text(config.read_text(encoding="utf-8") + "\n" + text, encoding="utf-8")
    return Workspace.open(workspace.root)


def shuffled(workspace: Workspace) -> None:
    """Make tastes disappear from the sources: items are dealt out anew."""
    rng = random.Random(0)
    for domain in ("courses", "car"):
        path = workspace.root / f"{domain}.csv"
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        rows = [line.split(",") for line in lines]
        items = [row[1] for row in rows]
        rng.shuffle(items)
        text = [",".join([row[0], item, *row[2:]]) for row, item in zip(rows, items, strict=True)]
        path.write_text("\n".join([head, *text]) + "\n", encoding="utf-8")


def behave(running: Running, people: int = 120) -> None:
    """Known people use the rest of their topic, and as many new ones four things of theirs."""
    rng = random.Random(1)
    events = []
    for person in range(people):
        for domain, prefix, name in (("courses", "课", f"{person:04d}"), ("car", "🚗", f"车{person}")):
            own = range(person % 4, 20, 4)
            for user, items in ((name, own), (f"新{person}", rng.sample(own, 4))):
                for item in items:
                    event = {"domain": domain, "user": user, "item": f"{prefix}{item}", "kind": "purchase"}
                    events.append({"event_id": f"{domain}{user}-{item}", **event})
    for start in range(0, len(events), 500):
        running.post("/v1/events", {"events": events[start : start + 500]})


@pytest.fixture
def live(workspace: Workspace) -> Any:
    """A service over SQLite, which holds the store while rounds read it."""
    workspace = configured(workspace, "[loop]\nleast_events = 5\nleast_rows = 20\n")
    yield from _run(with_sqlite(workspace))


def test_a_round_brings_what_people_did_into_the_model(live: Running) -> None:
    workspace, models = live.service.workspace, model_store(live.service.workspace)
    first = models.load()
    assert loop_once(workspace).outcome == "skipped"
    behave(live)
    done = loop_once(workspace)
    assert (done.outcome, done.mode, done.new_events) == ("activated", "fitted again", 5)
    new = models.load()
    assert new.version.model_version == done.model_version == models.serving()
    assert new.version.based_on == first.version.model_version
    assert new.model.config.blend == first.model.config.blend  # type: ignore[attr-defined]
    assert done.metrics["car"]["rows"] > 20, "the new people, asked for what the serving model has not seen"
    live.service.deployment.look()  # unless the service has looked by itself
    assert live.service.deployment.now.model_version == done.model_version
    assert live.service.deployment.now.dataset.n_people >= 520
    assert loop_once(workspace).outcome == "skipped", "nothing has happened since"
    assert live.ask("GET", "/health/ready").json()["loop"].startswith("skipped 20")


def test_models_are_chosen_anew_after_a_while(live: Running) -> None:
    behave(live, 40)
    workspace = configured(live.service.workspace, "")
    loop = workspace.config.loop.model_copy(update={"choose_hours": 0.0, "budget_seconds": 5.0})
    config = workspace.config.model_copy(update={"loop": loop})
    done = loop_once(Workspace(workspace.root, config))
    assert (done.outcome, done.mode) == ("activated", "chosen")
    version = model_store(workspace).load().version
    assert version.based_on == ""
    assert version.chosen_at is not None


def test_old_versions_go_and_the_last_three_stay(live: Running) -> None:
    workspace, models = live.service.workspace, model_store(live.service.workspace)
    first = models.serving()
    for _ in range(4):
        assert loop_once(workspace, force=True).outcome == "activated"
    assert len(models.versions()) == 3
    assert first not in {version.model_version for version in models.versions()}
    named = {version.snapshot_id for version in models.versions()}
    there = {path.parent.name for path in workspace.warehouse.glob("*/manifest.json")}
    assert named <= there
    assert len(there) <= 6
    live.service.look()
    assert not live.recommend("0007")["degraded"]


def test_a_model_that_finds_less_does_not_serve(live: Running, kuajie: Callable[..., Outcome]) -> None:
    behave(live)
    workspace, models = live.service.workspace, model_store(live.service.workspace)
    before = models.serving()
    shuffled(workspace)
    refused = kuajie("loop", "--once", "-w", workspace.root, "--lang", "zh")
    assert refused.code == 1
    assert "不可启用" in refused.out
    assert models.serving() == before
    done = LoopLog(workspace.models).last()
    assert done.outcome == "refused"
    assert "recall@10" in done.reason
    assert done.metrics["car"]["recall@10"] < done.metrics["car"]["serving_recall@10"]
    doctor = kuajie("doctor", "-w", workspace.root, "--json")
    assert doctor.code == 1
    assert "recall@10" in doctor.out
    assert "refused" in live.ask("GET", "/health/ready").json()["loop"]


def test_a_snapshot_that_lost_half_does_not_serve(live: Running) -> None:
    workspace, models = live.service.workspace, model_store(live.service.workspace)
    before = models.serving()
    for domain in ("courses", "car"):
        path = workspace.root / f"{domain}.csv"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join(lines[: len(lines) // 2]) + "\n", encoding="utf-8")
    done = loop_once(workspace, force=True)
    assert done.outcome == "refused"
    assert "events" in done.reason
    assert models.serving() == before


def test_canaries_refuse_and_a_pin_holds(live: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, models = live.service.workspace, model_store(live.service.workspace)
    before = models.serving()
    models.pin(before)
    done = loop_once(workspace, force=True)
    assert (done.outcome, models.serving()) == ("trained", before)
    models.pin(before, keep=False)

    def broken(*_: object) -> None:
        raise ArtifactError("金丝雀死了")

    monkeypatch.setattr(looping, "try_out", broken)
    done = loop_once(workspace, force=True)
    assert (done.outcome, done.reason, models.serving()) == ("refused", "金丝雀死了", before)


def test_a_failure_is_on_record_and_the_next_round_goes_on(live: Running, kuajie: Callable[..., Outcome]) -> None:
    workspace, models = live.service.workspace, model_store(live.service.workspace)
    before, source = models.serving(), workspace.root / "car.csv"
    aside = source.rename(source.with_suffix(".aside"))
    failed = kuajie("loop", "--once", "--force", "-w", workspace.root, "--lang", "en")
    assert failed.code == 1
    assert "car.csv" in failed.err
    assert models.serving() == before
    assert LoopLog(workspace.models).last().outcome == "failed"
    shown = kuajie("loop", "--show", "-w", workspace.root, "--json").data
    assert [each["outcome"] for each in shown["rounds"]] == ["failed"]
    aside.rename(source)
    assert loop_once(workspace, force=True).outcome == "activated"


def test_one_round_at_a_time(workspace: Workspace, kuajie: Callable[..., Outcome]) -> None:
    with locked(workspace.models / "loop.lock") as free:
        assert free
        busy = kuajie("loop", "--once", "-w", workspace.root, "--lang", "zh")
        assert busy.code == 1
        assert "另一个进程正在运行" in busy.err
    unplanned = kuajie("loop", "-w", workspace.root, "--lang", "zh")
    assert (unplanned.code, "没有计划" in unplanned.err) == (2, True)


@pytest.mark.parametrize("moments", [(0.4,), pytest.param((0.05, 0.2, 0.4, 0.9), marks=pytest.mark.slow)])
def test_kill_in_the_middle_changes_nothing(workspace: Workspace, moments: tuple[float, ...]) -> None:
    """Whenever the process dies, the pointer names a whole model and the next round runs."""
    models, log = model_store(workspace), LoopLog(workspace.models)
    before = models.serving()
    command = [*COMMAND, "loop", "--once", "--force", "-w", str(workspace.root)]
    seen = set()
    for moment in moments:
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            last = log.last()
            if last is not None and last.outcome == "running" and last.started_at not in seen:
                seen.add(last.started_at)
                time.sleep(moment)
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert models.load().version.model_version == models.serving()
        with locked(log.lock) as free:
            assert free, "the system lets go of the lock"
    assert len(seen) == len(moments)
    after = loop_once(workspace, force=True)
    assert after.outcome == "activated"
    assert models.serving() == after.model_version != before
    assert "failed" in {each.outcome for each in log.rounds()}


def test_incremental_training_and_the_commands_of_models(workspace: Workspace, kuajie: Callable[..., Outcome]) -> None:
    models = model_store(workspace)
    first = models.load()
    made = kuajie("train", "--incremental", "-w", workspace.root, "--json")
    assert made.code == 0
    version = made.data["version"]
    assert version["based_on"] == first.version.model_version
    again = models.load()
    assert again.model.config.blend == first.model.config.blend  # type: ignore[attr-defined]
    histories = live_rows(workspace)
    for domain in ("courses", "car"):
        assert again.model.score(histories, domain) == pytest.approx(first.model.score(histories, domain), nan_ok=True)
    text = kuajie("train", "--from-version", first.version.model_version, "-w", workspace.root, "--lang", "zh")
    assert first.version.model_version in text.out
    assert kuajie("train", "--from-version", "不存在", "-w", workspace.root).code == 2
    root = workspace.root
    assert kuajie("models", "pin", first.version.model_version, "-w", root, "--json").data["pinned"] == [
        first.version.model_version
    ]
    for _ in range(4):
        assert kuajie("train", "--incremental", "-w", root).code == 0
    pruned = kuajie("models", "prune", "-w", root, "--lang", "zh")
    assert "已删除：3 个模型" in pruned.out
    assert first.version.model_version in {each.model_version for each in models.versions()}
    assert kuajie("models", "unpin", first.version.model_version, "-w", root).code == 0
    assert kuajie("models", "prune", "-w", root, "--json").data["removed"]["models"] == [first.version.model_version]
    assert kuajie("models", "pin", "-w", root).code == 2


def live_rows(workspace: Workspace) -> Any:
    import numpy as np

    from kuajie.api import newest_dataset

    return newest_dataset(workspace).interactions().histories.take(np.arange(20))


def test_the_service_follows_its_schedule(workspace: Workspace) -> None:
    """A running service takes up by itself what people did, and answers meanwhile."""
    workspace = configured(workspace, "[loop]\nevery_minutes = 0.05\nleast_events = 1\n")
    command = [*COMMAND, "serve", "-w", str(workspace.root), "--port", "0", "--lang", "en"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        assert process.stdout is not None
        url = next(word for word in process.stdout.readline().split() if word.startswith("http"))

        def ask(path: str, body: Any = None) -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)

        before = ask("/health/ready")["model_version"]
        event = {"event_id": "1", "domain": "courses", "user": "新来的", "item": "课1", "kind": "purchase"}
        assert ask("/v1/events", event)["accepted"] == 1
        asked = {"domain": "courses", "user": "新来的", "target": "car", "k": 5}
        until = time.monotonic() + 60
        while ask("/health/ready")["model_version"] == before and time.monotonic() < until:
            assert len(ask("/v1/recommend", asked)["items"]) == 5
            time.sleep(0.1)
        ready = ask("/health/ready")
        assert ready["model_version"] != before
        assert not ready["refused"]
        assert not ask("/v1/recommend", asked)["degraded"]
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    rounds = LoopLog(workspace.models).rounds()
    assert "activated" in {each.outcome for each in rounds}
    assert not {each.outcome for each in rounds} & {"running", "claimed"}, "stopping ends a round and says so"


def test_the_command_follows_the_schedule_too(workspace: Workspace) -> None:
    workspace = configured(workspace, "[loop]\nevery_minutes = 0.01\nleast_events = 0\n")
    before = model_store(workspace).serving()
    process = subprocess.Popen(
        [*COMMAND, "loop", "-w", str(workspace.root), "--lang", "zh"],
        env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    until = time.monotonic() + 60
    while model_store(workspace).serving() == before and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert model_store(workspace).serving() != before
    assert "循环按计划运行" in out
    assert out.splitlines()[-1] == "已停止。"


def test_a_child_has_few_threads_and_is_nice(workspace: Workspace, tmp_path: Path) -> None:
    """The thread pools of libraries must not multiply beside a service."""
    from kuajie.workflows import looper

    seen: dict[str, Any] = {}

    def popen(command: list[str], env: dict[str, str], **_: Any) -> Any:
        seen.update(command=command, env=env)
        return subprocess.Popen(["true"])

    original, subprocess_ = subprocess.Popen, looper.subprocess
    looper.subprocess = type("S", (), {"Popen": staticmethod(popen), "DEVNULL": subprocess.DEVNULL})  # type: ignore[attr-defined, misc]
    try:
        looper.start(workspace).wait()
    finally:
        looper.subprocess = subprocess_  # type: ignore[attr-defined]
    assert subprocess.Popen is original
    assert {seen["env"][name] for name in looper.POOLS} == {"1"}
    assert seen["env"][looper.NICENESS] == "10"
    code = "import os; before = os.nice(0); from kuajie.cli.main import run\ntry:\n run()\nexcept SystemExit: pass\n"
    process = subprocess.run(
        [*COMMAND[:2], code + "print(os.nice(0) - before)", *seen["command"][3:]],
        env={**ENVIRONMENT, looper.NICENESS: "7"}, capture_output=True, text=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert process.stdout.splitlines()[-1] == "7"


def test_the_record_says_what_a_dead_round_was(workspace: Workspace) -> None:
    log = LoopLog(workspace.models)
    log.keep(Round(started_at=looping.system_clock(), outcome="running"))
    log.settle()
    assert log.last().outcome == "failed"
