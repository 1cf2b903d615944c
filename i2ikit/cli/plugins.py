"""`i2ikit plugins`: what is installed, and what is broken."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from i2ikit.cli.shared import blocked_plugins, print_json

if TYPE_CHECKING:
    from i2ikit.plugins import Plugin

plugins = typer.Typer(
    help="Show the plugins: packages that bring models.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@plugins.callback()
def show_by_default(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the plugins: packages that bring models."""
    if context.invoked_subcommand is None:
        show_plugins(context, as_json)


@plugins.command("list", epilog="Example: i2ikit plugins list --json")
def show_plugins(context: typer.Context, as_json: AsJson = False) -> None:
    """List the plugins with their packages, and why one can't be used."""
    from i2ikit.plugins import discover

    found = discover(blocked_plugins(context)).plugins
    if as_json:
        print_json([asdict(plugin) for plugin in found])
        return
    rows = [("plugin", "package", "version", "offers", "state"), *map(_row, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(map(str.ljust, row, widths)).rstrip())


def _row(plugin: Plugin) -> tuple[str, str, str, str, str]:
    state = f"broken: {plugin.problem}" if plugin.problem else "ok"
    return (
        plugin.name,
        plugin.package,
        plugin.version,
        ", ".join(entry.name for entry in plugin.entries) or "-",
        "blocked" if plugin.is_blocked else state,
    )
