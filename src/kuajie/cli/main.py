"""The entry point: the commands, and how their failures are told."""

import os
import sys
from typing import Annotated

import typer

import kuajie
from kuajie.cli.benchmark import benchmark
from kuajie.cli.demo import demo
from kuajie.cli.doctor import doctor
from kuajie.cli.evaluate import evaluate
from kuajie.cli.import_data import import_data
from kuajie.cli.init import init
from kuajie.cli.models import models
from kuajie.cli.recommend import recommend
from kuajie.cli.train import train
from kuajie.cli.tune import tune
from kuajie.core.errors import KuajieError

app = typer.Typer(
    name="kuajie",
    help="Recommend across the catalogues of two companies, and say why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo)
app.command("init")(init)
app.command("import")(import_data)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("recommend")(recommend)
app.command("benchmark")(benchmark)
app.command("tune")(tune)
app.command("models")(models)
app.command("doctor")(doctor)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kuajie {kuajie.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def run(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0, 1 where the job failed, 2 where the call was wrong, 130 where it was interrupted."""
    try:
        app(arguments)
    except KuajieError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted; nothing was changed", 130)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError:
        _fail("there is not enough memory. Lower memory_gb in kuajie.toml, or use a larger machine.", 1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}. Correct that and run again.", 1)


def _fail(sentence: str, code: int) -> None:
    sys.stdout.flush()
    typer.echo(f"kuajie: {sentence}", err=True)
    sys.exit(code)
