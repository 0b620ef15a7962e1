import pytest

from kuajie.core.names import suggest


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
