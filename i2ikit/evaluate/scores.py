"""Inception Score and MUNIT's conditional one: how sure a classifier is, and of how much.

exp of the mean of KL(p(y|x), p(y)) over pictures x and classes y (Salimans et al. 2016,
arXiv:1606.03498, section 4). The conditional score takes p(y) from the outputs of one input alone
(Huang et al. 2018, arXiv:1804.04732): it is high if different styles reach different classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2ikit.errors import ModelError, UsageError, counted
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.features import need
from i2ikit.evaluate.groups import Groups, Outputs, read_groups
from i2ikit.evaluate.inception import NUM_CLASSES
from i2ikit.evaluate.own import OwnLike, OwnNetwork, load_own, look
from i2ikit.evaluate.results import (
    Result,
    compare_sides,
    describe_side,
    versions,
    warn_of_weights,
)
from i2ikit.evaluate.sets import Images, PictureSet
from i2ikit.evaluate.sides import Asked, Side, read_sides

#: What published Inception Scores are taken of.
_USUAL = 50_000


def inception_score(
    images: Images,
    *,
    splits: int = 10,
    seed: int = 2020,
    weights: str | Path | None = None,
    convention: str = "torch-fidelity",
    compute: Compute | None = None,
) -> Result:
    """Measure the Inception Score, 1 or greater, as torch-fidelity does.

    The pictures are shuffled and split; the value is the mean over the splits, `parts` has their
    standard deviation.

    Args:
        images: a folder, tars, a manifest, or pictures as arrays; of an output folder of
            `translate`, the translated pictures.
        splits: how many parts are scored by themselves.
        seed: of the shuffle.
        weights: a file to use instead of the official one.
        convention: how pictures are brought to the network, as for `fid`.
        compute: devices, batch size, cache and so on.

    Raises:
        UsageError: there are fewer pictures than splits.
        I2IError: pictures or weights are not there, or can't be read.
    """
    compute = compute or Compute()
    compute.check()
    if splits < 1:
        raise UsageError(f"--splits {splits} is less than 1")
    if not 0 <= seed < 2**32:
        raise UsageError(f"--seed {seed} is not in 0 … 2^32 - 1")
    asked = Asked("inception", NUM_CLASSES, convention, weights)
    (side,) = read_sides((images,), asked, compute, by_statistics=False)
    rows = side.features.rows
    need(side.features, splits, f"a score over {splits} splits")
    order = np.random.RandomState(seed).permutation(len(rows))  # its stream is frozen
    bounds = [part * len(rows) // splits for part in range(splits + 1)]
    scores = [
        math.exp(mean_divergence(torch.from_numpy(rows[order[start:end]])))
        for start, end in pairwise(bounds)
    ]
    card = {
        **side.made_with,
        "pictures": side.description,
        "versions": versions(),
        "protocol": {"splits": splits, "seed": seed},
        "warnings": _warnings(side, len(rows), splits),
    }
    return Result("is", float(np.mean(scores)), {"std": float(np.std(scores))}, card=card)


def mean_divergence(logits: Tensor) -> float:
    """Return the mean of KL(p(y|x), p(y)) over the rows of (N, classes) logits, in float64.

    It is the entropy of the mean minus the mean entropy: no division by a class without pictures.
    Rounding may put that a hair below 0, where it is clipped.
    """
    logs = logits.double().log_softmax(dim=1)
    shares = logs.exp()
    marginal = shares.mean(dim=0)
    mean_kl = (shares * logs).sum(dim=1).mean() - torch.xlogy(marginal, marginal).sum()
    return max(0.0, float(mean_kl))


def _warnings(side: Side, count: int, splits: int) -> list[str]:
    found = ["an Inception Score compares only with scores of the same network, resize and splits"]
    found.append("it means nothing where all pictures should be of one class, or of none it knows")
    if count < _USUAL:
        found.append(
            f"N is small ({counted(count, 'picture')} in {counted(splits, 'split')}): published"
            f" scores are of {_USUAL:,} pictures, and few pictures score lower"
        )
    return [*found, *warn_of_weights([side.made_with]), *compare_sides(side.description)]


def conditional_inception_score(
    outputs: Outputs, *, classifier: OwnLike, compute: Compute | None = None
) -> Result:
    """Measure MUNIT's conditional Inception Score (CIS), 1 or greater, of several outputs an input.

    `parts` has `mean_kl`, its logarithm, which the paper's table seems to hold; and `is`, with p(y)
    from all outputs together. Inputs with a single output that can be read don't count for the CIS.

    Args:
        outputs: an output folder of `translate`; a folder with a sub-folder of outputs for each
            input; tars or a manifest; or groups of arrays.
        classifier: of the target's classes, (B, 3, H, W) float32 in [-1, 1], of the pictures' own
            size, to (B, classes) logits: a callable, or "module:function", which is called without
            arguments and returns it. It resizes and scales as it was trained. A module is put into
            eval mode and onto the device.
        compute: devices, batch size and so on; of several devices, the first.

    Raises:
        UsageError: no input has two outputs that can be read.
        ModelError: the classifier breaks its contract.
        I2IError: outputs or classifier are not there, or can't be read.
    """
    compute = compute or Compute()
    compute.check()
    groups, network, tally = read_groups(outputs), load_own(classifier, "--classifier"), Tally()
    answers = _classify(groups, network, compute, tally)
    several = {name: rows for name, rows in answers.items() if len(rows) > 1}
    if not several:
        raise UsageError(
            f"no input of {groups.location} has two outputs that can be read: {tally.n} of"
            f" {counted(groups.count, 'picture')} could be",
            hint=tally.failures[0] if tally.failures else "",
        )
    counts = [len(rows) for rows in several.values()]
    mean_kl = float(np.average([mean_divergence(r) for r in several.values()], weights=counts))
    parts = {
        "mean_kl": mean_kl,
        "is": math.exp(mean_divergence(torch.cat(list(answers.values())))),
    }
    card = {
        **network.card("classifier"),
        "precision": compute.precision,
        "generated": describe_side(groups.location, tally),
        "versions": versions(),
        "protocol": _protocol(groups, several),
        "warnings": _group_warnings(groups, several),
    }
    return Result("cis", math.exp(mean_kl), parts, card=card)


def _classify(
    groups: Groups, network: OwnNetwork, compute: Compute, tally: Tally
) -> dict[str, Tensor]:
    """Return the logits of each group's readable pictures, (n, classes)."""
    owners = {p.name: name for name, group in groups.members.items() for p in group}
    pictures = PictureSet(
        groups.location, groups.count, partial(chain.from_iterable, groups.members.values())
    )
    found: dict[str, list[Tensor]] = {}
    for picture, answer in look(network, pictures, compute, tally):
        found.setdefault(owners[picture.name], []).append(answer)
    _check_logits(network.name, list(chain.from_iterable(found.values())))
    return {name: torch.stack(rows) for name, rows in found.items()}


