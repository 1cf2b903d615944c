"""Outputs against the true picture of each input: LPIPS, PSNR and SSIM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from math import exp
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from i2ikit.data.images import Pixels
from i2ikit.errors import SourceError, UsageError, counted
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.embedding import Embedded, embed, tally_up
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.moments import Doubles
from i2ikit.evaluate.perceptual import distances, open_perceptual
from i2ikit.evaluate.resampling import BOOTSTRAP, interval_of_mean
from i2ikit.evaluate.results import Result, compare_sides, describe_side, versions
from i2ikit.evaluate.sets import (
    Images,
    Picture,
    PictureSet,
    find_lonely,
    group_by_key,
    open_set,
)

#: The side of SSIM's window, in pixels, and the spread of its Gaussian weights.
_WINDOW, _SIGMA = 11, 1.5
_GAUSSIAN = [exp(-((place - _WINDOW // 2) ** 2) / (2 * _SIGMA**2)) for place in range(_WINDOW)]
_WEIGHTS = [value / sum(_GAUSSIAN) for value in _GAUSSIAN]
#: What keeps SSIM's quotients from 0 / 0: (K L)² with K = 0.01 and 0.03, L = 255.
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True)
class _Scores:
    """How near the outputs of an input are to the truth, one number each."""

    lpips: Doubles
    psnr: Doubles
    ssim: Doubles


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
    sides = open_set(truth), open_set(generated)
    groups, lonely = match(*sides, compute.on_error)
    perceptual = open_perceptual(net, version, backbone, download=compute.download)

    tallies = Tally(), Tally(failures=lonely)
    found = list(_score(embed(groups, perceptual, compute), *tallies))
    if not found:
        failures = [*tallies[0].failures, *tallies[1].failures]
        raise SourceError(f"no pair of {sides[1].location} can be measured: {failures[0]}")
    real, made = (describe_side(side.location, t) for side, t in zip(sides, tallies, strict=True))
    card: dict[str, Any] = {
        **perceptual.card(),
        "precision": compute.precision,
        "real": real,
        "generated": made,
        "protocol": _describe(found),
        "versions": {**versions(), "lpips": installed("lpips")},
        "warnings": [*perceptual.warnings(), *compare_sides(real, made)],
    }
    means = np.array([scores.lpips.mean() for scores in found])
    parts = _parts(found, several=any(len(group) > 2 for group in groups))
    spread = interval_of_mean(means) if interval else None
    if spread:
        card["protocol"]["interval"] = BOOTSTRAP
    return Result("lpips-pairs", float(means.mean()), parts, spread, card)


def match(
    truth: PictureSet, generated: PictureSet, on_error: Literal["skip", "stop"]
) -> tuple[list[list[Picture]], list[str]]:
    """Return for each key the true picture, then its outputs in the order of their styles.

    And a sentence for each that can't be paired.

    Raises:
        UsageError: a key has several true pictures; or one has no partner, and the work stops at
            such.
    """
    real, made = group_by_key(truth.read()), group_by_key(generated.read())
    for key in sorted(real.keys() ^ made.keys()):
        if problem := (real.get(key) or made[key])[0].problem:  # it explains the lack of others
            raise SourceError(problem)
    for key, pictures in real.items():
        if len(pictures) > 1:
            raise UsageError(
                f"{truth.location} has {len(pictures)} true pictures for '{key}':"
                f" {pictures[0].name} and {pictures[1].name}",
                hint="give a folder with one for each input",
            )
    lonely = find_lonely(real, truth.location, made, generated.location, on_error)
    return [[*pictures, *made[key]] for key, pictures in real.items() if key in made], lonely


def _score(groups: Iterable[Sequence[Embedded]], real: Tally, made: Tally) -> Iterator[_Scores]:
    """Yield the scores of each input whose truth and an output can be read."""
    for truth, *outputs in groups:
        tally_up(real, [truth])
        tally_up(made, outputs)
        readable = [output for output in outputs if output.vector is not None]
        if truth.vector is None or truth.pixels is None or not readable:
            continue
        vectors = [v for one in (truth, *readable) if (v := one.vector) is not None]
        pixels = [p for one in readable if (p := one.pixels) is not None]
        yield _Scores(
            distances(vectors)[0, 1:].numpy(),
            np.array([psnr(truth.pixels, one) for one in pixels]),
            np.array([ssim(truth.pixels, one) for one in pixels]),
        )


def _describe(found: Sequence[_Scores]) -> dict[str, Any]:
    """Return the protocol as a card has it."""
    told: dict[str, Any] = {
        "inputs": len(found),
        "outputs": sum(len(scores.lpips) for scores in found),
        "psnr_is": "of 8-bit RGB, in dB",
        "ssim_is": "mean over RGB channels, Gaussian window 11×11, sigma 1.5",
    }
    if identical := sum(int(np.isinf(scores.psnr).sum()) for scores in found):
        told["identical"] = f"{counted(identical, 'pair')}, left out of PSNR"
    return told


def _parts(found: Sequence[_Scores], *, several: bool) -> dict[str, float]:
    """Return the parts of a result; PSNR is left out where it is infinite."""
    finite = [scores.psnr[np.isfinite(scores.psnr)] for scores in found]
    finite = [values for values in finite if len(values)]
    parts = {"psnr": _mean([values.mean() for values in finite])} if finite else {}
    parts["ssim"] = _mean([scores.ssim.mean() for scores in found])
    if not several:
        return parts
    parts["best"] = _mean([scores.lpips.min() for scores in found])
    if finite:
        parts["psnr_best"] = _mean([values.max() for values in finite])
    parts["ssim_best"] = _mean([scores.ssim.max() for scores in found])
    return parts


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def psnr(a: Pixels, b: Pixels) -> float:
    """Return the peak signal-to-noise ratio in dB of two pictures, uint8 (H, W, 3).

    Identical pictures have an infinite one.

    Raises:
        UsageError: their sizes differ.
    """
    _check_alike(a, b)
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(a: Pixels, b: Pixels) -> float:
    """Return the structural similarity of two pictures, uint8 (H, W, 3): the mean over channels.

    Wang et al. 2004 (IEEE Transactions on Image Processing 13), eq. 13, in windows that lie within
    the pictures.

    Raises:
        UsageError: their sizes differ, or a side is shorter than the window.
    """
    _check_alike(a, b)
    if min(a.shape[:2]) < _WINDOW:
        raise UsageError(
            f"a {a.shape[1]}x{a.shape[0]} picture has no SSIM: its window takes {_WINDOW} pixels"
        )
    x, y = (torch.from_numpy(pixels.astype(np.float64)).permute(2, 0, 1) for pixels in (a, b))
    mu_x, mu_y, xx, yy, xy = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    covariance = xy - mu_x * mu_y
    variances = xx - mu_x.square() + yy - mu_y.square()
    likeness = (2 * mu_x * mu_y + _C1) / (mu_x.square() + mu_y.square() + _C1)
    return float((likeness * (2 * covariance + _C2) / (variances + _C2)).mean())


def _blur(maps: Tensor) -> Tensor:
    """Return means of (..., H, W) in Gaussian windows, (..., H - 10, W - 10)."""
    for dim in (-2, -1):
        length = maps.shape[dim] - _WINDOW + 1
        means = torch.zeros_like(maps.narrow(dim, 0, length))
        for place, weight in enumerate(_WEIGHTS):  # convolutions in float64 take twice the time
            means.add_(maps.narrow(dim, place, length), alpha=weight)
        maps = means
    return maps


def _check_alike(a: Pixels, b: Pixels) -> None:
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise UsageError(f"the pictures are {a.dtype} and {b.dtype}", hint="give uint8, (H, W, 3)")
    if a.shape != b.shape:
        raise UsageError(f"the pictures have shapes {a.shape} and {b.shape}")
