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
from kuajie.service.workers import Workers

folder, how = Path(sys.argv[1]), sys.argv[2]

def work():
    if how == "broken":
        raise SystemExit(3)
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / str(os.getpid())).touch()
    while True:
        time.sleep(0.05)

Workers(work, 2, patience=1.0).run()
print("stopped")
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
    return {int(path.name) for path in folder.iterdir()}


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
    assert (process.returncode, out) == (0, "stopped\n"), err
    assert f"worker {first} has ended with code -9" in err
    assert ("did not stop in time" in err) == (how == "deaf")
    assert not any(map(alive, pids(tmp_path)))


def test_what_cannot_start_is_not_started_again(tmp_path: Path) -> None:
    process = supervised(tmp_path, "broken")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "stopped\n"), err
    assert "could not start" in err
    assert not pids(tmp_path)


def test_nothing_is_forked_beside_threads() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="threads"):
            Workers(lambda: None, 2, patience=1.0).run()
    finally:
        ended.set()
        thread.join()