def _check_logits(name: str, answers: Sequence[Tensor]) -> None:
    shapes = sorted({tuple(answer.shape) for answer in answers})
    if len(shapes) > 1 or len(shapes[0]) != 1 or shapes[0][0] < 2:
        listed = " and ".join(map(str, shapes))
        raise ModelError(
            f"{name} returned {listed} for a picture, where one logit for each class is due"
        )
    rows = torch.stack(list(answers)).double()
    if (rows >= 0).all() and torch.allclose(rows.sum(dim=1), torch.ones(1).double(), atol=1e-3):
        raise ModelError(
            f"{name} returned probabilities, where logits are due", hint="leave its softmax out"
        )


def _protocol(groups: Groups, several: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what a card says of the groups that were scored."""
    counts = sorted({len(rows) for rows in several.values()})
    return {
        "inputs": len(several),
        "outputs_per_input": "…".join(map(str, dict.fromkeys((counts[0], counts[-1])))),
        "grouped_by": groups.grouped_by,
        "classes": next(iter(several.values())).shape[1],
        "pictures_as_shown": "of their own size, in [-1, 1]",
    }


def _group_warnings(groups: Groups, several: Mapping[str, Tensor]) -> list[str]:
    found = ["scores compare only with those of the same classifier and number of outputs an input"]
    if left := len(groups.members) - len(several):
        found.append(f"{counted(left, 'input')} with fewer than two outputs left out")
    if len({len(rows) for rows in several.values()}) > 1:
        found.append("inputs differ in how many outputs they have; each output counts the same")
    return found
