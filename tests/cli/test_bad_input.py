"""Whatever is handed in: it works, or there is one clear sentence, exit code 1 or 2, and nothing is lost."""

import hashlib
import json
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kuajie.cli.main import run

TOML = """
[workspace]
name = "小数据"
threads = 1

[training]
seconds = 2
kinds = ["popularity", "itemknn"]

[domains.courses]
[[domains.courses.events]]
path = "courses.csv"

[domains.car]
title = "汽车"
[[domains.car.events]]
path = "car.csv"
kind = "purchase"
"""
HEAD = "user,item,occurred_at,value"


def events(prefix: str, people: int = 40, items: int = 12, each: int = 5, first: str = "") -> list[str]:
    """Even people like even items; ids have leading zeros and emoji."""
    rng = random.Random(prefix)
    lines = []
    for person in range(people):
        liked = rng.sample([item for item in range(items) if item % 2 == person % 2 or item > items - 3], each)
        lines += [f"{first}{person:03d},{prefix}{i},2026-01-{day:02d}T00:00:00,1" for day, i in enumerate(liked, 1)]
    return lines


def write(folder: Path, courses: list[str] | None = None, car: list[str] | None = None, toml: str = TOML) -> Path:
    """A workspace whose sources are small files."""
    for name, lines, prefix in (("courses", courses, "课"), ("car", car, "🚗")):
        text = "\n".join([HEAD, *(events(prefix) if lines is None else lines)]) + "\n"
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    (folder / "kuajie.toml").write_text(toml, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write(tmp_path_factory.mktemp("好"))
    for command in (["import"], ["train"], ["evaluate", "--models", "popularity"]):
        with pytest.raises(SystemExit) as end:
            run([*command, "--workspace", str(folder)])
        assert not end.value.code
    return folder


@pytest.fixture
def workspace(good: Path, tmp_path: Path) -> Path:
    """Imported, trained and evaluated; to be spoilt."""
    return Path(shutil.copytree(good, tmp_path / "w"))


def state(workspace: Path) -> dict[str, str]:
    """Every file that a command has made, but quarantined rows."""
    made = [path for name in ("warehouse", "models", "reports") for path in (workspace / name).rglob("*")]
    return {
        str(path.relative_to(workspace)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in made
        if path.is_file() and path.parent.name != "quarantine"
    }


def refused(seen: Any, code: int, words: str) -> None:
    """One sentence on standard error that says where and what to do."""
    assert seen.code == code
    assert seen.err.startswith("kuajie: ")
    assert len(seen.err.splitlines()) == 1
    assert words in seen.err
    assert seen.err.rstrip().endswith((".", "DIR")), "it says what to do"


def append(name: str, *lines: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    return change


def replace(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def content(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def parquet(damage: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        pl.read_csv(folder / "car.csv", infer_schema=False).write_parquet(folder / "car.parquet")
        (folder / "car.parquet").write_bytes(damage((folder / "car.parquet").read_bytes()))
        replace("kuajie.toml", "car.csv", "car.parquet")(folder)

    return change


def flipped(data: bytes) -> bytes:
    spoilt = bytearray(data)
    spoilt[len(data) // 2] ^= 1
    return bytes(spoilt)


MANY = ["001,课1,2026-01-05,{}"] * 30


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param(lambda folder: (folder / "car.csv").unlink(), 1, "there is no such file", id="missing file"),
        pytest.param(replace("car.csv", "item", "sku"), 1, "there is no column 'item'", id="wrong column"),
        pytest.param(replace("car.csv", "value", "item"), 1, "'item' occurs twice", id="duplicate column"),
        pytest.param(content("car.csv", HEAD.encode() + b"\n"), 1, "the domain 'car' has no event", id="empty domain"),
        pytest.param(content("car.csv", b""), 1, "the file is empty", id="empty file"),
        pytest.param(content("car.csv", b"user,item\n\xff\xfe,\x81\n"), 1, "not valid text", id="no text"),
        pytest.param(append("courses.csv", *(line.format("NaN") for line in MANY)), 1, "not finite: 30", id="NaN"),
        pytest.param(append("courses.csv", *(line.format("-inf") for line in MANY)), 1, "not finite: 30", id="inf"),
        pytest.param(append("courses.csv", *["0\x001,课1,2026-01-05,1"] * 30), 1, "NUL character: 30", id="NUL"),
        pytest.param(append("courses.csv", *[f"{'长' * 10_000},课1,,1"] * 30), 1, "longer than", id="long ids"),
        pytest.param(append("courses.csv", *["1,课1,2999-01-01,1"] * 30), 1, "in the future: 30", id="future"),
        pytest.param(append("courses.csv", *["1,课1,-99999999999999,1"] * 30), 1, "is before 1990", id="past"),
        pytest.param(parquet(lambda data: data[: len(data) // 2]), 1, "not a whole Parquet file", id="cut Parquet"),
        pytest.param(
            parquet(lambda data: data[:60] + b"\xff" * 30 + data[90:]), 1, "car.parquet", id="damaged Parquet"
        ),
        pytest.param(replace("kuajie.toml", "threads", "treads"), 2, "'workspace.treads' is not a known", id="key"),
        pytest.param(append("kuajie.toml", "[strenght]", "view = 1"), 2, "'strenght' is not a known key", id="table"),
        pytest.param(append("kuajie.toml", "[strength"), 2, "is not valid TOML", id="no TOML"),
        pytest.param(content("kuajie.toml", b"\xff\xfe"), 2, "is not valid TOML", id="binary configuration"),
        pytest.param(lambda folder: (folder / "kuajie.toml").unlink(), 2, "there is no kuajie.toml", id="no workspace"),
    ],
)
def test_an_import_that_fails_changes_nothing(
    kuajie: Callable, workspace: Path, change: Callable[[Path], object], code: int, words: str
) -> None:
    before = state(workspace)
    change(workspace)
    seen = kuajie("import", "-w", workspace)
    refused(seen, code, words)
    assert seen.out == ""
    assert state(workspace) == before
    if code == 1:  # what was trained before goes on serving
        assert kuajie("recommend", "-w", workspace, "--user", "courses:007", "--target", "car").code == 0


def test_few_bad_rows_are_put_aside_with_their_line_and_reason(kuajie: Callable, workspace: Path) -> None:
    bad = [
        "001,课1,2026-01-05,NaN",
        "001,课1,2026-01-05,inf",
        "0\x001,课1,2026-01-05,1",
        f"{'长' * 10_000},课1,2026-01-05,1",
        "001,课1,9999-12-31T00:00:00,1",
        "001,课1,0001-01-01T00:00:00,1",
        "001,课1,999999999999999999999,1",
        ",课1,2026-01-05,1",
    ]
    append("courses.csv", *bad)(workspace)
    seen = kuajie("import", "-w", workspace, "--json")
    assert seen.code == 0
    source = seen.data["quality"]["sources"][0]
    assert sum(source["quarantined"].values()) == len(bad)
    assert source["read"] == 208 == source["kept"] + sum(source["quarantined"].values())
    rows = pl.read_csv(workspace / "warehouse" / seen.data["quality"]["quarantine"])
    assert rows["line"].to_list() == list(range(202, 210))
    assert rows["reason"].null_count() == 0
    assert rows["content"].str.len_chars().max() <= 1_000


def test_nobody_in_both_domains_works_with_a_warning(kuajie: Callable, tmp_path: Path) -> None:
    write(tmp_path, car=events("🚗", first="另一人"))
    seen = kuajie("import", "-w", tmp_path)
    assert seen.code == 0
    assert "share no person" in seen.err
    assert kuajie("train", "-w", tmp_path).code == 0
    assert kuajie("evaluate", "-w", tmp_path, "--models", "itemknn,popularity", "--json").code == 0
    ranked = kuajie("recommend", "-w", tmp_path, "--user", "courses:007", "--target", "car", "--json").data
    assert len(ranked["items"]) == 10


def test_a_catalogue_of_one_item_works_with_a_warning(kuajie: Callable, tmp_path: Path) -> None:
    write(tmp_path, car=[f"{person:03d},🚗,2026-01-02,1" for person in range(39)])
    seen = kuajie("import", "-w", tmp_path)
    assert seen.code == 0
    assert "car has one item alone" in seen.err
    assert kuajie("train", "-w", tmp_path).code == 0
    seen = kuajie("evaluate", "-w", tmp_path, "--models", "auto,itemknn,popularity")
    assert seen.code == 0
    assert "auto: car has no validation rows" in seen.err
    asked = ["recommend", "-w", tmp_path, "--target", "car", "--user"]
    assert [item["item"] for item in kuajie(*asked, "courses:039", "--json").data["items"]] == ["🚗"]
    assert "There is nothing to recommend" in kuajie(*asked, "courses:007").out
    assert "没有可推荐的" in kuajie(*asked, "courses:007", "--lang", "zh").out


def test_ids_are_compared_exactly(kuajie: Callable, workspace: Path) -> None:
    seen = kuajie("recommend", "-w", workspace, "--user", "courses:007", "--target", "car", "--json")
    assert all(item["item"].startswith("🚗") for item in seen.data["items"])
    assert seen.data["account"]["user"] == "007"
    for wrong in ("7", "007 ", "长" * 10_000):
        seen = kuajie("recommend", "-w", workspace, "--user", f"courses:{wrong}", "--target", "car")
        assert seen.code == 2
        assert f"there is no user '{wrong[:80]}'" in seen.err
        assert len(seen.err) < 300


def test_rows_of_zeros_are_nothing_to_learn_from(kuajie: Callable, tmp_path: Path) -> None:
    write(tmp_path, toml=TOML + "[strength.weights]\nview = 0\npurchase = 0\n")
    assert kuajie("import", "-w", tmp_path).code == 0
    for command in ("train", "evaluate"):
        refused(kuajie(command, "-w", tmp_path), 1, "no event with a strength above 0")
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "reports").exists()


def test_zeros_in_one_domain_leave_the_other_usable(kuajie: Callable, tmp_path: Path) -> None:
    write(tmp_path, toml=TOML + "[strength.weights]\nview = 0\n")
    for command in (["import"], ["train"], ["evaluate", "--models", "itemknn,popularity"]):
        assert kuajie(*command, "-w", tmp_path).code == 0
    asked = ["recommend", "-w", tmp_path, "--user", "courses:007", "--json", "--target"]
    assert kuajie(*asked, "car").data["items"]
    assert kuajie(*asked, "courses").data["items"] == []


@pytest.mark.parametrize("name", ["events.parquet", "items.parquet", "accounts.parquet", "manifest.json", "latest"])
def test_a_flipped_byte_in_a_snapshot_is_noticed(kuajie: Callable, workspace: Path, name: str) -> None:
    path = next((workspace / "warehouse").rglob(name))
    path.write_bytes(flipped(path.read_bytes()))
    before = state(workspace)
    for command in (["train"], ["evaluate", "--models", "popularity"]):
        refused(kuajie(*command, "-w", workspace), 1, "Run the import again")
    assert state(workspace) == before
    assert kuajie("import", "-w", workspace).code == 0


@pytest.mark.parametrize("name", ["arrays.safetensors", "manifest.json"])
def test_a_flipped_byte_in_a_model_is_noticed(kuajie: Callable, workspace: Path, name: str) -> None:
    path = next((workspace / "models").rglob(name))
    path.write_bytes(flipped(path.read_bytes()))
    asked = ["recommend", "-w", workspace, "--user", "courses:007", "--target", "car"]
    refused(kuajie(*asked), 1, "is damaged")
    seen = kuajie("evaluate", "-w", workspace, "--models", "popularity")
    assert seen.code == 0  # a comparison fits its own models
    assert "is damaged" in seen.err
    assert json.loads((workspace / "reports" / "evaluation.json").read_text(encoding="utf-8"))["domains"]
    assert kuajie("train", "-w", workspace).code == 0
    assert kuajie(*asked).code == 0


@pytest.mark.parametrize("pointer", ["warehouse/latest", "models/serving"])
@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"elsewhere\n", b"../../etc\n"])
def test_a_pointer_that_is_rubbish_is_named(kuajie: Callable, workspace: Path, pointer: str, data: bytes) -> None:
    (workspace / pointer).write_bytes(data)
    if pointer == "models/serving":
        seen = kuajie("recommend", "-w", workspace, "--user", "courses:007", "--target", "car")
        assert "kuajie models --serve" in seen.err
        assert kuajie("models", "-w", workspace).code == 0
    else:
        seen = kuajie("train", "-w", workspace)
        assert "Run the import again" in seen.err
    assert seen.code == 1
    assert "which is not there" in seen.err


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, which libraries written in any language meet as they meet a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("command", "most"),
    [
        (["import"], 1_500),
        (["train"], 1_000),
        (["evaluate", "--models", "popularity"], 8_000),
        (["evaluate", "--models", "popularity", "--json"], 8_500),
    ],
)
def test_a_full_disk_loses_nothing(kuajie: Callable, workspace: Path, command: list[str], most: int) -> None:
    append("courses.csv", "009,课3,2026-02-01,1")(workspace)
    before = state(workspace)
    with full_disk(most):
        seen = kuajie(*command, "-w", workspace)
    refused(seen, 1, "could not be written")
    assert state(workspace) == before
    assert not list(workspace.rglob("*.draft"))
    assert kuajie("recommend", "-w", workspace, "--user", "courses:007", "--target", "car").code == 0


@pytest.mark.parametrize("options", [[], ["--scenario", "car-parts"]])
def test_a_full_disk_leaves_no_half_workspace(kuajie: Callable, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sources.txt").write_text("mine")
    for folder in ("new", "mine"):
        with full_disk(1_000):
            seen = kuajie("init", tmp_path / folder, *options)
        refused(seen, 1, "could not be written")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["sources.txt"]


def split_folder(folder: Path) -> Path:
    for domain in ("书", "music"):
        rng = random.Random(domain)
        rows = [(user, 2 * item + user % 2) for user in range(30) for item in rng.sample(range(8), 4)]
        frame = pl.DataFrame(rows, schema={"user": pl.Int32, "item": pl.Int32}, orient="row")
        frame[:-30].write_parquet(folder / f"{domain}_train.parquet")
        frame[-30:].write_parquet(folder / f"{domain}_test.parquet")
    return folder


def columns(*changes: pl.Expr, **named: pl.Expr) -> Callable[[Path], object]:
    return lambda path: pl.read_parquet(path).with_columns(*changes, **named).write_parquet(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "cannot be read as Parquet"),
        (lambda path: pl.read_parquet(path).rename({"item": "sku"}).write_parquet(path), "column 'item' is missing"),
        (lambda path: pl.read_parquet(path)[:0].write_parquet(path), "has no rows"),
        (lambda path: path.unlink(), "got only the domain 'music'"),
        (columns(pl.col("user").cast(pl.String)), "must be whole numbers"),
        (columns(item=pl.lit(None, pl.Int32)), "row 1: 'item' must not be null"),
        (columns(timestamp=pl.lit(float("nan"))), "must be finite or null, got nan"),
        (columns(timestamp=pl.lit(float("inf"))), "must be finite or null, got inf"),
        (columns(item=pl.lit(2**64 - 1, pl.UInt64)), "must be below 2^63"),
        (lambda path: (path.parent / "meta.json").write_bytes(b"\xff{"), "is not JSON"),
    ],
)
def test_a_split_that_is_damaged_is_named(
    kuajie: Callable, tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    change(split_folder(tmp_path) / "书_train.parquet")
    seen = kuajie("benchmark", tmp_path, "--models", "popularity", "--json", tmp_path / "out.json")
    refused(seen, 1, words)
    assert not (tmp_path / "out.json").exists()


def test_results_on_a_full_disk_leave_the_old_ones(kuajie: Callable, tmp_path: Path) -> None:
    split_folder(tmp_path)
    (tmp_path / "out.json").write_text("old")
    with full_disk(1_000):
        seen = kuajie("benchmark", tmp_path, "--models", "popularity", "--json", tmp_path / "out.json")
    refused(seen, 1, "could not be written")
    assert (tmp_path / "out.json").read_text() == "old"
