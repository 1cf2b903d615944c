"""`i2ikit weights`: what metrics need, where it is looked for, what is there."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from i2ikit.cli.shared import blocked_plugins, print_json


def weights(
    context: typer.Context,
    download: Annotated[
        str | None, typer.Option(metavar="NAME", help="Fetch the official file of this one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """List the feature spaces that metrics are measured in, and the state of their weights."""
    from i2ikit.evaluate.inventory import download_named, take_inventory
    from i2ikit.evaluate.weights import describe_places

    if download is not None:
        found = download_named(download, blocked_plugins(context))
        typer.echo(f"{found.path}, SHA-256 {found.sha256}")
        return
    rows = take_inventory(blocked_plugins(context))
    if as_json:
        print_json({"rows": rows, "looked_in": describe_places()})
        return
    for row in rows:
        _show(row)
    typer.echo(f"looked in: {', '.join(describe_places())}")
    typer.echo("put a missing file there, or fetch it: i2ikit weights --download NAME")


def _show(row: dict[str, Any]) -> None:
    typer.echo(f"{row['name']}: {row['summary']}")
    if row["metrics"]:
        typer.echo(f"  used by {', '.join(row['metrics'])}")
    for line in row["state"] or ["a file for each network, by its own name"]:
        typer.echo(f"  {line}")
