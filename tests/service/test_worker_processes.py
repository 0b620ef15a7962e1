"""Workers as processes: forked, replaced, stopped. What they do here is to write their number into a folder."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kuajie.service.workers import Workers

from .test_process import ENVIRONMENT

SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from kuajie.core.errors import ConfigError, JobError
from kuajie.service.workers import Workers

folder, how = Path(sys.argv[1]), sys.argv[2]

def work(answers):
    if how == "broken" or (folder / "away").exists():
        (folder / f"tried-{os.getpid()}").touch()
        raise ConfigError("{what} 缺失", what="库存")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / str(os.getpid())).touch()
    answers()
    while True:
        time.sleep(0.05)

try:
    Workers(work, 2, 1.0, lambda: print("answers")).run()
    print("stopped")
except JobError as error:
    sys.exit(str(error.text.values["why"]))
"""


def supervised(folder: Path, how: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SCRIPT, str(folder), how]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pids(folder: Path) -> set[int]:
    return {int(path.name) for path in folder.iterdir() if path.name.isdigit()}


@pytest.mark.parametrize("how", ["willing", "deaf"])
def test_workers_are_replaced_and_stop(tmp_path: Path, how: str) -> None:
    process = supervised(tmp_path, how)
    try:
        until(lambda: len(pids(tmp_path)) == 2)
        first = min(pids(tmp_path))
        os.kill(first, signal.SIGKILL)
        until(lambda: len(pids(tmp_path)) == 3)
        assert not alive(first)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "answers\nstopped\n"), err
    assert f"worker {first} has ended (a process ended with code -9)" in err
    assert ("did not stop in time" in err) == (how == "deaf")
    assert not any(map(alive, pids(tmp_path)))


@pytest.mark.parametrize(("how", "why"), [("broken", "库存 缺失"), ("killed", "a process ended with code -9")])
def test_what_cannot_start_is_not_started_again_and_says_why(tmp_path: Path, how: str, why: str) -> None:
    out, err = supervised(tmp_path, how).communicate(timeout=30)
    assert (out, err) == ("", why + "\n"), "one sentence, without a traceback"
    assert not pids(tmp_path)


def test_others_serve_on_while_a_place_cannot_be_filled(tmp_path: Path) -> None:
    process = supervised(tmp_path, "willing")
    try:
        until(lambda: len(pids(tmp_path)) == 2)
        first, second = sorted(pids(tmp_path))
        time.sleep(0.5)  # both have been heard
        (tmp_path / "away").touch()
        os.kill(first, signal.SIGKILL)
        until(lambda: len(list(tmp_path.glob("tried-*"))) == 2)
        assert alive(second)
        (tmp_path / "away").unlink()
        until(lambda: len(pids(tmp_path)) == 3)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "answers\nstopped\n"), err
    assert "(库存 缺失); another takes its place in 1 s" in err
    assert "(库存 缺失); another takes its place in 2 s" in err


def test_nothing_is_forked_beside_threads() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="threads"):
            Workers(lambda _: None, 2, patience=1.0).run()
    finally:
        ended.set()
        thread.join()


DOMAIN = """
[[domains.courses.events]]
path = "courses.csv"
columns = { user = "u", item = "i" }
"""
SERVING = """
import socket, sys
from pathlib import Path
from kuajie.core.errors import JobError
from kuajie.service.server import listening, serve_with_workers
from kuajie.service.workers import shared_numbers
from kuajie.workflows.workspace import Workspace

def announce():
    print("answers")

with shared_numbers(), listening("127.0.0.1", 0) as bound:
    try:
        serve_with_workers(Workspace.open(Path(sys.argv[1])), bound, 1, announce, demo=True, insist=True)
    except JobError as error:
        sys.exit(f"{error.exit_code} {error.text}")
"""


def test_a_service_without_a_model_ends_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "kuajie.toml").write_text(DOMAIN, encoding="utf-8")
    command = [sys.executable, "-c", SERVING, str(tmp_path)]
    done = subprocess.run(command, check=False, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("1 no process could start, so nothing is served: "), done.stderr
    assert "kuajie " in last.rpartition("served: ")[2], "what to do"
    assert "Traceback" not in done.stderr
    assert not done.stdout
