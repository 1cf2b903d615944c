"""The program: its commands, what they share, and the one place where errors are shown."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import i2ikit
from i2ikit.cli.audit import audit
from i2ikit.cli.checkpoints import checkpoints
from i2ikit.cli.demo import demo
from i2ikit.cli.evaluate import evaluate
from i2ikit.cli.features import features
from i2ikit.cli.feed import feed
from i2ikit.cli.models import models
from i2ikit.cli.plugins import plugins
from i2ikit.cli.prepare import prepare
from i2ikit.cli.recipes import recipes
from i2ikit.cli.run import run
from i2ikit.cli.shared import Shared
from i2ikit.cli.train import train
from i2ikit.cli.translate import translate
from i2ikit.cli.weights import weights
from i2ikit.errors import I2IError, UsageError

app = typer.Typer(
    name="i2ikit",
    help="Translate image data sets with pluggable image-to-image models.",
    epilog="Example: i2ikit models",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(
    epilog="Example: i2ikit translate --model munit --checkpoint gen.pt --style-sample 8 in/ out/"
)(translate)
app.command(epilog="Example: i2ikit train --model munit --size 128 summer/ winter/ out/")(train)
app.add_typer(checkpoints, name="checkpoints", epilog="Example: i2ikit checkpoints show demo-munit")
app.add_typer(prepare, name="prepare", epilog="Example: i2ikit prepare world-maps maps/")
app.add_typer(feed, name="feed", epilog="Example: i2ikit feed build out/ feed/")
app.command(epilog="Example: i2ikit demo demo/")(demo)
app.command(epilog="Example: i2ikit models munit")(models)
app.add_typer(plugins, name="plugins", epilog="Example: i2ikit plugins --json")
app.command(epilog="Example: i2ikit audit out/")(audit)
app.add_typer(evaluate, name="eval", epilog="Example: i2ikit eval fid real/ out/")
app.add_typer(
    features,
    name="features",
    epilog="Example: i2ikit features cluster --model pix2pixhd --checkpoint trained/latest photos/",
)
app.add_typer(feed, name="feed", epilog="Example: i2ikit feed gate out/ gate/")
app.command(epilog="Example: i2ikit weights")(weights)
app.command(epilog="Example: i2ikit run --plan facades-bicyclegan --var data=facades")(run)
app.command(epilog="Example: i2ikit recipes facades-bicyclegan")(recipes)


def _show_version(*, is_asked: bool) -> None:
    if is_asked:
        typer.echo(i2ikit.__version__)
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    plugin: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="no:NAME", help="Leave a plugin out; it is not even imported."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version.",
            is_eager=True,
            callback=lambda asked: _show_version(is_asked=asked),
        ),
    ] = False,
) -> None:
    """Translate image data sets with pluggable image-to-image models."""
    del debug, version  # `main` reads --debug, a callback answers --version
    context.obj = Shared(blocked=tuple(_blocked(text) for text in plugin or ()))


def _blocked(text: str) -> str:
    prefix, _, name = text.partition(":")
    if prefix != "no" or not name:
        raise UsageError(f"-p {text} is not understood", hint="write -p no:NAME")
    return name


def main() -> None:
    """Run the program; an error is one sentence on stderr, and an exit status."""
    # Threads that spin while they wait for each other slow a busy machine down thirtyfold; torch's
    # OpenMP reads this when it is loaded, which is later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except I2IError as error:
        if "--debug" in sys.argv:
            raise
        typer.secho(f"i2ikit: {error.message}", err=True, fg="red")
        if error.hint:
            typer.echo(f"  hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if "--debug" in sys.argv or isinstance(error, BrokenPipeError):
            raise
        place = f"{error.filename}: " if error.filename else ""
        typer.secho(f"i2ikit: {place}{error.strerror or error}", err=True, fg="red")
        sys.exit(1)
