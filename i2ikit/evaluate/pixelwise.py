"""Outputs against the true picture of each input, by their pixels alone: no weights, no network."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, combinations, islice
from typing import Any

import numpy as np

from i2ikit.ahead import ahead
from i2ikit.data.images import Pixels
from i2ikit.errors import counted
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.likeness import WINDOW, l1
from i2ikit.evaluate.loaded import Loaded, Takes, check_sizes, follow, load
from i2ikit.evaluate.resampling import BOOTSTRAP, interval_of_mean
from i2ikit.evaluate.results import Result, compare_sides, versions
from i2ikit.evaluate.sets import Images, Picture
from i2ikit.evaluate.truths import (
    Scores,
    Truths,
    check_measured,
    describe_scores,
    pair,
    parts_of,
    score,
)

#: True pictures that are held in memory, to be compared with each other.
_MOST_HELD = 64
_SEED = 0
#: Decoded pictures that wait to be compared.
_MOST_WAITING = 32
_TAKES = Takes("L1", "SSIM", WINDOW)


@dataclass(frozen=True)
class _Input:
    """An input that was measured.

    Attributes:
        members: its true picture and its outputs, without their pixels.
        scores: None if its truth, or every output, can't be read; so are the others then.
        spread: mean L1 over the pairs of its outputs; None of fewer than two.
        held: its true picture, if it is one to be compared with others.
    """

    members: Sequence[Loaded]
    scores: Scores | None = None
    spread: float | None = None
    held: Pixels | None = None


def pixels(
    truth: Images,
    generated: Images,
    *,
    interval: bool = False,
    compute: Compute | None = None,
) -> Result:
    """Measure L1 between outputs and the true pictures of their inputs; needs no weights.

    L1 is the mean absolute difference on -1 … 1. `parts` has PSNR and SSIM. Every number is a mean
    over inputs. Of several outputs of an input the mean is taken first, or, for the parts called
    best, the least L1 and the greatest PSNR and SSIM. With several outputs `parts` has also
    `spread`, the mean L1 over all pairs of an input's outputs, and `spread_of_truth`, that over
    pairs of true pictures of different inputs; of more than 64 inputs, of 64 that are drawn.

    The pictures of an input or a few are held at a time, and those 64.

    Args:
        truth: a folder, tars, a manifest, or pictures as arrays: one for each input.
        generated: the same; of an output folder of `translate`, the translated pictures. Pairs are
            made by key, of arrays by place.
        interval: whether to add an interval of L1, bootstrapped over inputs.
        compute: workers, and what a picture that can't be read does.

    Raises:
        I2IError: what and why, in a sentence.
    """
    compute = compute or Compute()
    compute.check()
    truths = pair(truth, generated, compute.on_error)
    measured = []
    for one in _measure(truths, compute):
        truths.count(one.members)
        measured.append(replace(one, members=()))
    found = [one.scores for one in measured if one.scores]
    check_measured(found, truths)
    real, made = truths.describe()
    means = np.array([scores.distance.mean() for scores in found])
    around = interval_of_mean(means) if interval else None
    spread, told = _spread(measured)
    card: dict[str, Any] = {
        "real": real,
        "generated": made,
        "protocol": {**describe_scores(found), "l1_is": "of RGB in -1…1", **told},
        "versions": versions(),
        "warnings": compare_sides(real, made),
    }
    if around:
        card["protocol"]["interval"] = BOOTSTRAP
    parts = {**parts_of(found, several=truths.several), **spread}
    return Result("l1", float(means.mean()), parts, around, card)


def _measure(truths: Truths, compute: Compute) -> Iterator[_Input]:
    """Yield each input as measured, decoded and compared by threads."""
    groups, workers = truths.groups, compute.chosen_workers()
    judge = partial(_judge, _choose(groups) if truths.several else ())
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(workers)) if workers else None
        loaded = ahead(load, chain.from_iterable(groups), pool, _MOST_WAITING)
        checked = (check_sizes(list(islice(loaded, len(group))), _TAKES) for group in groups)
        followed = follow(checked, compute, sum(map(len, groups)))
        yield from ahead(judge, followed, pool, workers)


def _choose(groups: Sequence[Sequence[Picture]]) -> Collection[str]:
    """Return the keys of the inputs whose true pictures are compared with each other."""
    keys = [truth.key for truth, *_ in groups]
    if len(keys) <= _MOST_HELD:
        return keys
    drawn = np.random.default_rng(_SEED).choice(len(keys), _MOST_HELD, replace=False)
    return {keys[place] for place in drawn}


def _judge(held: Collection[str], group: Sequence[Loaded]) -> _Input:
    """Measure an input."""
    members = [replace(member, pixels=None) for member in group]
    truth = group[0].pixels
    outputs = [p for member in group[1:] if (p := member.pixels) is not None]
    if truth is None or not outputs:
        return _Input(members)
    distances = np.array([l1(truth, output) for output in outputs])
    gaps = [l1(a, b) for a, b in combinations(outputs, 2)]
    return _Input(
        members,
        score(truth, outputs, distances),
        float(np.mean(gaps)) if gaps else None,
        truth if group[0].picture.key in held else None,
    )


def _spread(measured: Sequence[_Input]) -> tuple[dict[str, float], dict[str, str]]:
    """Return how far outputs, and true pictures, lie apart, and what the protocol says of it."""
    spreads = [one.spread for one in measured if one.spread is not None]
    if not spreads:
        return {}, {}
    parts = {"spread": float(np.mean(spreads))}
    told = {"spread_is": f"L1 over all pairs of outputs of {counted(len(spreads), 'input')}"}
    held = [one.held for one in measured if one.held is not None]
    gaps = [l1(a, b) for a, b in combinations(held, 2) if a.shape == b.shape]
    if gaps:
        parts["spread_of_truth"] = float(np.mean(gaps))
        drawn = f", drawn with seed {_SEED}" if len(measured) > _MOST_HELD else ""
        told["spread_of_truth_is"] = (
            f"L1 over {counted(len(gaps), 'pair')} of {len(held)} true pictures{drawn}"
        )
    return parts, told
