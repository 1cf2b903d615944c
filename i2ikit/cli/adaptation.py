"""`i2ikit eval adaptation`: what translated pictures are worth to a network that trains on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from i2ikit.cli.compute import following, takes_compute
from i2ikit.cli.measures import AsJson
from i2ikit.cli.results import describe_side, name_failures, show_card
from i2ikit.cli.shared import WITH_FAILURES, import_from_here, parse_named, print_json
from i2ikit.errors import counted

if TYPE_CHECKING:
    from i2ikit.evaluate.compute import Compute
    from i2ikit.evaluate.results import Result

#: What of a card is told of each row.
_OF_ROW = ("row", "training")
_NOTHING = "-"


@takes_compute(without=("cache", "download", "precision", "batch_size"))
def adaptation(
    source: Annotated[
        str, typer.Option(metavar="SET", help="Labelled source pictures: PICTURES[=LABELS].")
    ],
    test: Annotated[
        str, typer.Option(metavar="SET", help="Labelled, held-out pictures of the target.")
    ],
    compute: Compute,
    adapted: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SET", help="A further training set: translated pictures …"),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="SET", help="Labelled training pictures of the target: the oracle."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="PX", help="Shorter side of all pictures. [that of the test's]"),
    ] = None,
    map: Annotated[
        str | None,
        typer.Option(metavar="MAP", help="Of masks' ids to classes: cityscapes19, or a .csv."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Instead of a small one; torchvision:NAME."),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", help="How often each is trained.")] = 5,
    steps: Annotated[int, typer.Option(metavar="N", help="Updates in each training.")] = 600,
    batch_size: Annotated[int, typer.Option(metavar="N", help="Pictures an update.")] = 64,
    as_json: AsJson = False,
) -> None:
    """Whether training on translated pictures helps on the target: accuracy or mIoU, gap closed.

    Trains one network, with several seeds, on the source, on each adapted set and on the target,
    and tests each on held-out target pictures. A set is PICTURES[=LABELS], or a built feed. LABELS:
    folder (the class is a picture's folder), cls, column:NAME, FILE.csv, or a folder of masks.
    """
    from i2ikit.feed import adaptation as measure

    import_from_here()
    named = parse_named(adapted or [], "--adapted", "--adapted NAME=SET")
    with following(compute, "steps") as compute:
        found = measure(
            source=source,
            test=test,
            adapted=named,
            target=target,
            size=size,
            map=map,
            network=network,
            seeds=seeds,
            steps=steps,
            batch_size=batch_size,
            compute=compute,
            on_warning=_warn,
        )
    if as_json:
        print_json([result.to_json() for result in found.values()])
    else:
        _show(found)
    if name_failures(list(found.values())):
        raise typer.Exit(WITH_FAILURES)


def _warn(warning: str) -> None:
    typer.echo(f"warning: {warning}", err=True)


def _show(found: Mapping[str, Result]) -> None:
    """Print a table of the rows, one of the classes, and the card."""
    first = next(iter(found.values()))
    test = first.card["test"]
    typer.echo(f"{first.metric} on {counted(test['n'], 'picture')} of {test['location']}, in %")
    _show_table(
        [
            ["", "mean", "std", "gain", "gap closed", "each seed"],
            *([name, *_numbers(result)] for name, result in found.items()),
        ]
    )
    typer.echo()
    _show_table(
        [
            ["", *found],
            *(
                [part, *(f"{100 * result.parts[part]:.1f}" for result in found.values())]
                for part in first.parts
                if part.startswith("class ")
            ),
        ]
    )
    typer.echo()
    for name, result in found.items():
        typer.echo(f"{name + ':':15}{describe_side(result.card['training'])}")
    show_card({key: value for key, value in first.card.items() if key not in _OF_ROW})
    for what, said in first.card["protocol"].items():
        typer.echo(f"{what + ':':15}{said}")
    for warning in dict.fromkeys(line for result in found.values() for line in result.warnings):
        typer.echo(f"warning: {warning}")


def _numbers(result: Result) -> list[str]:
    parts = result.parts
    seeds = [f"{100 * value:.1f}" for part, value in parts.items() if part.startswith("seed ")]
    return [
        f"{100 * result.value:.1f}",
        f"{100 * parts['std']:.1f}" if "std" in parts else _NOTHING,
        f"{100 * parts['gain']:+.1f}" if "gain" in parts else _NOTHING,
        f"{100 * parts['gap_closed']:.0f}" if "gap_closed" in parts else _NOTHING,
        " ".join(seeds),
    ]


def _show_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        typer.echo("  ".join([first.ljust(widths[0]), *cells]).rstrip())
