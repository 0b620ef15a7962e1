"""Failures are told in the language of who called."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kuajie.cli.failures import language_of_call, understood, value_of, workspace_language
from kuajie.core.language import translator
from kuajie.core.texts import worded

WRONG = [
    (["modles"], "没有命令 'modles'。您是不是想写 'models'？"),
    (["xyz"], "没有命令 'xyz'。"),
    (["models", "--jsn"], "没有选项 --jsn（可能是：--json）"),
    (["init"], "缺少参数 'DIR'。"),
    (["init", "a", "b"], "多余的参数（b）"),
    (["recommend", "--user", "a:b"], "缺少选项 '--target'。"),
    (["recommend", "--user", "a:b", "--target", "c", "-k", "0"], "应大于或等于 1"),
    (["recommend", "--user", "a:b", "--target", "c", "-k", "x"], "应为整数，无法把文本读成整数"),
    (["tune", "als", "--method", "foo"], "'foo' 不在可选值"),
    (["evaluate", "--since", "2020"], "'2020' 不符合格式"),
    (["train", "--json=3"], "选项 '--json' 不带值。"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_a_wrong_call_is_explained_in_chinese(
    kuajie: Callable, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    seen = kuajie(*arguments)
    assert seen.code == 2
    assert seen.out == ""
    assert words in seen.err
    assert "Error" not in seen.err
    monkeypatch.setenv("LANG", "C")
    assert "Error: " in kuajie(*arguments).err


def test_a_wrong_call_says_how_the_command_is_used(kuajie: Callable) -> None:
    lines = kuajie("models", "--jsn", "--lang", "zh").err.splitlines()
    assert re.fullmatch(r"用法：.* models \[OPTIONS\] \[activate\|rollback\|pin\|unpin\|prune\] \[VERSION\]", lines[0])
    assert re.fullmatch(r"查看帮助：.* models --help", lines[1])


def test_a_sentence_that_nobody_knows_stays_as_it_is() -> None:
    assert understood("Something new.") == "Something new."
    assert worded(understood("Invalid value for '-k': Something new."), translator("zh")) == (
        "'-k' 的值无效：Something new."
    )


def write(folder: Path, language: str, more: str = "") -> Path:
    (folder / "kuajie.toml").write_text(f'[workspace]\nlanguage = "{language}"\n{more}', encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("arguments", "workspace", "system", "words"),
    [
        (["--lang", "zh"], "en", "en_US.UTF-8", "缺少“domains”"),
        (["--lang=en"], "zh", "zh_CN.UTF-8", "'domains' is missing"),
        ([], "zh", "en_US.UTF-8", "缺少“domains”"),
        ([], "en", "zh_CN.UTF-8", "'domains' is missing"),
        ([], "fr", "zh_CN.UTF-8", "应为 'zh' 或 'en'，现在是 'fr'"),
        ([], "fr", "", "input should be 'zh' or 'en', got 'fr'"),
    ],
)
def test_the_call_then_the_workspace_then_the_system_decide(
    kuajie: Callable,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    workspace: str,
    system: str,
    words: str,
) -> None:
    monkeypatch.setenv("LANG", system)
    for option in (["--workspace", tmp_path], [f"--workspace={tmp_path}"], ["-w", tmp_path]):
        seen = kuajie("train", *option, *arguments)
        assert words in kuajie("train", "-w", write(tmp_path, workspace), *arguments).err
        assert seen.code == 2
    monkeypatch.chdir(tmp_path)
    assert words in kuajie("train", *arguments).err


def test_a_workspace_that_cannot_be_read_has_no_language(tmp_path: Path) -> None:
    assert workspace_language(str(tmp_path)) is None
    for text in ("no toml", "workspace = 3", "[workspace]\nlanguage = 3"):
        (tmp_path / "kuajie.toml").write_text(text)
        assert workspace_language(str(tmp_path)) is None
    (tmp_path / "kuajie.toml").write_bytes(b"\xff")
    assert workspace_language(str(tmp_path)) is None


def test_arguments_are_read_even_where_they_are_wrong() -> None:
    assert value_of(["--lang"], "--lang") is None
    assert value_of(["a", "--lang=zh"], "--lang") == "zh"
    assert value_of(["-w", "folder"], "--workspace", "-w") == "folder"
    assert language_of_call(["--lang", "fr", "-w", "/nowhere"], {"LANG": "zh_CN.UTF-8"}) == "zh"


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (OSError(28, "No space left on device", "/x/y"), "kuajie: /x/y：磁盘空间不足。请处理后重新运行。\n"),
        (OSError("unheard of"), "kuajie: unheard of。请处理后重新运行。\n"),
        (MemoryError(), "kuajie: 内存不足。"),
        (KeyboardInterrupt(), "kuajie: 已中断；没有改动任何内容\n"),
    ],
)
def test_failures_of_the_machine_are_told_in_chinese(
    kuajie: Callable, monkeypatch: pytest.MonkeyPatch, failure: BaseException, words: str
) -> None:
    from kuajie.cli import main

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(main, "app", fail)
    assert kuajie("anything", "--lang", "zh").err.startswith(words)


def test_an_interruption_that_typer_catches_is_told(kuajie: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kuajie.workflows.init.init_empty", interrupt)
    seen = kuajie("init", "somewhere", "--lang", "zh")
    assert (seen.code, seen.err) == (130, "kuajie: 已中断；没有改动任何内容\n")
