"""`i2ikit eval`: numbers with the protocol that they follow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from i2ikit.cli import outputs
from i2ikit.cli.adaptation import adaptation
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
from i2ikit.cli.results import show_failures, show_results
from i2ikit.cli.shared import WITH_FAILURES
from i2ikit.errors import UsageError

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
    "fd-infinity": "The same in any feature space.",
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
    option: Annotated[
        list[str] | None,
        typer.Option("-o", metavar="METRIC.NAME=VALUE", help="An option of one of them."),
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
            _options_of([name.strip() for name in names], option or []),
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
        list[str],
        typer.Argument(
            metavar="IMAGES", help="Folder, tars, manifest, OUT; several .npz are merged."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="The .npz to write.")],
    compute: Compute,
    features: Features = "inception",
    dims: Dims = None,
    weights: Weights = None,
    convention: Convention = None,
) -> None:
    """Write the mean and covariance of a set's features, to compare others with.

    pytorch-fid reads the file too. Statistics of parts are merged exactly.
    """
    from i2ikit.evaluate.moments import check_name, load_statistics, save_statistics
    from i2ikit.evaluate.summaries import merge_statistics, summarise

    check_name(output)
    failures: list[str] = []
    if all(place.endswith(".npz") for place in images):
        found = merge_statistics([load_statistics(place) for place in images])
    elif len(images) > 1:
        raise UsageError(
            f"{len(images)} places were given, and not all are statistics (.npz)",
            hint="write statistics of each, then merge those",
        )
    else:
        with following(compute) as compute:
            found, failures = summarise(
                images[0],
                features=features or "inception",
                dims=dims,
                weights=weights,
                convention=convention or "",
                compute=compute,
            )
    save_statistics(output, found)
    typer.echo(f"{output}: {found.n} pictures of {', '.join(images)}, {found.dims} dims")
    if show_failures(failures):
        raise typer.Exit(WITH_FAILURES)


def _options_of(metrics: list[str], options: list[str]) -> dict[str, dict[str, Any]]:
    """Return each metric's options, given as METRIC.NAME=VALUE."""
    from i2ikit.options import parse_assignments

    given: dict[str, list[str]] = {name: [] for name in metrics}
    for text in options:
        metric, dot, rest = text.partition(".")
        if not dot or metric not in given:
            raise UsageError(
                f"-o {text} names none of the metrics {', '.join(metrics)}",
                hint="write -o METRIC.NAME=VALUE: -o kid.subsets=0",
            )
        given[metric].append(rest)
    return {name: parse_assignments(texts) for name, texts in given.items()}


for _name, _command, _example in (
    ("is", outputs.inception_score, "is out/"),
    ("cis", outputs.conditional_inception_score, "cis out/ --classifier my.nets:season"),
    ("lpips", outputs.lpips_diversity, "lpips out/ --protocol munit"),
    ("pairs", outputs.lpips_pairs, "pairs truth/ out/"),
    ("pixels", outputs.pixels, "pixels truth/ out/"),
    ("labels", outputs.label_consistency, "labels labels/ out/ --segmenter my.nets:streets"),
    ("adaptation", adaptation, "adaptation --source a/ --adapted styled=out/ --test b/test"),
):
    evaluate.command(_name, epilog=f"Example: i2ikit eval {_example}")(_command)
