"""`i2ikit checkpoints`: those that plugins offer by name, and a way to pack one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from i2ikit.cli.flags import AsJson
from i2ikit.cli.shared import blocked_plugins, format_bytes, print_json
from i2ikit.hookspecs import CheckpointEntry

checkpoints = typer.Typer(
    help="Checkpoints that are used by name, and packing one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@checkpoints.command("list", epilog="Example: i2ikit checkpoints list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the checkpoints that plugins offer; a model's default is marked."""
    from i2ikit.plugins import discover

    found = discover(blocked_plugins(context)).offered(CheckpointEntry)
    if as_json:
        print_json([{**asdict(entry), "package": plugin.package} for entry, plugin in found])
        return
    width = max((len(entry.name) for entry, _ in found), default=0)
    for entry, plugin in found:
        default = ", default" if entry.is_default else ""
        typer.echo(
            f"{entry.name:{width}}  {entry.summary} ({entry.model}{default})  [{plugin.package}]"
        )


@checkpoints.command("show", epilog="Example: i2ikit checkpoints show demo-munit")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A checkpoint that is listed.")],
    as_json: AsJson = False,
) -> None:
    """Show what is known of a checkpoint: data, licence, recipe, how good it is."""
    from i2ikit.plugins import discover, locate

    entry = discover(blocked_plugins(context)).find(CheckpointEntry, name)
    place = locate(entry.place)
    card = locate(entry.card).read_text(encoding="utf-8") if entry.card else ""
    if as_json:
        print_json({**asdict(entry), "path": place, "card_text": card})
        return
    for title, value in (
        ("name", entry.name),
        ("model", entry.model),
        ("summary", entry.summary),
        ("from", entry.source),
        ("licence", entry.licence),
        ("sha256", entry.sha256),
        ("path", place),
    ):
        typer.echo(f"{title + ':':9}{value}")
    if card:
        typer.echo(f"\n{card.rstrip()}")


@checkpoints.command("pack", epilog="Example: i2ikit checkpoints pack out/latest small/")
def pack(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A checkpoint: file or folder.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A new one, of the same kind.")],
) -> None:
    """Write a checkpoint's weights in half precision, as safetensors: half the size, or less."""
    from i2ikit.checkpoints import pack as pack_checkpoint

    typer.echo(f"{output}: {format_bytes(pack_checkpoint(source, output))}")


def announce_default(context: typer.Context, model: str) -> None:
    """Say which weights will be used, where the user has named none and the model has some."""
    from i2ikit.plugins import discover

    entry = discover(blocked_plugins(context)).default_checkpoint(model)
    if entry:
        typer.echo(f"{entry.summary}; give your own with --checkpoint", err=True)
