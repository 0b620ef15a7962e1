"""`kuajie search` and `kuajie.search`."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

import kuajie as library
from kuajie.core.errors import KuajieError


def test_the_words_find_and_the_person_orders(kuajie: Callable, trained: Path) -> None:
    orders = [
        kuajie("search", "🚗", "-w", trained, "--user", f"courses:{n:04d}", "--target", "car", "--json").data
        for n in range(4)
    ]
    assert all(each["personalised"] for each in orders)
    items = [[hit["item"]["item"] for hit in each["hits"]] for each in orders]
    assert all(len(each) == 10 for each in items)
    assert all(one != other for one, other in itertools.combinations(items, 2))
    assert orders[0]["counts"] == [{"domain": "car", "count": 20, "categories": []}]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["Found: 课程 1", "popular", "matched"]), ("zh", ["共找到：课程 1", "按文字和热度排序", "匹配"])],
)
def test_it_speaks_the_language(kuajie: Callable, trained: Path, language: str, words: list[str]) -> None:
    seen = kuajie("search", "课7", "-w", trained, "-k", 1, "--lang", language)
    assert seen.code == 0
    assert "课7" in seen.out
    assert all(word in seen.out for word in words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["  "], "holds no word"),
        (["口" * 201], "at most 200 characters"),
        (["课", "--target", "cra"], "did you mean 'car'"),
        (["课", "--user", "course:0001"], "did you mean 'courses'"),
        (["课", "--user", "courses:nobody"], "no user 'nobody'"),
        (["课", "--user", "0001"], "DOMAIN:ID"),
        (["课", "-k", "0"], "-k"),
        ([], "WORDS"),
    ],
)
def test_wrong_calls(kuajie: Callable, trained: Path, arguments: list[str], words: str) -> None:
    seen = kuajie("search", "-w", trained, *arguments)
    assert (seen.code, seen.out) == (2, "")
    assert words in seen.err


def test_nothing_fits(kuajie: Callable, trained: Path) -> None:
    assert "没有与这些词相符的内容" in kuajie("search", "zzz", "-w", trained, "--lang", "zh").out


def test_from_python(trained: Path) -> None:
    workspace = library.Workspace.open(trained)
    found = library.search(workspace, "课", "courses:0002", ["courses"], 3)
    assert len(found.hits) == 3
    assert found.personalised
    assert not library.search(workspace, "课").personalised
    with pytest.raises(KuajieError, match="no word"):
        library.search(workspace, "…")
