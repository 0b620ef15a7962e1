"""What a workspace says about profiles: the section `[profiles]`."""

from collections.abc import Mapping
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pydantic
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.texts import Text

Days = Annotated[float, Field(gt=0)]

SENSITIVE_WORDS: Mapping[str, tuple[str, ...]] = {
    "age": ("age", "birth", "birthday", "birthdate", "born", "dob", "年龄", "生日", "出生"),
    "gender": ("gender", "sex", "性别"),
    "health": ("health", "medical", "disease", "illness", "disability", "pregnant", "pregnancy", "bmi", "健康", "疾病",
               "病史", "残疾", "怀孕", "孕期", "身高", "体重"),
    "finance": ("income", "salary", "wage", "credit", "debt", "loan", "bank", "wealth", "asset", "insurance", "收入",
                "工资", "薪", "信用", "负债", "贷款", "银行", "资产", "保险"),
    "location": ("location", "address", "city", "province", "region", "district", "postcode", "zip", "zipcode", "gps",
                 "latitude", "longitude", "lat", "lon", "lng", "country", "住址", "地址", "城市", "省", "地区", "邮编",
                 "位置", "籍贯"),
    "belief": ("religion", "religious", "belief", "faith", "politics", "political", "party", "union", "宗教", "信仰",
               "政治", "党派"),
    "origin": ("race", "racial", "ethnic", "ethnicity", "nationality", "民族", "种族", "国籍"),
    "orientation": ("orientation", "sexuality", "性取向"),
    "family": ("marital", "married", "marriage", "children", "child", "kids", "婚姻", "婚否", "子女", "孩子"),
    "identity": ("name", "surname", "phone", "mobile", "email", "mail", "passport", "ssn", "biometric", "face",
                 "fingerprint", "姓名", "手机", "电话", "邮箱", "身份证", "护照", "人脸", "指纹"),
}  # fmt: skip
"""Kinds of sensitive attributes, and the words in their names that give them away: what the GDPR (articles 4 and 9) and
China's PIPL (article 28) protect, and what people expect to be asked about."""


class ExpiryConfig(Config):
    """The section `[profiles.expiry_days]`: after so many days without anything new a field says no more.

    Attributes:
        interests: topics of interest.
        habits: hours, weekends, sessions, depth, domain mix, seasons.
        value: value tier and price level.
        declared: what was declared, where it is known when.
        segment: the segment.
    """

    interests: Days = 180.0
    habits: Days = 120.0
    value: Days = 365.0
    declared: Days = 730.0
    segment: Days = 120.0


class LifeCycleConfig(Config):
    """The section `[profiles.life_cycle]`: the rules of the stages, the first that fits.

    Attributes:
        lost_days: silent for so long: lost.
        at_risk_days: silent for so long: at risk.
        new_days: known for less: new.
        window_days: growing is more in the last so many days than in as many before.
        growth: so many times as much.
        least_events: fewer events in the last window are no growth.
    """

    lost_days: Days = 90.0
    at_risk_days: Days = 30.0
    new_days: Days = 30.0
    window_days: Days = 30.0
    growth: Annotated[float, Field(gt=1)] = 1.5
    least_events: Annotated[int, Field(ge=1)] = 3

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lost_days <= self.at_risk_days:
            raise ValueError(Text("lost_days must be more than at_risk_days"))
        return self


class ProfilesConfig(Config):
    """The section `[profiles]`: what is told of people, and how segments are found.

    Attributes:
        timezone: in which hours and weekdays are told.
        sensitive: kinds of declared attributes that are told although they are sensitive; none unless named here.
        sensitive_words: further kinds, or other words of a kind: an attribute whose name holds one is of that kind.
        value_attributes: declared attributes that say the value tier.
        topics: how many topics of interest there are.
        text_weight: what the words of an item count together, against 1 for the item itself.
        most_items: of the items at most so many, the most used, are told apart; all have words.
        most_words: so many words are told apart.
        segments: the smallest and the largest number of segments that is tried; the silhouette chooses.
        habits_weight: what habits count in segments, against 1 for interests.
        least_members: of fewer people nothing is told that would set them apart.
        session_minutes: a longer pause ends a session.
        evidence: so many observations make a field half sure.
        half_life_days: a field whose newest observation is this old is half as sure.
        declared_sureness: of what was declared, when it is new.
        most_interests: that are told of one person.
        expiry_days: when fields expire.
        life_cycle: rules of the stages.
    """

    timezone: str = "UTC"
    sensitive: tuple[str, ...] = ()
    sensitive_words: dict[str, tuple[str, ...]] = Field(default={})
    value_attributes: tuple[str, ...] = ("value_tier", "member_tier", "vip_level", "会员等级")
    topics: Annotated[int, Field(ge=2, le=500)] = 40
    text_weight: Annotated[float, Field(ge=0, le=100)] = 1.0
    most_items: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    most_words: Annotated[int, Field(ge=0, le=1_000_000)] = 5_000
    segments: tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(le=100)]] = (4, 16)
    habits_weight: Annotated[float, Field(ge=0, le=10)] = 0.25
    least_members: Annotated[int, Field(ge=1)] = 20
    session_minutes: Days = 30.0
    evidence: Annotated[float, Field(gt=0)] = 5.0
    half_life_days: Days = 180.0
    declared_sureness: Annotated[float, Field(gt=0, le=1)] = 0.9
    most_interests: Annotated[int, Field(ge=1)] = 5
    expiry_days: ExpiryConfig = ExpiryConfig()
    life_cycle: LifeCycleConfig = LifeCycleConfig()

    @pydantic.field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(Text("there is no time zone {name!r}; write one as Asia/Shanghai", name=name)) from None
        return name

    @pydantic.model_validator(mode="after")
    def _known_kinds(self) -> Self:
        unknown = [kind for kind in self.sensitive if kind not in self.words]
        if unknown:
            raise ValueError(
                Text(
                    "there is no sensitive kind {kind!r}; there are {known}",
                    kind=unknown[0],
                    known=", ".join(self.words),
                )
            )
        if self.segments[0] > self.segments[1]:
            raise ValueError(Text("segments must be the smallest and the largest number, in this order"))
        return self

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """Kinds of sensitive attributes with the words in their names."""
        return {**SENSITIVE_WORDS, **self.sensitive_words}
