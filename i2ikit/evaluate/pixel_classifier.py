"""A small pixel classifier, fitted to real pictures and their label maps to judge others by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from i2ikit.data.images import to_tensor
from i2ikit.devices import arithmetic
from i2ikit.errors import UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.label_maps import IGNORED, LabelMaps
from i2ikit.evaluate.loaded import tally_up
from i2ikit.evaluate.own import OwnNetwork
from i2ikit.evaluate.results import describe_side
from i2ikit.evaluate.sets import Images
from i2ikit.evaluate.squares import SIDE, Square, cut_squares
from i2ikit.model import RGB

#: Channels between its 3×3 convolutions, and how far these reach.
_WIDTH, _DILATIONS = 16, (1, 2, 4)
_STEPS, _BATCH_SIZE, _RATE = 400, 16, 0.005

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """A classifier, and how it was made.

    Attributes:
        network: (B, 3, H, W) in [-1, 1] to logits (B, classes, H, W).
        num_classes: how many it knows.
        side: what a card says of the pictures.
        protocol: what it says of the fit.
    """

    network: OwnNetwork
    num_classes: int
    side: dict[str, Any]
    protocol: dict[str, Any]


def fit_classifier(
    images: Images, maps: LabelMaps, *, num_classes: int | None, seed: int, compute: Compute
) -> Fitted:
    """Fit a classifier to pictures with label maps; the same each time, on whatever device.

    One thread of the CPU fits it, in some twenty seconds. Each picture is decoded once, and squares
    of it are held: 120 MB of all pictures together.

    Args:
        images: pictures of the target, paired with the label maps by their keys.
        maps: what is where in them.
        num_classes: how many classes there are, from 0; None: as many as the maps have.
        seed: of the first weights, the squares, and the order of these.
        compute: workers, and what a picture that can't be read does.

    Raises:
        UsageError: the seed is negative, a picture or map has no partner, or fewer than two classes
            are labelled.
        SampleError: a picture or map can't be read or used, and the work stops at such.
        SourceError: the pictures aren't there.
    """
    if seed < 0:
        raise UsageError(f"--fit-seed {seed} is less than 0")
    pictures, tally = maps.pair(images, compute.on_error)
    squares: list[Square] = []
    found, digest = num_classes or 0, hashlib.sha256()
    for cut in cut_squares(list(pictures.read()), maps, num_classes, seed, compute):
        tally_up(tally, [cut])
        squares += cut.squares
        found = max(found, cut.num_classes)
        digest.update(cut.digest)
    counts = _count(squares, found)
    if np.count_nonzero(counts) < 2:
        present = ", ".join(map(str, np.flatnonzero(counts))) or "none"
        raise UsageError(
            f"a classifier tells two classes or more apart, and {maps.location} has: {present}",
            hint=tally.failures[0] if tally.failures else "see --ignore and --relabel",
        )
    network = _fit(squares, counts, seed)
    protocol = {
        "classifier": _describe(network, found),
        "fit": f"{_STEPS} steps of {_BATCH_SIZE} squares of {SIDE}×{SIDE}, Adam, rate {_RATE}"
        " falling to 0, on one CPU thread",
        "fit_loss": "cross-entropy, a class weighted by 1/√(its share of the pixels)",
        "fit_seed": seed,
        "fit_pictures": tally.n,
        "fit_labels": maps.location,
        "fit_sha256": digest.hexdigest(),
    }
    own = OwnNetwork("pixel classifier", network).eval()
    return Fitted(own, found, describe_side(pictures.location, tally), protocol)


def _count(squares: Sequence[Square], num_classes: int) -> Counts:
    """Return how many pixels each class has."""
    counts = np.zeros(num_classes, dtype=np.int64)
    for square in squares:
        counts += np.bincount(square.ids[square.ids != IGNORED], minlength=num_classes)
    return counts


def _fit(squares: Sequence[Square], counts: Counts, seed: int) -> nn.Sequential:
    """Return a classifier fitted to squares in which the classes have so many pixels."""
    weights = torch.from_numpy(_weigh(counts))
    generator = torch.Generator().manual_seed(seed)
    with arithmetic(1), torch.enable_grad():
        network = _make(len(counts), generator)
        optimizer = torch.optim.Adam(network.parameters())
        for step in range(_STEPS):
            for group in optimizer.param_groups:
                group["lr"] = _RATE * (1 - step / _STEPS)
            places = torch.randint(len(squares), (_BATCH_SIZE,), generator=generator).tolist()
            pictures, ids = _stack([squares[place] for place in places])
            loss = F.cross_entropy(network(pictures), ids, weights, ignore_index=IGNORED)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network


def _weigh(counts: Counts) -> npt.NDArray[np.float32]:
    """Return the classes' weights in the loss.

    Between none, which never finds a rare class, and a full balance, which finds it everywhere.
    """
    weights, seen = np.zeros(len(counts), dtype=np.float32), counts > 0
    weights[seen] = (counts[seen] / counts.sum()) ** -0.5
    return weights


def _stack(squares: Sequence[Square]) -> tuple[Tensor, Tensor]:
    """Return pictures (B, 3, H, W) in [-1, 1] and their ids, (B, H, W) int64."""
    pictures = torch.cat([to_tensor(square.pixels, RGB()) for square in squares])
    return pictures, torch.from_numpy(np.stack([square.ids for square in squares])).long()


def _make(num_classes: int, generator: torch.Generator) -> nn.Sequential:
    """Return the classifier with its first weights, drawn from `generator` alone."""
    layers: list[nn.Module] = []
    channels = 3
    for dilation in _DILATIONS:
        layers += [_conv(channels, _WIDTH, 3, dilation, generator), nn.ReLU()]
        channels = _WIDTH
    return nn.Sequential(*layers, _conv(channels, num_classes, 1, 1, generator))


def _conv(
    channels: int, out: int, side: int, dilation: int, generator: torch.Generator
) -> nn.Conv2d:
    """Return a convolution that keeps the size, with He's first weights."""
    conv: nn.Conv2d = skip_init(  # type: ignore[no-untyped-call]
        nn.Conv2d,
        channels,
        out,
        side,
        padding=dilation * (side // 2),
        dilation=dilation,
        padding_mode="replicate",
    )
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def _describe(network: nn.Sequential, num_classes: int) -> str:
    count = sum(weights.numel() for weights in network.parameters())
    widths = ", ".join(str(_WIDTH) for _ in _DILATIONS)
    return (
        f"3×3 convolutions to {widths} channels, dilated by {', '.join(map(str, _DILATIONS))}, with"
        f" ReLU; 1×1 to {num_classes} classes; {count:,} weights"
    )
