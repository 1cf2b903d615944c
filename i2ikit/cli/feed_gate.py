"""`i2ikit feed gate`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ikit.cli.compute import following, takes_compute
from i2ikit.cli.results import show_failures
from i2ikit.cli.shared import WITH_FAILURES, print_json
from i2ikit.errors import counted
from i2ikit.feed.checks.limits import Limits

if TYPE_CHECKING:
    from i2ikit.evaluate.compute import Compute


@takes_compute(without=("batch_size", "cache", "download"))
def gate(
    translated: Annotated[str, typer.Argument(metavar="TRANSLATED", help="OUT of a translation.")],
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="A new folder.")],
    compute: Compute,
    max_saturated: Annotated[
        float, typer.Option(metavar="SHARE", help="Pixels of 0 and 255, beyond the source's.")
    ] = Limits.max_saturated,
    min_contrast: Annotated[
        float, typer.Option(metavar="RATIO", help="Spread of levels, to that of the source.")
    ] = Limits.min_contrast,
    max_repeats: Annotated[
        int, typer.Option(metavar="N", help="Other inputs with almost the same output.")
    ] = Limits.max_repeats,
    min_change: Annotated[
        float, typer.Option(metavar="LEVELS", help="Mean difference from the source; less: a copy.")
    ] = Limits.min_change,
    min_structure: Annotated[
        float, typer.Option(metavar="R", help="Correlation of edges with the source's.")
    ] = Limits.min_structure,
    max_shift: Annotated[
        int, typer.Option(metavar="PX", help="By which edges seem to have moved.")
    ] = Limits.max_shift,
    cycle: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|NAME", help="Translate back, too, with this checkpoint, and compare."
        ),
    ] = None,
    max_cycle: Annotated[
        float, typer.Option(metavar="LEVELS", help="Mean difference of source and way back.")
    ] = Limits.max_cycle,
    segmenter: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Returns your network, that sees labels."),
    ] = None,
    classifier: Annotated[
        str | None, typer.Option(metavar="MODULE:FUNCTION", help="Likewise, for classes.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="LABELS",
            help="What to see: IN=masks/ IN=classes.csv IN=folder …; alone: learned.",
        ),
    ] = None,
    min_agreement: Annotated[
        float, typer.Option(metavar="SHARE", help="Of pixels, or 0 and 1 of a class.")
    ] = Limits.min_agreement,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Compare each translated picture with its source; say which to keep out of training.

    REPORT has the measures and reasons of each, counts, and sheets of the worst.
    Rejections are a result: exit status 3 is for pictures that can't be read.
    """
    from i2ikit.feed import gate as run

    limits = Limits(
        max_saturated=max_saturated,
        min_contrast=min_contrast,
        max_repeats=max_repeats,
        min_change=min_change,
        min_structure=min_structure,
        max_shift=max_shift,
        max_cycle=max_cycle,
        min_agreement=min_agreement,
    )
    with following(compute) as compute:
        found = run(
            translated,
            report,
            limits=limits,
            cycle=cycle,
            labels=labels,
            segmenter=segmenter,
            classifier=classifier,
            compute=compute,
        )
    if as_json:
        print_json(asdict(found))
    else:
        typer.echo(
            f"{found.num_rejected} of {counted(found.num_outputs, 'output')} rejected, see {report}"
        )
        for reason, count in found.reasons.items():
            typer.echo(f"  {reason}: {count}")
    if show_failures(found.failures):
        raise typer.Exit(WITH_FAILURES)
