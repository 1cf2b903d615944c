"""`i2ikit demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from i2ikit.cli.flags import AsJson
from i2ikit.cli.shared import blocked_plugins, print_json


def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")] = Path("demo"),
    as_json: AsJson = False,
) -> None:
    """Translate example pictures with the checkpoints that come along, measure and show them.

    OUT/index.html is a page of the pictures: inputs, up to eight styles each, the truth.
    """
    from dataclasses import asdict

    from i2ikit.demo import demo as run_demo

    shown = run_demo(
        output,
        blocked=blocked_plugins(context),
        on_start=lambda name: typer.echo(f"{name} …", err=True),
    )
    if as_json:
        print_json([asdict(one) for one in shown])
        return
    for one in shown:
        typer.echo(f"{one.name}: {one.summary}")
        measured = ", ".join(f"{name} {value:.3g}" for name, value in one.measured.items())
        typer.echo(f"    against the true pictures: {measured}")
    typer.echo(f"pictures: {output}/index.html")
