import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.errors import UsageError
from kuajie.core.space import ItemSpace


def test_domains_are_slices_of_one_numbering() -> None:
    space = ItemSpace(("课程", "配件", "film"), (3, 2, 1))
    assert space.n_items == 6
    assert [space.slice(name) for name in space.domains] == [slice(0, 3), slice(3, 5), slice(5, 6)]
    np.testing.assert_array_equal(space.offsets, [0, 3, 5, 6])
    np.testing.assert_array_equal(space.domain_of(np.arange(6)), [0, 0, 0, 1, 1, 2])
    assert space.others("配件") == ["课程", "film"]


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_every_item_lies_in_the_slice_of_its_domain(sizes: list[int]) -> None:
    space = ItemSpace(tuple(f"d{n}" for n in range(len(sizes))), tuple(sizes))
    found = space.domain_of(np.arange(space.n_items))
    for number, name in enumerate(space.domains):
        np.testing.assert_array_equal(np.arange(space.n_items)[space.slice(name)], np.flatnonzero(found == number))


def test_empty_domains_hold_nothing() -> None:
    space = ItemSpace(("a", "b", "c"), (2, 0, 1))
    assert space.slice("b") == slice(2, 2)
    np.testing.assert_array_equal(space.domain_of(np.arange(3)), [0, 0, 2])


def test_an_unknown_domain_is_named_with_those_there_are() -> None:
    for call in (lambda s: s.slice("车"), lambda s: s.index("车"), lambda s: s.others("车")):
        with pytest.raises(UsageError, match="no domain '车'; the domains are a, b"):
            call(ItemSpace(("a", "b"), (1, 1)))


@pytest.mark.parametrize(("domains", "sizes"), [(("a", "a"), (1, 1)), (("a",), (1, 2))])
def test_domains_are_distinct_and_have_one_size_each(domains: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="distinct names with one size each"):
        ItemSpace(domains, sizes)
