"""RDF sources: names, order, and what is wrong."""

import builtins
import gzip
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kuajie.core.errors import ConfigError, DataError, MissingExtraError
from kuajie.data.config import DomainConfig, SourceConfig
from kuajie.data.sources import open_source
from kuajie.testing.sources import raw, rows, write

PREFIXES = """@prefix e: <http://example.com/entity/> . @prefix i: <http://example.com/item/> .
@prefix r: <http://example.com/relation#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
"""
TURTLE = (
    PREFIXES
    + """
i:p%2F1 r:brand e:b1 ; r:about e:turbo , e:刹车 ; r:note "原厂"@zh .
e:turbo rdfs:label "turbo"@en , "涡轮"@zh ; a e:Concept .
e:b1 rdfs:label "Bosch" .
r:about rdfs:label "about this" .
_:x r:about e:turbo .
"""
)


def test_turtle_becomes_triples_of_readable_names(tmp_path: Path) -> None:
    source = write(tmp_path, "g.ttl", TURTLE).model_copy(update={"item_iri": "http://example.com/item/"})
    frame, rejected = raw(tmp_path, source, "kg")
    found = rows(frame, "head", "relation", "tail")
    assert [row for row in found if not row[0].startswith("_:")] == [
        ("p/1", "brand", "Bosch"),
        ("p/1", "about this", "涡轮"),
        ("p/1", "about this", "刹车"),
        ("p/1", "note", "原厂"),
        ("涡轮", "type", "Concept"),
    ]
    assert [row[1:] for row in found if row[0].startswith("_:")] == [("about this", "涡轮")]
    assert rejected.is_empty()


def test_resources_of_one_name_keep_their_iris(tmp_path: Path) -> None:
    text = PREFIXES + 'i:1 r:in e:1 . e:2 rdfs:label "甲" . e:3 rdfs:label "甲" . e:2 r:in e:3 .'
    frame, _ = raw(tmp_path, write(tmp_path, "g.ttl", text), "kg")
    assert rows(frame, "head", "tail") == [
        ("http://example.com/item/1", "http://example.com/entity/1"),
        ("http://example.com/entity/2", "http://example.com/entity/3"),
    ]
    source = SourceConfig(path="g.ttl", item_iri="http://example.com/item/")
    assert rows(raw(tmp_path, source, "kg")[0], "head", "tail")[0] == ("1", "http://example.com/entity/1")


def test_lines_of_n_triples_are_kept_or_quarantined(tmp_path: Path) -> None:
    rng = random.Random(0)
    lines, good = [], 0
    for number in range(300):
        kind = rng.choice(["good", "good", "bad", "empty", "comment"])
        good += kind == "good"
        lines.append({
            "good": f"<http://x/{number}> <http://x/r> <http://x/{number + 1}> .",
            "bad": f"<http://x/{number}> <http://x/r> .",
            "empty": "", "comment": "# 说明",
        }[kind])  # fmt: skip
    data = gzip.compress("\n".join(lines).encode() + b"\n<http://x/\xff> <http://x/r> <http://x/1> .\n")
    frame, rejected = raw(tmp_path, write(tmp_path, "g.nt.gz", data), "kg")
    assert len(frame) == good
    assert sorted([*frame["row"], *rejected["row"]]) == [
        number for number, line in enumerate([*lines, "?"], 1) if line not in {"", "# 说明"}
    ]
    assert set(rejected["reason"]) == {
        "the line is not a triple of N-Triples", "the line is not valid text in the file's encoding"
    }  # fmt: skip


def test_broken_turtle_names_the_line(tmp_path: Path) -> None:
    source = write(tmp_path, "坏.ttl", PREFIXES + "\ni:1 r:brand e:b1 .\ni:2 r:brand .\n")
    with pytest.raises(DataError, match=r"坏.ttl, line 5: this is not Turtle"):
        raw(tmp_path, source, "kg")


def test_a_name_of_a_megabyte_is_read_and_left_to_the_rules_of_ids(tmp_path: Path) -> None:
    text = PREFIXES + f'e:1 rdfs:label "{"长" * 350_000}" . e:1 r:in e:2 .'
    frame, _ = raw(tmp_path, write(tmp_path, "g.ttl", text), "kg")
    assert frame["head"].str.len_bytes().to_list() == [1_050_000]


def test_rdf_is_no_table_of_events(tmp_path: Path) -> None:
    source = write(tmp_path, "g.ttl", TURTLE)
    with pytest.raises(ConfigError, match=r"RDF holds triples\. Name it under kg, not under events"):
        list(open_source(source, tmp_path, "events"))


def test_without_the_library_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pyoxigraph":
            raise ImportError
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r'pip install "kuajie\[graph\]"'):
        raw(tmp_path, write(tmp_path, "g.ttl", TURTLE), "kg")


def test_a_domain_takes_rdf_beside_other_triples(tmp_path: Path) -> None:
    from kuajie.data.config import CleaningConfig
    from kuajie.data.reading import Quarantine, Reader
    from kuajie.data.tables import read_knowledge
    from kuajie.data.unify import Rules
    from kuajie.testing.sources import NOW

    write(tmp_path, "g.nt", "<http://x/1> <http://x/r> <http://x/a> .\nbroken\n")
    (tmp_path / "g.csv").write_text("head,relation,tail\n2,r,a\n,r,a\n", encoding="utf-8")
    domain = DomainConfig(
        events=(SourceConfig(path="e.csv"),), kg=(SourceConfig(path="g.nt"), SourceConfig(path="g.csv"))
    )
    quarantine = Quarantine(tmp_path / "q.csv")
    reader = Reader(tmp_path, Rules(CleaningConfig(), NOW), ["d"], quarantine, lambda *_: None)
    triples = read_knowledge(reader, "d", domain)
    quarantine.close()
    assert triples.rows() == [("d", "1", "r", "a"), ("d", "2", "r", "a")]
    accounts = [tally.account() for tally in reader.tallies]
    assert [(each.read, each.kept, each.bad) for each in accounts] == [(2, 1, 1), (2, 1, 1)]
    assert len(pl.read_csv(tmp_path / "q.csv")) == 2
