"""Names of topics and segments, in Chinese and English, from the words of the catalogue.

A topic is called by the categories of its items, for English readers by their English names; where nobody told these,
by two words that stand together in the English titles, else by the English words that are relevant to it (Sievert and
Shirley 2014, "LDAvis", equation 1). A segment is called by the interests and habits that set it apart.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kuajie.core import columns as c
from kuajie.core.language import message
from kuajie.core.records import Record
from kuajie.core.texts import Joined, Text
from kuajie.data.catalog import Catalog
from kuajie.profiles.apart import Habit
from kuajie.profiles.topics import Topics

Numbers = npt.NDArray[np.float64]
RELEVANCE = 0.6
"""What the share of a word in the topic counts against how much larger it is there than anywhere."""
FULL = 0.15
"""A category that holds a smaller share of a topic does not name it."""
FEW, EVERYWHERE = 10, 0.04
"""Words of more titles than that, and of more than this share of them, such as "for", are in no name."""
BELONGING = 0.6
"""Two words name a topic where at least this part of the items with them is of it."""
SHORTEST = 4
"""Letters of an English word that may name a topic."""
TELLING = 0.8
"""A habit that names a segment differs by so many standard deviations (Cohen 1988: large)."""
_WORD = re.compile(r"[a-z0-9']+")
LIST = message(", ")
HABITS: Mapping[tuple[str, bool], str] = {
    ("items", True): message("busy"),
    ("items", False): message("rarely there"),
    ("recent_events", True): message("active lately"),
    ("days_since_last", True): message("gone quiet"),
    ("purchases", True): message("buyers"),
    ("weekend_share", True): message("at weekends"),
    ("session_minutes", True): message("long visits"),
    ("finished_share", True): message("finish what they start"),
    ("finished_share", False): message("start and leave"),
    ("price_level", True): message("for dear things"),
    ("price_level", False): message("for cheap things"),
    ("hour_cos", True): message("around midnight"),
    ("hour_sin", False): message("in the evening"),
    ("hour_sin", True): message("in the morning"),
}
"""What a habit that is stronger or weaker is called."""


class TopicName(Record, frozen=True):
    """What a topic is called, and what it is made of.

    Attributes:
        zh, en: names, each of one to three parts.
        items: its items with the largest shares: domain, id.
        share: of everybody's interests.
    """

    zh: tuple[str, ...]
    en: tuple[str, ...]
    items: tuple[tuple[str, str], ...] = ()
    share: float = 0.0

    def parts(self, language: str) -> tuple[str, ...]:
        """The parts of its name for readers of a language."""
        return self.en if language == "en" else self.zh

    def name(self, language: str) -> str:
        """Its name for readers of a language."""
        return " · ".join(self.parts(language))


def topic_names(
    topics: Topics, catalog: Catalog, prior: npt.NDArray[np.float32], english: Mapping[str, str] | None = None
) -> tuple[TopicName, ...]:
    """Names of all topics.

    Args:
        topics: as fitted.
        catalog: the items.
        prior: (topics,), everybody's interests.
        english: what English readers call categories, where that is known.
    """
    known = english or {}
    vocabulary = topics.vocabulary
    numbers = np.array([catalog.number(*name) for name in vocabulary.items], np.int64)
    share = topics.terms_share
    items, words = share[: len(numbers)], share[len(numbers) :]
    own = items / np.maximum(items.sum(axis=1, keepdims=True), 1e-300)
    relevance = _relevance(words)
    pairs = english_pairs(catalog.table[c.TITLE_EN].gather(numbers).to_list())
    categories = catalog.table[c.CATEGORY].gather(numbers).to_list()
    found = []
    for topic in range(topics.n_topics):
        best = np.argsort(-items[:, topic], kind="stable")[:5].tolist()
        said = [vocabulary.words[place] for place in np.argsort(-relevance[:, topic], kind="stable")[:40].tolist()]
        called = _categories(categories, items[:, topic])
        native = called or _whole([word for word in said if not word.isascii()]) or said[:2]
        telling = [word for word in said if word.isascii() and word.isalpha() and len(word) >= SHORTEST]
        labelled = [known[each] for each in called if each in known]
        spoken = labelled or _phrases(pairs, own[:, topic], items[:, topic]) or telling[:3]
        titles = [catalog.titles()[numbers[place]] for place in best[:1]] if not native and not spoken else []
        found.append(
            TopicName(
                zh=tuple(native or spoken or titles),
                en=tuple(spoken or native or titles),
                items=tuple(vocabulary.items[place] for place in best),
                share=round(float(prior[topic]), 4),
            )
        )
    return tuple(found)


def segment_name(interests: Sequence[int], habits: Sequence[Habit], names: Sequence[TopicName], language: str) -> Text:
    """What a segment is called: its first interests, and a habit that differs much.

    Args:
        interests: topics that set it apart, the surest first.
        habits: that differ, the largest first.
        names: of all topics.
        language: of the topics' words; the text itself is said in any.
    """
    liked = list(dict.fromkeys(names[topic].parts(language)[0] for topic in interests[:3]))[:2]
    known = [HABITS.get((each.name, each.effect > 0)) for each in habits if abs(each.effect) >= TELLING]
    habit = next((Text(each) for each in known if each is not None), None)
    if liked and habit is not None:
        return Text("{interests}, {habit}", interests=Joined(liked, Text(LIST)), habit=habit)
    if liked:
        return Joined(liked, Text(LIST))
    return habit if habit is not None else Text("mixed interests")


def _relevance(words: Numbers) -> Numbers:
    overall = words.mean(axis=1, keepdims=True)
    logs = np.log(np.maximum(words, 1e-12))
    found: Numbers = RELEVANCE * logs + (1 - RELEVANCE) * (logs - np.log(np.maximum(overall, 1e-12)))
    return found


def english_pairs(titles: Sequence[str]) -> list[set[str]]:
    """Two words side by side in each English title, such as "engine oil"; none of words that many titles share."""
    words = [_WORD.findall(title.lower()) for title in titles]
    counts = Counter(word for found in words for word in set(found))
    most = max(FEW, EVERYWHERE * len(titles))
    telling = {word for word, count in counts.items() if count <= most and word.isalpha() and len(word) > 2}
    return [{f"{one} {two}" for one, two in pairwise(found) if {one, two} <= telling} for found in words]


def _phrases(pairs: Sequence[set[str]], own: Numbers, share: Numbers) -> list[str]:
    """The two pairs of words, each of two items or more, that hold most of a topic and mostly belong to it.

    Args:
        pairs: of each item.
        own: (items,), the part of each item that is of the topic.
        share: (items,), of the topic's items.
    """
    counts = Counter(pair for found in pairs for pair in found)
    mass: dict[str, float] = {}
    belonging: dict[str, float] = {}
    for found, part, weight in zip(pairs, own.tolist(), share.tolist(), strict=True):
        for pair in found:
            mass[pair] = mass.get(pair, 0.0) + weight
            belonging[pair] = belonging.get(pair, 0.0) + part / counts[pair]
    telling = [pair for pair in mass if counts[pair] > 1 and belonging[pair] >= BELONGING]
    scored = sorted(telling, key=lambda pair: (-mass[pair] * belonging[pair], pair))
    first = scored[:1]
    return first + [pair for pair in scored[1:] if not set(pair.split()) & set(first[0].split())][:1]


def _categories(categories: Sequence[str], share: Numbers) -> list[str]:
    """The categories that hold most of a topic's items, at most two."""
    sums: dict[str, float] = {}
    for category, part in zip(categories, share.tolist(), strict=True):
        if category:
            sums[category] = sums.get(category, 0.0) + part
    largest = sorted(sums, key=lambda name: (-sums[name], name))[:2]
    return [name for name in largest if sums[name] >= FULL * float(share.sum())]


def _whole(words: Sequence[str]) -> list[str]:
    """Two words that do not overlap: pairs of characters of one longer word do."""
    kept: list[str] = []
    for word in words:
        if not any(set(word) & set(other) for other in kept):
            kept.append(word)
    return kept[:2]
