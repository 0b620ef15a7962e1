import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

import kuajie as package
from kuajie.cli import main
from kuajie.cli.help import SpokenCommand
from kuajie.core.errors import DataError, UsageError

COMMANDS = sorted(typer.main.get_command(main.app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(kuajie: Callable, command: str) -> None:
    seen = kuajie(command, "--help")
    assert seen.code == 0
    assert f"  Example:\n    kuajie {command}" in seen.out


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_speaks_chinese(kuajie: Callable, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    seen = kuajie(*command, "--help")
    assert seen.code == 0
    assert seen.out.startswith("用法：")
    plain = re.sub(r"(?m)^(    kuajie|用法：).*$", "", seen.out)  # all but calls
    assert not re.search(r"[A-Z]?[a-z]+ [a-z]+ [a-z]+", plain), "English is left"
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    assert not re.search("[\u4e00-\u9fff]", kuajie(*command, "--help").out)


def test_every_command_speaks() -> None:
    commands = typer.main.get_command(main.app).commands.values()
    assert all(isinstance(command, SpokenCommand) for command in commands)


def test_the_version_is_printed(kuajie: Callable) -> None:
    assert kuajie("--version").out == f"kuajie {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["modles"], "Did you mean 'models'"),
        (["models", "--jsn"], "--json"),
        (["init"], "Missing argument 'DIR'"),
        (["models", "--lang", "fr"], "the languages are en, zh"),
    ],
)
def test_a_wrong_call_exits_with_2_and_says_what_is_right(
    kuajie: Callable, tmp_path: Path, arguments: list[str], words: str
) -> None:
    kuajie("init", tmp_path / "w")
    seen = kuajie(*arguments, *(["--workspace", tmp_path / "w"] if "--lang" in arguments else []))
    assert seen.code == 2
    assert words in seen.err
    assert seen.out == ""


@pytest.mark.parametrize(
    ("failure", "code", "sentence"),
    [
        (DataError("a.csv, row 3: bad"), 1, "kuajie: a.csv, row 3: bad\n"),
        (UsageError("wrong"), 2, "kuajie: wrong\n"),
        (OSError(28, "No space left on device", "/x/y"), 1, "kuajie: /x/y: No space left on device."),
        (MemoryError(), 1, "kuajie: there is not enough memory."),
        (KeyboardInterrupt(), 130, "kuajie: interrupted"),
    ],
)
def test_failures_are_one_sentence(
    kuajie: Callable, monkeypatch: pytest.MonkeyPatch, failure: BaseException, code: int, sentence: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(main, "app", fail)
    seen = kuajie("anything")
    assert seen.code == code
    assert seen.err.startswith(sentence)
    assert len(seen.err.splitlines()) == 1


def test_a_fault_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(ZeroDivisionError):
        main.run([])


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from kuajie.cli.main import app; "
        "print([m for m in ('numpy', 'scipy', 'polars', 'numba', 'pydantic', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_reader_that_goes_away_leaves_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'from kuajie.cli.main import run; run()' models --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
