"""The entry point: the commands, and how their failures are told."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import kuajie
from kuajie.cli.benchmark import benchmark
from kuajie.cli.consume import consume
from kuajie.cli.demo import demo
from kuajie.cli.doctor import doctor
from kuajie.cli.evaluate import evaluate
from kuajie.cli.failures import INTERRUPTED, language_of_call, tell
from kuajie.cli.graph import graph
from kuajie.cli.help import SpokenCommand, SpokenGroup
from kuajie.cli.import_data import import_data
from kuajie.cli.init import init
from kuajie.cli.keys import keys
from kuajie.cli.loop import loop
from kuajie.cli.models import models
from kuajie.cli.profile import profile
from kuajie.cli.recommend import recommend
from kuajie.cli.search import search
from kuajie.cli.serve import serve
from kuajie.cli.store import store
from kuajie.cli.tradeoff import tradeoff
from kuajie.cli.train import train
from kuajie.cli.trends import trends
from kuajie.cli.tune import tune

app = typer.Typer(
    name="kuajie",
    cls=SpokenGroup,
    help="Recommend across the catalogues of two companies, and say why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo", cls=SpokenCommand)(demo)
app.command("init", cls=SpokenCommand)(init)
app.command("import", cls=SpokenCommand)(import_data)
app.command("train", cls=SpokenCommand)(train)
app.command("evaluate", cls=SpokenCommand)(evaluate)
app.command("tradeoff", cls=SpokenCommand)(tradeoff)
app.command("recommend", cls=SpokenCommand)(recommend)
app.command("search", cls=SpokenCommand)(search)
app.command("graph", cls=SpokenCommand)(graph)
app.command("benchmark", cls=SpokenCommand)(benchmark)
app.command("tune", cls=SpokenCommand)(tune)
app.command("models", cls=SpokenCommand)(models)
app.command("profile", cls=SpokenCommand)(profile)
app.command("trends", cls=SpokenCommand)(trends)
app.command("loop", cls=SpokenCommand)(loop)
app.command("serve", cls=SpokenCommand)(serve)
app.command("consume", cls=SpokenCommand)(consume)
app.command("keys", cls=SpokenCommand)(keys)
app.command("store", cls=SpokenCommand)(store)
app.command("doctor", cls=SpokenCommand)(doctor)


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


def run(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0, 1 where the job failed, 2 where the call was wrong, 130 where it was interrupted."""
    called = sys.argv[1:] if arguments is None else arguments
    language = language_of_call(called, os.environ)
    try:
        code = app(called, standalone_mode=False, obj=language)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (Exception, KeyboardInterrupt) as error:
        code = tell(error, language)
        if code is None:
            raise
    else:
        if code == INTERRUPTED:  # typer has caught it
            tell(KeyboardInterrupt(), language)
    sys.exit(code or 0)
