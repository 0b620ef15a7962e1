"""The secrets of list ids: made once, readable by their owner alone, rotated, refused when damaged."""

import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from kuajie.core.errors import ConfigError, ResourceError
from kuajie.storage.list_keys import ListKeyFile, keys_from
from kuajie.testing.stores import NOW
from kuajie.workflows.list_ids import VALID_DAYS


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    found: list[bytes] = []

    def start() -> None:
        found.append(ListKeyFile.of(tmp_path / "工作区").read()[-1].secret)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    folder = tmp_path / "工作区" / "secrets"
    assert [path.name for path in folder.iterdir()] == ["list-ids.json"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "list-ids.json").stat().st_mode) == 0o600


def test_old_keys_are_kept_for_as_long_as_their_ids_are_valid(tmp_path: Path) -> None:
    file = ListKeyFile.of(tmp_path)
    first = file.read()[0]
    second = file.rotate(NOW)
    assert list(file.read()) == [first, second]
    third = file.rotate(NOW + timedelta(days=VALID_DAYS - 1))
    assert list(file.read()) == [first, second, third]
    fourth = file.rotate(NOW + timedelta(days=VALID_DAYS + 1))
    assert list(file.read()) == [second, third, fourth], "what the first signed is too old by now"
    assert len({key.key_id for key in file.read()}) == 3


@pytest.mark.parametrize("content", ["", "{}", '{"keys": []}', "不是", '{"keys": [{"key_id": "00", "secret": "zz"}]}'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    file = ListKeyFile.of(tmp_path)
    file.read()
    file.place.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"list-ids\.json does not hold the secrets"):
        file.read()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file")
    with pytest.raises(ResourceError, match="secrets"):
        ListKeyFile.of(tmp_path).read()


def test_secrets_from_the_environment() -> None:
    new, old = "n" * 32, "o" * 64
    (only,) = keys_from("秘密", {"秘密": new})
    both = keys_from("秘密", {"秘密": f"{new}, {old}"})
    assert both[-1] == only, "the first of the variable signs"
    assert len({key.secret for key in both}) == len({key.key_id for key in both}) == 2
    assert new.encode() not in only.secret
    for text in ({}, {"秘密": ""}, {"秘密": "short"}, {"秘密": f"{new},short"}):
        with pytest.raises(ConfigError, match="秘密"):
            keys_from("秘密", text)
