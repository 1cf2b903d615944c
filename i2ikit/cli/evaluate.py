"""`i2ikit eval`: numbers with the protocol that they follow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ikit.cli import outputs
from i2ikit.cli.compute import following, takes_compute
from i2ikit.cli.measures import (
    AsJson,
    Convention,
    Dims,
    Features,
    Generated,
    Interval,
    Option,
    Real,
    Weights,
)
from i2ikit.cli.results import leave_with_failures, show_results

if TYPE_CHECKING:
    from i2ikit.evaluate.compute import Compute

evaluate = typer.Typer(
    help="Measure translated pictures: FID, KID, LPIPS and others, each with its protocol.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

#: The metrics on two sets, and the first line of their help.
_DISTANCES = {
    "fid": "Fréchet Inception distance, with KID beside it below 10,000 pictures.",
    "fd": "Fréchet distance in any feature space; efficientnet-lite0 works offline.",
    "kid": "Kernel Inception distance; -o subsets=100 -o subset_size=1000 -o seed=2020.",
    "precision-recall": "Precision, recall, density and coverage; -o k=3 for all four.",
    "fid-infinity": "FID extrapolated to infinitely many pictures; -o points=15 -o seed=0.",
}


def _add_distance(name: str, text: str) -> None:
    @evaluate.command(name, help=text, epilog=f"Example: i2ikit eval {name} real/ out/")
    @takes_compute()
    def distance(
        real: Real,
        generated: Generated,
        compute: Compute,
        features: Features = None,
        dims: Dims = None,
        weights: Weights = None,
        convention: Convention = None,
        option: Option = None,
        interval: Interval = False,
        as_json: AsJson = False,
    ) -> None:
        from i2ikit.evaluate.compare import measure
        from i2ikit.options import parse_assignments

        with following(compute) as compute:
            found = measure(
                real,
                generated,
                {name: parse_assignments(option or [])},
                features=features,
                dims=dims,
                weights=weights,
                convention=convention or "",
                interval=interval,
                compute=compute,
            )
        show_results(list(found.values()), as_json=as_json)


for _name, _text in _DISTANCES.items():
    _add_distance(_name, _text)


@evaluate.command("all", epilog="Example: i2ikit eval all real/ out/ --metrics fid,kid")
@takes_compute()
def measure_all(
    real: Real,
    generated: Generated,
    compute: Compute,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Which; a plugin's too. fid,kid,precision-recall"),
    ] = None,
    features: Features = None,
    dims: Dims = None,
    weights: Weights = None,
    convention: Convention = None,
    interval: Interval = False,
    as_json: AsJson = False,
) -> None:
    """Several metrics on one extraction of features.

    In another feature space than Inception, fid's place is taken by fd.
    """
    from i2ikit.evaluate.compare import measure

    frechet = "fid" if features in (None, "inception") else "fd"
    names = (metrics or f"{frechet},kid,precision-recall").split(",")
    with following(compute) as compute:
        found = measure(
            real,
            generated,
            {name.strip(): {} for name in names},
            features=features,
            dims=dims,
            weights=weights,
            convention=convention or "",
            interval=interval,
            compute=compute,
        )
    show_results(list(found.values()), as_json=as_json)


@evaluate.command("stats", epilog="Example: i2ikit eval stats real/ -o real.npz")
@takes_compute()
def write_statistics(
    images: Annotated[
        str, typer.Argument(metavar="IMAGES", help="Folder, tars, manifest, or OUT.")
    ],
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="The .npz to write.")],
    compute: Compute,
    features: Features = "inception",
    dims: Dims = None,
    weights: Weights = None,
    convention: Convention = None,
) -> None:
    """Write the mean and covariance of a set's features, to compare others with.

    pytorch-fid reads the file too.
    """
    from i2ikit.evaluate.compare import statistics
    from i2ikit.evaluate.moments import check_name, save_statistics

    check_name(output)
    with following(compute) as compute:
        found = statistics(
            images,
            features=features or "inception",
            dims=dims,
            weights=weights,
            convention=convention or "",
            compute=compute,
        )
    save_statistics(output, found)
    pictures = found.card.get("pictures", {})
    typer.echo(f"{output}: {found.n} pictures of {images}, {found.dims} dims")
    leave_with_failures(pictures.get("failed", ()))


for _name, _command, _example in (
    ("is", outputs.inception_score, "is out/"),
    ("cis", outputs.conditional_inception_score, "cis out/ --classifier my.nets:season"),
    ("lpips", outputs.lpips_diversity, "lpips out/ --protocol munit"),
    ("pairs", outputs.lpips_pairs, "pairs truth/ out/"),
    ("labels", outputs.label_consistency, "labels labels/ out/ --segmenter my.nets:streets"),
):
    evaluate.command(_name, epilog=f"Example: i2ikit eval {_example}")(_command)
