from datetime import datetime
from typing import Annotated, Any, Literal, Self

import pydantic
import pytest
from pydantic import Field

from kuajie.core.config import Config, _wording
from kuajie.core.errors import ConfigError
from kuajie.core.language import translator
from kuajie.core.problems import PROBLEMS
from kuajie.core.texts import Text


class Part(Config):
    words: dict[str, float] = Field(default={})


class Everything(Config):
    flag: bool = False
    count: Annotated[int, Field(gt=0, lt=10)] = 1
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    name: str = ""
    mark: Annotated[str, Field(min_length=1, max_length=1)] = ","
    kind: Literal["view", "play"] = "view"
    names: Annotated[tuple[str, ...], Field(min_length=1)] = ("a",)
    part: Part = Part()
    listed: list[str] = Field(default=[])
    when: datetime | None = None

    @pydantic.model_validator(mode="after")
    def _agree(self) -> Self:
        if self.name == "没有":
            raise ValueError(Text("a source needs exactly one of path, url and url_env"))
        return self


CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"flag": "x"}, "input should be a valid boolean, unable to interpret input", "应为 true 或 false"),
    ({"count": 0}, "input should be greater than 0", "应大于 0，现在是 0"),
    ({"count": 10}, "input should be less than 10", "应小于 10"),
    ({"count": "x"}, "input should be a valid integer, unable to parse", "应为整数，无法把文本读成整数"),
    ({"count": 1.5}, "input should be a valid integer, got a number with a fractional part", "不能带小数"),
    ({"share": -1}, "input should be greater than or equal to 0", "应大于或等于 0，现在是 -1"),
    ({"share": 2}, "input should be less than or equal to 1", "应小于或等于 1"),
    ({"share": float("nan")}, "input should be a finite number", "应为有限的数"),
    ({"name": 3}, "'name': input should be a valid string, got 3", "“name”：应为文本，现在是 3"),
    ({"mark": ""}, "string should have at least 1 character", "文本至少 1 个字符"),
    ({"mark": "ab"}, "string should have at most 1 character", "文本最多 1 个字符"),
    ({"kind": "z"}, "input should be 'view' or 'play', got 'z'", "应为 'view' 或 'play'，现在是 'z'"),
    ({"names": []}, "tuple should have at least 1 item after validation, not 0", "至少要有 1 项，而这里有 0 项"),
    ({"names": 3}, "input should be a valid tuple", "应为列表"),
    ({"part": 3}, "input should be a valid dictionary or instance of part", "应为一组键和值"),
    ({"part": {"words": 3}}, "'part.words': input should be a valid dictionary", "“part.words”：应为一组键和值"),
    ({"part": {"wrods": {}}}, "'part.wrods' is not a known key", "没有“part.wrods”这个键"),
    (
        {"name": "没有"},
        "value error, a source needs exactly one of",
        "一个来源必须在 path、url 和 url_env 中恰好给出一个",
    ),
]


@pytest.mark.parametrize(("values", "english", "chinese"), CASES)
def test_what_is_wrong_is_said_in_both_languages(values: dict[str, Any], english: str, chinese: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Everything.parse(values, "设置.toml")
    assert english in str(caught.value).lower()
    assert str(caught.value).endswith(". Correct the configuration and run again.")
    said = caught.value.say(translator("zh"))
    assert chinese in said
    assert said.startswith("设置.toml：")
    assert said.endswith("。请改正配置后重新运行。")


def test_several_problems_are_named_in_one_sentence() -> None:
    with pytest.raises(ConfigError) as caught:
        Everything.parse({"cuont": 1, "share": "much"})
    assert "；" in caught.value.say(translator("zh"))
    assert caught.value.say(translator("en")) == str(caught.value)


def test_what_pydantic_says_of_many_stands_as_it_is() -> None:
    class Two(Config):
        names: Annotated[tuple[str, ...], Field(min_length=2)]

    with pytest.raises(ConfigError) as caught:
        Two.parse({"names": []})
    assert "tuple should have at least 2 items" in caught.value.say(translator("zh"))


def test_every_problem_is_one_of_pydantic() -> None:
    wrong: list[dict[str, Any]] = [values for values, _, _ in CASES]
    wrong += [{"flag": []}, {"count": []}, {"share": []}, {"share": "much"}, {"listed": 3}]
    wrong += [{"when": []}, {"when": "x"}]
    found = set()
    for values in wrong:
        with pytest.raises(pydantic.ValidationError) as caught:
            Everything.model_validate(values)
        found |= {entry["type"] for entry in caught.value.errors()}
        assert all(isinstance(_wording(entry), Text) for entry in caught.value.errors() if entry["type"] in PROBLEMS)
    assert found >= PROBLEMS.keys()
