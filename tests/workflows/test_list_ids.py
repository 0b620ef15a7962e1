"""Signed ids of lists: what was sealed comes out, nothing else does."""

import base64
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.errors import ResourceError
from kuajie.core.records import Account, RankedItem, RankedList
from kuajie.storage.list_keys import new_list_key
from kuajie.testing.stores import NOW
from kuajie.workflows.list_ids import (
    LONGEST,
    REFRESH_SECONDS,
    VALID_DAYS,
    ForgedError,
    KnownList,
    ListKey,
    Seals,
    SignedList,
    _Keys,
    plain,
)

KEY = new_list_key(NOW)
SEALS = Seals(lambda: [KEY])
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=32)


def ranked(items: tuple[str, ...] = ("物1", "物2", "物3"), user: str = "张三", list_id: str = "0f8fad5b") -> RankedList:
    return RankedList(
        list_id=list_id,
        account=Account(domain="课程", user=user),
        target="car",
        model_version="v",
        created_at=NOW,
        items=tuple(RankedItem(domain="car", item=item, title="", score=1.0) for item in items),
    )


def opened(signed: str) -> SignedList | None:
    return SEALS.open(signed, NOW)


@given(st.lists(NAMES, max_size=100, unique=True), NAMES)
def test_what_was_sealed_comes_out(items: list[str], user: str) -> None:
    shown = ranked(tuple(items), user)
    found = opened(SEALS.seal(shown))
    assert found is not None
    assert (found.list_id, found.account, found.target) == (shown.list_id, shown.account, "car")
    for place, item in enumerate(items[:10]):
        assert found.item_at(place, item) == item
        assert found.item_at(place, item + "'") is None
        assert found.item_at(place + 1, item) is None
        assert found.holds(item)
    assert found.item_at(len(items), "物") is found.item_at(-1, "物") is found.item_at(0) is None
    assert not found.holds("不在")


def test_a_list_that_is_known_answers_alike() -> None:
    known = KnownList(ranked())
    assert (known.list_id, known.target, known.account.user) == ("0f8fad5b", "car", "张三")
    assert [known.item_at(place) for place in (-1, 0, 2, 3)] == [None, "物1", "物3", None]
    assert (known.item_at(1, "物2"), known.item_at(1, "物3")) == ("物2", None)
    assert known.holds("物3")
    assert not known.holds("物4")


def test_every_changed_bit_is_noticed() -> None:
    signed = SEALS.seal(ranked())
    list_id, _, text = signed.partition(".")
    seal = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    for place in range(4 * 8, len(seal) * 8):  # the first four bytes name the key
        changed = bytearray(seal)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(ForgedError):
            opened(f"{list_id}.{base64.urlsafe_b64encode(changed).decode().rstrip('=')}")
    for cut in range(1, len(text)):
        with pytest.raises(ForgedError):
            opened(f"{list_id}.{text[:cut]}")
    for other in (f"0f8fad5c.{text}", f"{list_id}.{text}AAAA", f"{list_id}.{text}=", f"{list_id}.{text} ", f".{text}"):
        with pytest.raises(ForgedError):
            opened(other)


def test_the_seal_of_one_list_fits_no_other() -> None:
    first, second = SEALS.seal(ranked()), SEALS.seal(ranked(list_id="aaaaaaaa"))
    with pytest.raises(ForgedError):
        opened(f"{first.partition('.')[0]}.{second.partition('.')[2]}")
    assert first.partition(".")[2][32:] != second.partition(".")[2][32:], "the same words look different"


def test_without_a_key_nothing_is_known() -> None:
    signed = SEALS.seal(ranked())
    assert Seals(lambda: [new_list_key(NOW)]).open(signed, NOW) is None
    assert opened("0f8fad5b") is None
    impostor = Seals(lambda: [ListKey(KEY.key_id, bytes(32), NOW)])
    with pytest.raises(ForgedError):
        impostor.open(signed, NOW)


def test_a_seal_becomes_too_old() -> None:
    signed = SEALS.seal(ranked())
    assert SEALS.open(signed, NOW + timedelta(days=VALID_DAYS, seconds=-1)) is not None
    assert SEALS.open(signed, NOW + timedelta(days=VALID_DAYS, seconds=1)) is None


