"""Facts of items for re-ranking: words, numbers and vectors of a catalogue, and what histories are made of.

catalogue, or a split folder's table  ->  labels, groups, numbers, vectors  ->  `rerank.base.Items`
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from kuajie.core import columns as c
from kuajie.core.histories import Histories
from kuajie.core.rows import unit_rows
from kuajie.core.space import ItemSpace
from kuajie.data.catalog import Catalog
from kuajie.evaluation.balance import tail_of
from kuajie.rerank.base import Groups, Items, Labels, People, shares

log = logging.getLogger("kuajie.rerank")
SEPARATORS = re.compile(r"[,;、，；|]")
"""Between several words of one attribute, such as regions."""
NOT_CONTENT = frozenset({"domain"})
Floats = npt.NDArray[np.float64]


@dataclass
class Facts:
    """What is collected of the items of a space, column by column."""

    space: ItemSpace
    labels: dict[str, Labels] = field(default_factory=dict)
    groups: dict[str, Groups] = field(default_factory=dict)
    numbers: dict[str, Floats] = field(default_factory=dict)

    def add_words(self, name: str, words: Sequence[str | None], bad: float | None = None) -> None:
        """A column of texts: a label, and if it holds separators, groups; numbers too (see `as_numbers`)."""
        numbers = as_numbers(words, bad)
        if numbers is not None:
            self.numbers[name] = numbers
            strange = sum(bool(word) for word in words) - int(np.isfinite(numbers).sum())
            if strange:
                log.warning("%d items have a '%s' that is no number", strange, name)
        self.labels[name] = labels_of(words)
        self.groups[name] = groups_of(words_of(words))

    def items(self, support: Floats) -> Items:
        """Everything together, with popularity and the content vectors.

        Args:
            support: (n_items,), how many used each.
        """
        tail = np.zeros(self.space.n_items, np.int32)
        for domain in self.space.domains:
            part = self.space.slice(domain)
            tail[part] = tail_of(support[part])
        known = {"popularity": support, **self.numbers}
        tails = Groups.of_labels(Labels(tail, ("head", "tail")))
        content = [rows.matrix for name, rows in self.groups.items() if name not in NOT_CONTENT]
        vectors = {"content": content_vectors(content, self.space.n_items)}
        return Items(vectors, self.labels, {**self.groups, "tail": tails}, known)


def facts_of_catalog(catalog: Catalog, numeric: Mapping[str, float] = MappingProxyType({})) -> Facts:
    """Domain, category, brand, price and every attribute of a workspace's items.

    Args:
        catalog: the items.
        numeric: attributes that are read as numbers, and what a text in them counts as that is none: one partner's bad
            cell must not take the whole column away.
    """
    facts, table = Facts(catalog.space), catalog.table
    add_domains(facts)
    for name in (c.CATEGORY, c.BRAND):
        facts.add_words(name, table[name].to_list())
    facts.numbers["price"] = table[c.PRICE].fill_null(np.nan).to_numpy().astype(np.float64)
    told = [msgspec.json.decode(text) if text else {} for text in table[c.ATTRIBUTES]]
    names = dict.fromkeys(name for each in told for name in each)
    for name in names:
        if name not in facts.labels and name not in facts.numbers:
            values = [each.get(name) for each in told]
            facts.add_words(name, ["" if value is None else str(value) for value in values], numeric.get(name))
    return facts


def facts_of_table(table: pl.DataFrame, space: ItemSpace) -> Facts:
    """What a split folder says of its items.

    `category` (a text) and `attributes` (a list) become the groups `category`, one of each word or number that does not
    stand with every second item. The first of them is the label `category`; the last, most special one stands as the
    label `brand`, which such folders do not name. Numbers stay numbers.
    """
    facts = Facts(space)
    add_domains(facts)
    for name in table.columns:
        column = table[name]
        if name == "attributes" or (name == "category" and column.dtype == pl.String):
            words = column.cast(pl.List(pl.String)) if name == "attributes" else column.str.split(" ")
            lists = [list(value) if value is not None else [] for value in words.to_list()]
            own = own_words(lists, space)
            facts.groups["category"] = groups_of(own)
            facts.labels["category"] = labels_of([value[0] if value else "" for value in own])
            facts.labels["brand"] = labels_of([value[-1] if value else "" for value in own])
        elif name not in {"item", "asin", "title"} and column.dtype.is_numeric():
            facts.numbers[name] = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return facts


def own_words(lists: Sequence[Sequence[str]], space: ItemSpace) -> list[list[str]]:
    """Words without those that every second item of a domain has: they tell nothing apart."""
    domain_of = space.domain_of(np.arange(space.n_items)).tolist()
    counts: dict[tuple[int, str], int] = {}
    for domain, words in zip(domain_of, lists, strict=True):
        for word in set(words):
            counts[domain, word] = counts.get((domain, word), 0) + 1
    most = [size / 2 for size in space.sizes]
    return [
        [word for word in words if counts[domain, word] <= most[domain]]
        for domain, words in zip(domain_of, lists, strict=True)
    ]


def add_domains(facts: Facts) -> None:
    """The label `domain`, and groups by it."""
    codes = facts.space.domain_of(np.arange(facts.space.n_items)).astype(np.int32)
    facts.labels["domain"] = Labels(codes, facts.space.domains)
    facts.groups["domain"] = Groups.of_labels(facts.labels["domain"])


def labels_of(words: Sequence[str | None]) -> Labels:
    """Codes of words in alphabetical order; empty ones have none."""
    column = pl.Series(words, dtype=pl.String).fill_null("")
    names = column.filter(column != "").unique().sort()
    codes = column.replace_strict(names, np.arange(len(names), dtype=np.int32), default=-1, return_dtype=pl.Int32)
    return Labels(codes.to_numpy().astype(np.int32), tuple(names.to_list()))


def groups_of(lists: Sequence[Iterable[str]]) -> Groups:
    """Groups of several words for each item; empty words are none."""
    kept = [[word for word in dict.fromkeys(words) if word] for words in lists]
    flat = labels_of([word for words in kept for word in words])
    starts = np.concatenate([[0], np.cumsum([len(words) for words in kept])]).astype(np.int64)
    shape = (len(kept), len(flat.names))
    return Groups.of(sparse.csr_array((np.ones(len(flat.codes)), flat.codes, starts), shape=shape), flat.names)


def as_numbers(words: Sequence[str | None], bad: float | None = None) -> Floats | None:
    """Texts as finite numbers, NaN where there is none.

    Args:
        words: texts.
        bad: what a text counts as that is no finite number; None: then the column holds no numbers.

    Returns:
        float64 (n,); None where there is no number, or a text that is none and must not be there.
    """
    values = finite_numbers(words, np.nan)
    missing = ~np.isfinite(values)
    if missing.all() or (bad is None and any(words[place] for place in np.flatnonzero(missing).tolist())):
        return None
    return values if bad is None else finite_numbers(words, bad)


def finite_numbers(words: Sequence[str | None], bad: float) -> Floats:
    """Texts as finite numbers, NaN where there is none, `bad` where a text is no finite number: (n,)."""
    column = pl.Series(words, dtype=pl.String).fill_null("")
    values = column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    return np.where(np.isfinite(values), values, np.where((column != "").to_numpy(), bad, np.nan))


def words_of(texts: Sequence[str | None]) -> list[list[str]]:
    """Several words of each text, such as regions."""
    return [[part.strip() for part in SEPARATORS.split(text)] if text else [] for text in texts]


def content_vectors(groups: Sequence[sparse.csr_array], n_items: int) -> sparse.csr_array:
    """All groups side by side, each word by how rare it is (log of items over items with it), rows of length 1."""
    if not groups:
        return sparse.csr_array((n_items, 1))
    whole = sparse.csr_array(sparse.hstack([(rows > 0).astype(np.float64) for rows in groups], format="csr"))
    used = np.bincount(whole.indices, minlength=whole.shape[1])
    rarity = np.log((1 + n_items) / (1 + used))
    return unit_rows(sparse.csr_array(whole @ sparse.diags_array(rarity)), np.float64)


def people_of(histories: Histories, items: Items, names: Iterable[str], space: ItemSpace, target: str | None) -> People:
    """What share of their histories people have of the groups that some steps read.

    Args:
        histories: one row for each list.
        items: says what is of which group.
        names: of groups.
        space: of the items.
        target: only groups that its items have count, so that tastes of other domains do not ask for what is not
            there; None: all.
    """
    used = histories.matrix().astype(np.float64)
    groups = {name: items.group(name) for name in names}
    return People({name: mix_of(used, each, there(each, space, target)) for name, each in groups.items()})


def there(groups: Groups, space: ItemSpace, target: str | None) -> Floats:
    """1 for each group that some item of a target has, else 0: (n_groups,); None: all are 1."""
    if target is None:
        return np.ones(len(groups.names))
    own = groups.matrix[space.slice(target)]
    return (np.bincount(own.indices, minlength=own.shape[1]) > 0).astype(np.float64)


def mix_of(used: sparse.csr_array, groups: Groups, wanted: Floats) -> sparse.csr_array:
    """Shares of the wanted groups in rows of use: CSR (n, n_groups), without zeros."""
    mix = sparse.csr_array(used @ groups.matrix)
    mix.data *= wanted[mix.indices]
    mix.eliminate_zeros()
    return shares(mix)
