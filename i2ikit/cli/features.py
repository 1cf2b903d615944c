"""`i2ikit features`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ikit.cli import flags
from i2ikit.cli.shared import INTERRUPTED, blocked_plugins, parse_named, print_json
from i2ikit.errors import counted

if TYPE_CHECKING:
    from i2ikit.features import ClusterSummary

features = typer.Typer(
    help="Work on the features that a checkpoint's encoder makes of pictures.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@features.command(
    epilog="Example: i2ikit features cluster --model pix2pixhd --checkpoint trained/latest"
    " --field instance=instances/ photos/"
)
def cluster(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN", help="The real pictures of the training: folder, tars or manifest."
        ),
    ],
    model: flags.Model,
    checkpoint: Annotated[
        Path, typer.Option(help="Weights with an encoder: a folder, or the generator's file.")
    ],
    option: flags.Option = None,
    num_clusters: Annotated[
        int, typer.Option(metavar="N", help="The most centres of each class.")
    ] = 10,
    seed: Annotated[int, typer.Option(help="Of the starts of k-means.")] = 0,
    field: flags.Field = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="PX", help="Resize pictures to this shorter side, as in training."),
    ] = None,
    device: flags.Device = "auto",
    restart: Annotated[
        bool, typer.Option("--restart", help="Replace clusters that are there.")
    ] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Cluster a training set's features, so that the checkpoint draws styles.

    The clusters are put beside its weights; translate --style-sample N takes one for each instance.
    """
    from i2ikit.cli.show import ProgressView, err, progress_bar
    from i2ikit.features import cluster as make_clusters
    from i2ikit.options import parse_assignments

    try:
        with progress_bar(err()) as bar:
            summary = make_clusters(
                source,
                model=model,
                checkpoint=checkpoint,
                options=parse_assignments(option or []),
                num_clusters=num_clusters,
                seed=seed,
                fields=parse_named(field or [], "--field", "NAME=DIR[:SUFFIX]"),
                size=size,
                device=device,
                restart=restart,
                blocked=blocked_plugins(context),
                on_progress=ProgressView(bar, "encoding", "pictures").report,
            )
    except KeyboardInterrupt:
        typer.echo("i2ikit: interrupted; nothing was written", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _show(summary, as_json=as_json)


def _show(summary: ClusterSummary, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(summary))
        return
    total = sum(summary.num_centres.values())
    pictures = counted(summary.num_pictures, "picture")
    typer.echo(f"{counted(total, 'centre')} of the features of {pictures}: {summary.path}")
    each = ", ".join(f"{name}: {count}" for name, count in summary.num_centres.items())
    typer.echo(f"centres by class: {each}")
