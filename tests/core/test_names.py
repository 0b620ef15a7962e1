import pytest

from kuajie.core.names import kind_of_name, normalised, plain_name, suggest


@pytest.mark.parametrize(
    ("got", "known", "end"),
    [
        ("curses", ["courses", "car"], "; did you mean 'courses'?"),
        ("COURSES", ["courses"], "; did you mean 'courses'?"),
        ("zzz", ["a", "b"], "; there are a, b"),
        ("zzz", [], "; there is none yet"),
        ("zzz", [f"n{i}" for i in range(20)], " and 8 more"),
        ("课成", ["课程", "汽车"], "; did you mean '课程'?"),
    ],
)
def test_what_was_meant(got: str, known: list[str], end: str) -> None:
    assert suggest(got, known).endswith(end)


def test_names_are_told_apart_by_what_matters() -> None:
    assert normalised("  Ｔurbo\u3000 KIT ") == normalised("turbo kit")
    assert normalised("涡轮") != normalised("涡 轮")


def test_kinds_before_names() -> None:
    assert plain_name("topic:涡轮") == "涡轮"
    assert plain_name("car-part:x") == "x"
    for name in ("http://x.org/Turbo", "10:30", "12:30", "涡轮：增压", "x:", "Python:入门"):
        assert plain_name(name) == name
        assert kind_of_name(name) == ""
    assert kind_of_name("topic:涡轮") == "topic"
