"""Outputs against the true picture of each input, by LPIPS; PSNR and SSIM beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np

from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.embedding import Embedded, embed
from i2ikit.evaluate.perceptual import distances, open_perceptual
from i2ikit.evaluate.resampling import BOOTSTRAP, interval_of_mean
from i2ikit.evaluate.results import Result, compare_sides, versions
from i2ikit.evaluate.sets import Images
from i2ikit.evaluate.truths import (
    Scores,
    Truths,
    check_measured,
    describe_scores,
    pair,
    parts_of,
    score,
)


def lpips_pairs(
    truth: Images,
    generated: Images,
    *,
    net: str = "alex",
    version: str = "0.1",
    backbone: str | Path | None = None,
    interval: bool = False,
    compute: Compute | None = None,
) -> Result:
    """Measure LPIPS between outputs and the true pictures of their inputs; `parts` has PSNR, SSIM.

    Every number is a mean over inputs. Of several outputs of an input the mean is taken first, or,
    for the parts called best, the least LPIPS and the greatest PSNR and SSIM.

    Args:
        truth: a folder, tars, a manifest, or pictures as arrays: one for each input.
        generated: the same; of an output folder of `translate`, the translated pictures. Pairs are
            made by key, of arrays by place.
        net: "alex", "squeeze" or "vgg".
        version: of LPIPS, "0.0" or "0.1".
        backbone: a file to use instead of the network's official weights.
        interval: whether to add an interval of LPIPS, bootstrapped over inputs.
        compute: devices, batch size and so on.

    Raises:
        I2IError: what and why, in a sentence.
    """
    compute = compute or Compute()
    compute.check()
    truths = pair(truth, generated, compute.on_error)
    perceptual = open_perceptual(net, version, backbone, download=compute.download)

    found = list(_score(embed(truths.groups, perceptual, compute), truths))
    check_measured(found, truths)
    real, made = truths.describe()
    card: dict[str, Any] = {
        **perceptual.card(),
        "precision": compute.precision,
        "real": real,
        "generated": made,
        "protocol": describe_scores(found),
        "versions": {**versions(), "lpips": installed("lpips")},
        "warnings": [*perceptual.warnings(), *compare_sides(real, made)],
    }
    means = np.array([scores.distance.mean() for scores in found])
    spread = interval_of_mean(means) if interval else None
    if spread:
        card["protocol"]["interval"] = BOOTSTRAP
    parts = parts_of(found, several=truths.several)
    return Result("lpips-pairs", float(means.mean()), parts, spread, card)


def _score(groups: Iterable[Sequence[Embedded]], truths: Truths) -> Iterator[Scores]:
    """Yield the scores of each input whose truth and an output can be read."""
    for group in groups:
        truths.count(group)
        truth, *outputs = group
        pixels = [p for output in outputs if (p := output.pixels) is not None]
        vectors = [v for member in group if (v := member.vector) is not None]
        if truth.pixels is not None and pixels:
            yield score(truth.pixels, pixels, distances(vectors)[0, 1:].numpy())
