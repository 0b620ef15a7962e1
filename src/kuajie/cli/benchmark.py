"""`kuajie benchmark`: models against a prepared public split."""

import json as plain_json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kuajie.cli.options import (
    BudgetOption,
    DeviceOption,
    LangOption,
    MetricsOption,
    ModelsOption,
    SlicesOption,
    device_of,
    names_of,
)
from kuajie.cli.screen import Screen
from kuajie.core.durations import seconds_of
from kuajie.core.texts import Text

if TYPE_CHECKING:
    from kuajie.workflows.benchmark import BenchmarkResult

OUTPUT = Path("-")
"""As the file of results: standard output."""


def benchmark(
    folder: Annotated[Path, typer.Argument(help="A folder of <domain>_train.parquet and <domain>_test.parquet.")],
    models: ModelsOption = None,
    candidates: Annotated[
        str, typer.Option(metavar="full|sampled-999|sampled-99|file", help="What a test item is ranked among.")
    ] = "full",
    setting: Annotated[
        str,
        typer.Option(
            metavar="plain|cut-links|new-items|known-items",
            help="Harder ones: nobody is linked; a tenth of the items is asked for, their behaviour hidden or known.",
        ),
    ] = "plain",
    budget: BudgetOption = None,
    metrics: MetricsOption = None,
    slices: SlicesOption = False,
    ratings: Annotated[
        bool, typer.Option("--ratings", help="Tell the column 'rating' of the test rows instead of ranking: RMSE, MAE.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="How many threads a job may use.")] = 2,
    memory_gb: Annotated[float, typer.Option(min=0.1, help="Models that need more are skipped and named.")] = 8.0,
    device: DeviceOption = "cpu",
    json: Annotated[Path | None, typer.Option(help="Write the results here; '-' is standard output.")] = None,
    lang: LangOption = None,
) -> None:
    """Measure models on a prepared split.

    Choices are made on validation data only; test rows are read once, at the end.

    \b
    Example:
      kuajie benchmark splits/books_music
      kuajie benchmark splits/books_music --models auto,itemknn,itemknn:target --candidates sampled-999 --json out.json
      kuajie benchmark splits/books_music --models popularity,content --setting cut-links
      kuajie benchmark splits/books_music --models auto,sasrec --budget 30m
      kuajie benchmark splits/books_music --ratings --models biases,mf
    """
    screen = Screen(lang, json=json == OUTPUT)
    if ratings:
        tell_ratings(screen, folder, names_of(models), seed, threads, json)
        return
    from kuajie.workflows.arena import ArenaOptions, chooser_within
    from kuajie.workflows.benchmark import DEFAULT_MODELS
    from kuajie.workflows.benchmark import benchmark as measure

    options = ArenaOptions(threads=threads, memory_bytes=int(memory_gb * 2**30), device=device_of(device))
    chooser = None if budget is None else chooser_within(seconds_of(budget))
    wanted, columns = names_of(models) or DEFAULT_MODELS, names_of(metrics)
    how: dict[str, Any] = {"metrics": columns, "chooser": chooser, "setting": setting}
    with screen.progress() as progress:
        result = measure(folder, wanted, candidates, seed, options, progress=progress, **how)
    values = result.to_json()
    give_data(screen, values, json)
    show_benchmark(screen, result, values, columns, slices)


def give_data(screen: Screen, values: Mapping[str, Any], json: Path | None) -> None:
    """The results for machines, on standard output or in a file."""
    from kuajie.core.files import write_file

    screen.data(values)
    if json is not None and json != OUTPUT:
        write_file(json, plain_json.dumps(values, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def show_benchmark(
    screen: Screen, result: "BenchmarkResult", values: Mapping[str, Any], columns: Sequence[str], slices: bool
) -> None:
    """The results for people: the split, the models, what the checks found, and what it took."""
    from kuajie.cli.show import show_results

    for note in (result.order, *result.notes):
        screen.line(note)
    if result.candidates != "full":
        screen.say("Ranked among sampled items: for comparison with tables that did the same, not with others.")
    show_results(screen, values["domains"], metrics=columns, slices=slices, twins=values["leaks"]["twin_items"])
    for name, reason in result.skipped.items():
        screen.warn(Text("{model}: {reason}", model=name, reason=reason))
    screen.head("Checks of the split")
    for leak in result.leaks:
        screen.line(f"  {screen.words(leak.sentence)}")
    screen.say()
    screen.say(
        "{seconds} s, at most {memory} MB.", seconds=f"{result.seconds:.1f}", memory=f"{result.peak_memory_mb:,.0f}"
    )


def tell_ratings(
    screen: Screen, folder: Path, models: Sequence[str], seed: int, threads: int, json: Path | None
) -> None:
    """Measure models of ratings."""
    from kuajie.core.recommender import FitOptions
    from kuajie.workflows.ratings import MODELS, benchmark_ratings

    with screen.progress() as progress:
        result = benchmark_ratings(folder, models or MODELS, seed, FitOptions(seed=seed, threads=threads), progress)
    give_data(screen, result.to_json(), json)
    for domain, found in result.domains.items():
        screen.head("{domain}: {count} test ratings", domain=domain, count=f"{found['test_rows']:,}")
        rows = [
            (name, *(with_interval(each, metric) for metric in ("rmse", "mae")), f"{each['fell_back']:,}")
            for name, each in found["models"].items()
        ]
        screen.table(["model", "RMSE", "MAE", "could not tell"], rows, numbers=1)
    screen.say("{seconds} s.", seconds=f"{result.seconds:.1f}")


def with_interval(found: Mapping[str, Any], metric: str) -> str:
    """A metric and its interval."""
    low, high = found["ci95"][metric]
    return f"{found[metric]:.4f} ({low:.4f} - {high:.4f})"
