"""Weights without training, the same bits everywhere, in the layouts of the official files.

numpy's RandomState has a frozen stream, and only IEEE arithmetic follows. They are the weights that
`tests/golden/eval/golden.json` was made with.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor

from i2ikit.evaluate.inception import make_inception

INCEPTION = "pt_inception-2015-12-05-6726825d.pth"
_INCEPTION_SEED = 4711
_BACKBONES = {
    "alex": (torchvision.models.alexnet, 101),
    "squeeze": (torchvision.models.squeezenet1_1, 102),
    "vgg": (torchvision.models.vgg16, 103),
}
_SQRT_12 = 2.0 * math.sqrt(3.0)


def write_inception(path: Path, statistics: Path) -> Path:
    """Write an Inception; its batch norms' statistics keep activations in range."""
    with np.load(statistics) as file:
        measured = {name: file[name] for name in file.files}
    with torch.device("meta"):
        template = make_inception().state_dict()
    draws = np.random.RandomState(_INCEPTION_SEED)
    torch.save({name: _fill(name, old, draws, measured) for name, old in template.items()}, path)
    return path


def _fill(
    name: str, old: Tensor, draws: np.random.RandomState, measured: dict[str, np.ndarray]
) -> Tensor:
    if name in measured:
        return torch.from_numpy(measured[name].astype(np.float32))
    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.long)
    if name.endswith("conv.weight"):
        return _uniform(draws, old, math.sqrt(2.0 / old[0].numel()))
    if name == "fc.weight":
        return _uniform(draws, old, 0.05)
    if name == "fc.bias":
        return _uniform(draws, old, 0.5)
    return _uniform(draws, old, 0.1) + (1.0 if name.endswith("bn.weight") else 0.0)


def write_backbone(path: Path, net: str) -> Path:
    """Write the convolutional part of a network of LPIPS."""
    build, seed = _BACKBONES[net]
    with torch.device("meta"):
        template = build(weights=None).features.state_dict()
    draws = np.random.RandomState(seed)
    weights = {
        f"features.{name}": _uniform(
            draws, old, math.sqrt(2.0 / old[0].numel()) if name.endswith("weight") else 0.05
        )
        for name, old in template.items()
    }
    torch.save(weights, path)
    return path


def _uniform(draws: np.random.RandomState, like: Tensor, std: float) -> Tensor:
    """Return numbers of mean 0 in the shape of `like`."""
    unit = draws.random_sample(like.numel()).reshape(tuple(like.shape))
    return torch.from_numpy(((unit - 0.5) * (_SQRT_12 * std)).astype(np.float32))
