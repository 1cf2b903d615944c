"""`i2ikit recipes [NAME]`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from i2ikit.cli.flags import AsJson
from i2ikit.cli.shared import print_json

if TYPE_CHECKING:
    from i2ikit.recipes import Head, Origin


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Show this recipe, or a recipe's file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the recipes that come with i2ikit, or show one: data, licences, variables, steps."""
    from i2ikit.recipes import list_recipes, read_head

    if name is not None:
        head = read_head(name)
        if as_json:
            print_json(head.model_dump())
        else:
            _show(head)
        return
    heads = [read_head(str(path)) for path in list_recipes()]
    if as_json:
        print_json([{"name": head.name, "summary": head.summary} for head in heads])
        return
    for head in heads:
        typer.echo(head.name)
        typer.echo(textwrap.indent(textwrap.fill(head.summary, 76), "    "))


def _show(head: Head) -> None:
    typer.echo(f"{head.name}: {' '.join(head.description.split())}")
    if head.paper:
        typer.echo(f"\npaper: {head.paper}")
    for title, origins in (("data", head.data), ("weights", head.weights)):
        if origins:
            typer.echo(f"\n{title}:")
        for origin in origins:
            _show_origin(origin)
    typer.echo("\nvariables (--var name=value):")
    typer.echo(f"  out = runs/{head.name}: folder of what the recipe makes")
    for name, variable in head.vars.items():
        typer.echo(f"  {name} = {variable.default}: {variable.help}")
    typer.echo("\nsteps:")
    for name, step in head.steps.items():
        typer.echo(f"  {name}{_in_brackets(step.get('command'))}")
        for key, value in step.items():
            if key != "command":
                typer.echo(f"    {key}: {_plainly(value)}")
    typer.echo(f"\ni2ikit run --plan {head.name} shows the commands")


def _show_origin(origin: Origin) -> None:
    typer.echo(f"  {origin.name}: {origin.source}")
    if origin.licence:
        typer.echo(f"    licence: {origin.licence}")
    if origin.note:
        typer.echo(
            textwrap.fill(origin.note, 90, initial_indent=" " * 4, subsequent_indent=" " * 4)
        )


def _in_brackets(command: str | None) -> str:
    return f" ({command})" if command else ""


def _plainly(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_plainly(below)}" for name, below in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
