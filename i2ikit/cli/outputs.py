"""The commands of `i2ikit eval` on outputs alone, or on outputs and what each was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from i2ikit.cli.compute import following, takes_compute
from i2ikit.cli.measures import (
    AsJson,
    Backbone,
    Convention,
    Generated,
    Images,
    Interval,
    Net,
    Outputs,
    Truth,
    Weights,
)
from i2ikit.cli.results import show_results
from i2ikit.cli.shared import import_from_here

if TYPE_CHECKING:
    from i2ikit.evaluate.compute import Compute


@takes_compute()
def inception_score(
    images: Images,
    compute: Compute,
    splits: Annotated[int, typer.Option(metavar="N", help="Parts scored by themselves.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the shuffle before.")] = 2020,
    weights: Weights = None,
    convention: Convention = None,
    as_json: AsJson = False,
) -> None:
    """Inception Score, as torch-fidelity measures it."""
    from i2ikit.evaluate.scores import inception_score as measure

    with following(compute) as compute:
        result = measure(
            images,
            splits=splits,
            seed=seed,
            weights=weights,
            convention=convention or "torch-fidelity",
            compute=compute,
        )
    show_results([result], as_json=as_json)


@takes_compute(without=("cache", "download"))
def conditional_inception_score(
    outputs: Outputs,
    classifier: Annotated[
        str,
        typer.Option(metavar="MODULE:FUNCTION", help="Returns your classifier of the target."),
    ],
    compute: Compute,
    as_json: AsJson = False,
) -> None:
    """Conditional Inception Score of several outputs an input, and IS, by your classifier.

    The classifier takes pictures in [-1, 1], (B, 3, H, W), and returns logits.
    """
    from i2ikit.evaluate.scores import conditional_inception_score as measure

    import_from_here()
    with following(compute) as compute:
        result = measure(outputs, classifier=classifier, compute=compute)
    show_results([result], as_json=as_json)


@takes_compute(without=("cache",))
def lpips_diversity(
    outputs: Outputs,
    compute: Compute,
    protocol: Annotated[
        Literal["munit", "bicyclegan", "all-pairs"] | None,
        typer.Option(help="munit: 19 independent pairs; bicyclegan: 19 consecutive, LPIPS 0.0."),
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="all, consecutive, independent or random:K. [all]"),
    ] = None,
    net: Net = "alex",
    lpips_version: Annotated[
        Literal["0.0", "0.1"] | None, typer.Option(help="Of LPIPS; 0.1 unless the protocol says.")
    ] = None,
    backbone: Backbone = None,
    seed: Annotated[int, typer.Option(help="Of pairs drawn at random.")] = 0,
    interval: Interval = False,
    as_json: AsJson = False,
) -> None:
    """LPIPS between outputs of the same input: how much the styles differ.

    Folders that are no OUT of a translation hold a folder of outputs for each input.
    """
    from i2ikit.evaluate.diversity import lpips_diversity as measure

    with following(compute) as compute:
        result = measure(
            outputs,
            net=net,
            version=lpips_version,
            pairs=pairs,
            protocol=protocol,
            backbone=backbone,
            seed=seed,
            interval=interval,
            compute=compute,
        )
    show_results([result], as_json=as_json)


@takes_compute(without=("cache",))
def lpips_pairs(
    truth: Truth,
    generated: Generated,
    compute: Compute,
    net: Net = "alex",
    lpips_version: Annotated[Literal["0.0", "0.1"], typer.Option(help="Of LPIPS.")] = "0.1",
    backbone: Backbone = None,
    interval: Interval = False,
    as_json: AsJson = False,
) -> None:
    """LPIPS, PSNR and SSIM against the true picture of each input, paired by key."""
    from i2ikit.evaluate.paired import lpips_pairs as measure

    with following(compute) as compute:
        result = measure(
            truth,
            generated,
            net=net,
            version=lpips_version,
            backbone=backbone,
            interval=interval,
            compute=compute,
        )
    show_results([result], as_json=as_json)


@takes_compute(without=("cache", "download", "device", "precision", "batch_size"))
def pixels(
    truth: Truth,
    generated: Generated,
    compute: Compute,
    interval: Interval = False,
    as_json: AsJson = False,
) -> None:
    """L1, PSNR and SSIM against the true picture of each input, paired by key; needs no weights.

    With several outputs an input also how far they lie apart, and how far true pictures do.
    """
    from i2ikit.evaluate.pixelwise import pixels as measure

    with following(compute) as compute:
        result = measure(truth, generated, interval=interval, compute=compute)
    show_results([result], as_json=as_json)


@takes_compute(without=("cache", "download"))
def label_consistency(
    labels: Annotated[
        str, typer.Argument(metavar="LABELS", help="Folder of label maps, DIR or DIR:SUFFIX.")
    ],
    generated: Generated,
    compute: Compute,
    segmenter: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Returns your segmenter of the target."),
    ] = None,
    fit_pictures: Annotated[
        str | None,
        typer.Option(metavar="IMAGES", help="Instead: real pictures to fit a small one to."),
    ] = None,
    fit_labels: Annotated[
        str | None, typer.Option(metavar="LABELS", help="Their label maps, DIR or DIR:SUFFIX.")
    ] = None,
    fit_seed: Annotated[int | None, typer.Option(metavar="N", help="Of the fit. [0]")] = None,
    num_classes: Annotated[
        int | None, typer.Option(metavar="N", help="Classes, if it returns ids, not logits.")
    ] = None,
    ignore: Annotated[
        list[int] | None, typer.Option(metavar="ID", help="Labels that don't count. [255]")
    ] = None,
    relabel: Annotated[
        list[str] | None,
        typer.Option(metavar="FROM=TO", help="A label of the maps that stands for another."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Whether a segmenter finds the labels again in pictures made from label maps: mIoU.

    The segmenter takes pictures in [-1, 1], (B, 3, H, W), and returns logits or class ids. Without
    one of your own, --fit-pictures and --fit-labels fit a small one to real pictures.
    """
    from i2ikit.evaluate.consistency import label_consistency as measure
    from i2ikit.evaluate.label_maps import parse_relabel

    import_from_here()
    with following(compute) as compute:
        result = measure(
            labels,
            generated,
            segmenter=segmenter,
            fit_pictures=fit_pictures,
            fit_labels=fit_labels,
            fit_seed=fit_seed,
            num_classes=num_classes,
            ignore=(255,) if ignore is None else ignore,
            relabel=parse_relabel(relabel or []),
            compute=compute,
        )
    show_results([result], as_json=as_json)
