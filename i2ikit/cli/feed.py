"""`i2ikit feed`: training sets from originals and translations."""

from __future__ import annotations

import typer

from i2ikit.cli.feed_gate import gate

feed = typer.Typer(
    help="Make training sets of originals and translations, with their labels.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

feed.command("gate", epilog="Example: i2ikit feed gate out/ gate/ --min-structure 0.1")(gate)
