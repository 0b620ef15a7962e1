from pathlib import Path

import pytest

from kuajie.core.errors import ConfigError
from kuajie.workflows.workspace import FILE, Workspace

MINIMAL = """
[workspace]
name = "演示"
language = "zh"
memory_gb = 2

[domains.courses]
title = "知识付费平台"
title_en = "Knowledge platform"
[[domains.courses.events]]
path = "sources/events.csv"
columns = { user = "uid", item = "course_id", kind = "action", occurred_at = "ts" }

[domains.car]
[[domains.car.events]]
path = "sources/car.parquet"
"""


def write(folder: Path, text: str) -> Path:
    (folder / FILE).write_text(text, encoding="utf-8")
    return folder


def test_a_workspace_is_read(tmp_path: Path) -> None:
    workspace = Workspace.open(write(tmp_path, MINIMAL))
    assert workspace.config.workspace.name == "演示"
    assert list(workspace.config.domains) == ["courses", "car"]
    assert workspace.title("courses") == "知识付费平台"
    assert workspace.title("courses", "zh") == "知识付费平台"
    assert workspace.title("courses", "en") == "Knowledge platform"
    assert workspace.title("car") == workspace.title("car", "en") == "car"
    assert workspace.fit_options.memory_bytes == 2 * 2**30
    assert workspace.warehouse.parent == tmp_path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["kuajie.toml", "'domains' is missing"]),
        ("[workspace]\nname = \n", ["kuajie.toml is not valid TOML", "line 2"]),
        (MINIMAL + "\n[strenght]\nweights = {}\n", ["kuajie.toml", "'strenght' is not a known key"]),
        (MINIMAL.replace("memory_gb = 2", "memroy_gb = 2"), ["'workspace.memroy_gb' is not a known key"]),
        (MINIMAL.replace("memory_gb = 2", "memory_gb = 'much'"), ["'workspace.memory_gb'", "got 'much'"]),
        (MINIMAL.replace("memory_gb = 2", "memory_gb = nan"), ["'workspace.memory_gb'"]),
        (MINIMAL.replace('"zh"', '"fr"'), ["'workspace.language'", "got 'fr'"]),
        (MINIMAL.replace("[domains.car]", "[domains.'a b']").replace("[[domains.car.", "[[domains.'a b'."), ["a b"]),
        (MINIMAL.replace('path = "sources/car.parquet"', ""), ["exactly one of path, url and url_env"]),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Workspace.open(write(tmp_path, text))
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_folder_without_the_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no kuajie\.toml in .* kuajie init DIR"):
        Workspace.open(tmp_path)


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'[workspace]\nname = "\xb0\xa1"\n')
    with pytest.raises(ConfigError, match="UTF-8"):
        Workspace.open(tmp_path)