def test_a_new_key_signs_and_the_old_one_is_still_known() -> None:
    keys, seconds = [KEY], 0.0
    ours, theirs = (Seals(lambda: keys, lambda: seconds) for _ in range(2))
    before = ours.seal(ranked())
    keys = [KEY, new_list_key(NOW)]
    ours.refresh()
    after = ours.seal(ranked())
    assert before != after
    assert ours.open(before, NOW) is not None
    assert theirs.open(after, NOW) is not None, "a key that is not known is looked for"
    keys = keys[1:]
    ours.refresh()
    assert ours.open(before, NOW) is not None, "not looked for at every id that somebody sends"
    seconds = REFRESH_SECONDS
    ours.refresh()
    assert ours.open(before, NOW) is None


def test_keys_that_cannot_be_read_again_stay() -> None:
    broken = False

    def read() -> list[ListKey]:
        if broken:
            raise ResourceError("the disk is gone")
        return [KEY]

    seals = Seals(read, lambda: 0.0)
    signed = seals.seal(ranked())
    broken = True
    seals.refresh()
    assert seals.open(signed, NOW) is not None
    with pytest.raises(ResourceError):
        Seals(read)


def test_nobody_is_named_and_every_list_looks_different() -> None:
    secret = "不该出现的用户"
    signed = SEALS.seal(ranked(user=secret))
    raw = base64.urlsafe_b64decode(signed.partition(".")[2] + "==")
    for words in (secret, "课程", "car", "物1"):
        assert words.encode() not in raw
        assert base64.urlsafe_b64encode(words.encode()).decode().rstrip("=") not in signed
    again = SEALS.seal(ranked(user=secret, list_id="0f8fad5c"))
    assert again.partition(".")[2][40:70] != signed.partition(".")[2][40:70]


@given(st.binary(max_size=300), st.text("0123456789abcdef", min_size=1, max_size=64))
def test_encrypting_twice_is_nothing(data: bytes, list_id: str) -> None:
    keys = _Keys(KEY)
    once = keys.crypt(list_id, data)
    assert keys.crypt(list_id, once) == data
    assert len(once) == len(data)


def test_ids_are_short_enough_and_others_are_no_ids() -> None:
    longest = ranked(tuple("物" * 40 + str(n) for n in range(120)), user="户" * 42, list_id="f" * 32)
    signed = SEALS.seal(longest)
    assert len(signed) <= LONGEST
    found = opened(signed)
    assert found is not None
    assert found.item_at(99, "物" * 40 + "99")
    assert plain(signed) == "f" * 32
    assert len(SEALS.seal(ranked(tuple(f"SKU-{n:06d}" for n in range(10)), list_id="f" * 32))) < 180
    for wrong in ("", ".", "a b", "列表", "a" * 129, "a." + "b" * LONGEST, "../x", "a\x00"):
        assert plain(wrong) is None
    assert (plain("a" * 128), plain("abc.def")) == ("a" * 128, "abc")


def test_of_a_list_of_many_domains_the_domain_is_signed_too() -> None:
    items = tuple(RankedItem(domain=domain, item="同", title="", score=1.0) for domain in ("car", "courses"))
    mixed = msgspec.structs.replace(ranked(), target="", items=items)
    found, known = opened(SEALS.seal(mixed)), KnownList(mixed)
    assert found is not None
    for each in (found, known):
        assert each.seen_at(0, "同", "car") == ("car", "同")
        assert each.seen_at(1, "同", "courses") == ("courses", "同")
        assert each.seen_at(0, "同", "courses") is each.seen_at(2, "同", "car") is each.seen_at(0, "异", "car") is None
        assert (each.domain_of("同", "courses"), each.domain_of("同", "film")) == ("courses", None)
        assert each.domain_of("异", "car") is None
    assert found.seen_at(0, "同") is found.seen_at(0, "", "car") is found.domain_of("同") is None, "a digest names none"
    assert (known.seen_at(1), known.domain_of("同")) == (("courses", "同"), "car")


def test_of_a_list_of_one_domain_it_need_not_be_named() -> None:
    for each in (opened(SEALS.seal(ranked())), KnownList(ranked())):
        assert each is not None
        assert each.seen_at(0, "物1") == each.seen_at(0, "物1", "car") == ("car", "物1")
        assert each.seen_at(0, "物1", "courses") is each.seen_at(0, "物2") is each.domain_of("物1", "courses") is None
        assert each.domain_of("物2") == each.domain_of("物2", "car") == "car"
