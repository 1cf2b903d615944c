"""Outputs beside the true picture of each input: how they are paired, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from i2ikit.data.images import Pixels
from i2ikit.errors import SourceError, UsageError, counted
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.likeness import psnr, ssim
from i2ikit.evaluate.loaded import Loaded, tally_up
from i2ikit.evaluate.moments import Doubles
from i2ikit.evaluate.results import describe_side
from i2ikit.evaluate.sets import Images, Picture, find_lonely, group_by_key, open_set


@dataclass(frozen=True)
class Scores:
    """How near the outputs of an input are to the truth, one number each.

    Attributes:
        distance: LPIPS or L1: the less, the nearer.
        psnr: in dB; infinite for an output that is the truth.
        ssim: 1 for an output that is the truth.
    """

    distance: Doubles
    psnr: Doubles
    ssim: Doubles


@dataclass(frozen=True)
class Truths:
    """True pictures and outputs, paired by their keys.

    Attributes:
        locations: of both sides, as the user wrote them.
        groups: for each key the true picture, then its outputs in the order of their styles.
        tallies: of both sides; filled while the pictures are measured.
    """

    locations: tuple[str, str]
    groups: Sequence[Sequence[Picture]]
    tallies: tuple[Tally, Tally] = field(default_factory=lambda: (Tally(), Tally()))

    @property
    def several(self) -> bool:
        """Whether an input has more than one output."""
        return any(len(group) > 2 for group in self.groups)

    def count(self, group: Sequence[Loaded]) -> None:
        """Take in a group that was read."""
        tally_up(self.tallies[0], group[:1])
        tally_up(self.tallies[1], group[1:])

    def describe(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a card says of the sides."""
        real, made = map(describe_side, self.locations, self.tallies)
        return real, made


def pair(truth: Images, generated: Images, on_error: Literal["skip", "stop"]) -> Truths:
    """Pair outputs with true pictures; those without a partner are counted as failures.

    Raises:
        UsageError: a key has several true pictures; or one has no partner, and the work stops at
            such.
        SourceError: a side can't be listed, or breaks off.
    """
    sides = open_set(truth), open_set(generated)
    real, made = (group_by_key(side.read()) for side in sides)
    locations = sides[0].location, sides[1].location
    for key in sorted(real.keys() ^ made.keys()):
        if problem := (real.get(key) or made[key])[0].problem:  # it explains the lack of others
            raise SourceError(problem)
    for key, pictures in real.items():
        if len(pictures) > 1:
            raise UsageError(
                f"{locations[0]} has {len(pictures)} true pictures for '{key}':"
                f" {pictures[0].name} and {pictures[1].name}",
                hint="give a folder with one for each input",
            )
    lonely = find_lonely(real, locations[0], made, locations[1], on_error)
    groups = [[*pictures, *made[key]] for key, pictures in real.items() if key in made]
    return Truths(locations, groups, (Tally(), Tally(failures=lonely)))


def score(truth: Pixels, outputs: Sequence[Pixels], distance: Doubles) -> Scores:
    """Return the scores of an input's outputs, given their distances.

    Raises:
        UsageError: sizes differ, or SSIM has no room for its window.
    """
    return Scores(
        distance,
        np.array([psnr(truth, output) for output in outputs]),
        np.array([ssim(truth, output) for output in outputs]),
    )


def check_measured(found: Sequence[Scores], truths: Truths) -> None:
    """Refuse sets of which nothing could be measured.

    Raises:
        SourceError: with the first reason.
    """
    if not found:
        failures = [*truths.tallies[0].failures, *truths.tallies[1].failures]
        raise SourceError(f"no pair of {truths.locations[1]} can be measured: {failures[0]}")


def describe_scores(found: Sequence[Scores]) -> dict[str, Any]:
    """Return the protocol as a card has it."""
    told: dict[str, Any] = {
        "inputs": len(found),
        "outputs": sum(len(scores.distance) for scores in found),
        "psnr_is": "of 8-bit RGB, in dB",
        "ssim_is": "mean over RGB channels, Gaussian window 11×11, sigma 1.5",
    }
    if identical := sum(int(np.isinf(scores.psnr).sum()) for scores in found):
        told["identical"] = f"{counted(identical, 'pair')}, left out of PSNR"
    return told


def parts_of(found: Sequence[Scores], *, several: bool) -> dict[str, float]:
    """Return PSNR and SSIM, and the best of several outputs; PSNR is left out where infinite.

    Every number is a mean over inputs. Of several outputs of an input the mean is taken first, or,
    for the parts called best, the least distance and the greatest PSNR and SSIM.
    """
    finite = [scores.psnr[np.isfinite(scores.psnr)] for scores in found]
    finite = [values for values in finite if len(values)]
    parts = {"psnr": _mean([values.mean() for values in finite])} if finite else {}
    parts["ssim"] = _mean([scores.ssim.mean() for scores in found])
    if not several:
        return parts
    parts["best"] = _mean([scores.distance.min() for scores in found])
    if finite:
        parts["psnr_best"] = _mean([values.max() for values in finite])
    parts["ssim_best"] = _mean([scores.ssim.max() for scores in found])
    return parts


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
