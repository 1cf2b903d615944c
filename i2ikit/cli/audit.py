"""`i2ikit audit OUT`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from i2ikit.cli.shared import WITH_FAILURES, print_json
from i2ikit.errors import counted

_SHOWN = 5


def audit(
    output: Annotated[str, typer.Argument(metavar="OUT", help="Output folder of a translation.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Check that OUT holds exactly what its run should have written.

    Inputs times styles must equal outputs plus recorded failures, every file must have the hash
    that was recorded, and nothing else may be there.

    Exit status: 0 sound, 1 not, 3 sound but for inputs that are recorded as failed.
    """
    from i2ikit.translation.audit import audit as check

    found = check(output)
    if as_json:
        print_json({**asdict(found), "is_sound": found.is_sound})
    else:
        typer.echo(
            f"{counted(found.num_inputs, 'input')} × {counted(found.num_styles, 'style')}"
            f" = {counted(found.num_outputs, 'output')}"
            f" + {counted(found.num_failed, 'failed input')} × {found.num_styles}"
        )
        for what, names in (
            ("shards not done", found.pending),
            ("inputs without their outputs", found.miscounted),
            ("missing files", found.missing),
            ("changed files", found.changed),
            ("files that the run didn't write", found.strangers),
        ):
            if names:
                more = ", …" if len(names) > _SHOWN else ""
                typer.echo(f"{what}, {len(names)}: {', '.join(names[:_SHOWN])}{more}")
        typer.echo("sound" if found.is_sound else "not sound")
    if not found.is_sound:
        raise typer.Exit(1)
    if found.num_failed:
        raise typer.Exit(WITH_FAILURES)
