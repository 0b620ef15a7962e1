import copy
import json

import pytest

from kuajie.core.errors import ArtifactError, DataError, MissingExtraError, UsageError
from kuajie.core.names import suggest
from kuajie.core.texts import Joined, Text, say, worded

CHINESE = {
    "{path}, row {row}: {count:,} are too many": "{path} 第 {row} 行：{count:,} 太多",
    "{folder} cannot be used: {error}": "{folder} 无法使用：{error}",
    "bad {thing}": "坏的{thing}",
    "no reason": "没有理由",
    "; ": "；",
}


def zh(message: str) -> str:
    return CHINESE.get(message, message)


def test_a_text_is_its_english_sentence_and_remembers_how_it_was_made() -> None:
    text = Text("{path}, row {row}: {count:,} are too many", path="数据.csv", row=3, count=12345)
    assert text == "数据.csv, row 3: 12,345 are too many"
    assert text.say(zh) == "数据.csv 第 3 行：12,345 太多"
    assert json.loads(json.dumps({"why": text})) == {"why": str(text)}
    assert type(str(text)) is str


def test_values_are_never_read_as_places() -> None:
    assert Text("bad {thing}", thing="{thing}").say(zh) == "坏的{thing}"
    assert Text("braces {stay} without values").say(zh) == "braces {stay} without values"


def test_texts_and_errors_among_the_values_are_said_in_the_same_language() -> None:
    inner = DataError("bad {thing}", thing=Text("no reason"))
    outer = ArtifactError("{folder} cannot be used: {error}", folder="模型", error=inner)
    assert str(outer) == "模型 cannot be used: bad no reason"
    assert outer.say(zh) == "模型 无法使用：坏的没有理由"
    assert DataError(inner.text).say(zh) == "坏的没有理由"


def test_joined_texts_are_said_one_by_one() -> None:
    joined = Joined([Text("bad {thing}", thing=1), Text("no reason"), "name"])
    assert joined == "bad 1; no reason; name"
    assert joined.say(zh) == "坏的1；没有理由；name"
    assert not Joined([])


def test_copies_can_be_said_too() -> None:
    for text in (Text("bad {thing}", thing="x"), Joined([Text("no reason"), "name"])):
        copied = copy.deepcopy([text])
        assert copied == [text]
        assert copied[0].say(zh) == text.say(zh) != text


def test_plain_values_and_sentences() -> None:
    assert say(3, zh) == 3
    assert say("no reason", zh) == "no reason"  # a value: a name, perhaps
    assert worded("no reason", zh) == "没有理由"  # a sentence: a message without values
    assert worded(Text("bad {thing}", thing=1), zh) == "坏的1"


@pytest.mark.parametrize("error", [DataError("no reason"), UsageError("bad {thing}", thing="x")])
def test_an_error_reads_as_before(error: DataError) -> None:
    assert str(error) == error.text == error.say(str)


def test_a_missing_extra_says_what_needs_it() -> None:
    error = MissingExtraError(Text("no reason"), "optuna", "ml")
    assert str(error).startswith("no reason needs optuna")
    assert error.say(zh).startswith("没有理由 needs optuna")


def test_suggestions_can_be_said() -> None:
    said = {"; did you mean {names}?": "；是 {names} 吗？", " or ": " 或 "}
    meant = suggest("car", ["cars", "car-parts"])
    assert meant == "; did you mean 'cars' or 'car-parts'?"
    assert meant.say(lambda message: said.get(message, message)) == "；是 'cars' 或 'car-parts' 吗？"
