from collections.abc import Iterator
from pathlib import Path

import pytest

from kuajie.core.errors import ResourceError, UsageError
from kuajie.core.files import filled_folder, new_folder, write_file


def test_a_new_folder_appears_complete(tmp_path: Path) -> None:
    place = tmp_path / "a" / "文件夹"
    with new_folder(place) as draft:
        (draft / "sub").mkdir()
        (draft / "sub" / "x").write_text("1")
        assert not place.exists()
    assert (place / "sub" / "x").read_text() == "1"
    assert list(place.parent.iterdir()) == [place]


def test_nothing_is_left_when_the_work_fails(tmp_path: Path) -> None:
    def work() -> None:
        with new_folder(tmp_path / "a") as draft:
            (draft / "x").write_text("1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert list(tmp_path.iterdir()) == []


def test_files_take_their_places_together(tmp_path: Path) -> None:
    place = tmp_path / "文件夹"
    place.mkdir()
    (place / "old").write_text("stays")
    (place / "x").write_text("before")
    with filled_folder(place) as draft:
        (draft / "sub").mkdir()
        (draft / "sub" / "y").write_text("1")
        (draft / "x").write_text("after")
        assert (place / "x").read_text() == "before"
    assert {str(p.relative_to(place)): p.read_text() for p in place.rglob("*") if p.is_file()} == {
        "old": "stays", "x": "after", "sub/y": "1",
    }  # fmt: skip
    assert not list(place.rglob("*.draft"))


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_stays_as_it_was_when_the_disk_refuses(tmp_path: Path, there: bool) -> None:
    place = tmp_path / "a"
    if there:
        place.mkdir()
        (place / "x").write_text("before")

    def work() -> None:
        with filled_folder(place) as draft:
            (draft / "x").write_text("after")
            raise OSError(28, "No space left on device")

    with pytest.raises(ResourceError, match="a could not be written: No space left on device"):
        work()
    assert [path.name for path in tmp_path.rglob("*")] == (["a", "x"] if there else [])
    assert not there or (place / "x").read_text() == "before"


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"), new_folder(tmp_path):
        pass


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "f", "旧")
    write_file(tmp_path / "f", "新")
    assert (tmp_path / "f").read_text(encoding="utf-8") == "新"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_refusal_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "f", "old")

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(ResourceError, match="No space left on device"):
        write_file(tmp_path / "f", "new")
    assert (tmp_path / "f").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_place_inside_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(ResourceError, match="could not be written"), new_folder(tmp_path / "f" / "g"):
        pass


def test_a_file_of_parts_is_written_part_by_part(tmp_path: Path) -> None:
    place = tmp_path / "图.csv"
    write_file(place, (part for part in ("甲,", "乙\n")))
    assert place.read_bytes() == "甲,乙\n".encode()

    def failing() -> Iterator[str]:
        yield "half"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_file(place, failing())
    assert place.read_bytes() == "甲,乙\n".encode()
    assert list(tmp_path.iterdir()) == [place]
