"""The domain-invariant perceptual loss: VGG16's view of two pictures, without their looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ikit.checkpoints import load_strictly, read_state_dict
from i2ikit.errors import CheckpointError, OptionError
from i2ikit.nn import instance_norm
from i2ikit.two_domain_training.options import TwoDomainTrainingOptions


@dataclass(frozen=True)
class _Input:
    """The pictures that weights were trained on: per channel, on a scale from 0 to 1."""

    channels: tuple[int, int, int]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


_TORCHVISION = _Input((0, 1, 2), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CAFFE = _Input((2, 1, 0), (103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255,) * 3)

#: relu5_3 is the last of so many of torchvision's layers.
_NUM_LAYERS = 30
_CONVS_OF_BLOCKS = (2, 2, 3, 3, 3)


class Perceptual:
    """A frozen VGG16 up to relu5_3.

    No module: what it holds is a file of its own, and is not saved with a training.
    """

    def __init__(self, path: Path) -> None:
        """Read torchvision's file, or the original program's `vgg16.weight`.

        The latter's names are conv1_1 … conv5_3, and its pictures BGR from 0 to 255 less the mean;
        torchvision's are RGB, less the mean, over the deviation.

        Raises:
            CheckpointError: it can't be read, or holds other weights.
        """
        from torchvision.models import vgg16

        with torch.device("meta"):
            layers: nn.Sequential = vgg16(weights=None).features[:_NUM_LAYERS]
        weights = read_state_dict(path)
        is_caffe = "conv1_1.weight" in weights
        self._input = _CAFFE if is_caffe else _TORCHVISION
        named = _rename(weights, layers, path) if is_caffe else _features(weights, layers)
        self._network = layers.to_empty(device="cpu")
        load_strictly(self._network, named, str(path))
        self._network.requires_grad_(False).eval()

    def __call__(self, fake: Tensor, source: Tensor) -> Tensor:
        """Return the mean squared distance of the features, each channel's looks normalised away.

        (Huang et al. 2018, arXiv:1804.04732, sec. 5.1.)

        Args:
            fake: a translation, (B, 1 or 3, H, W) in [-1, 1].
            source: what was translated, of the same size; it gets no gradient.
        """
        with torch.no_grad():
            wanted = self._features(source)
        return F.mse_loss(self._features(fake), wanted)

    def _features(self, image: Tensor) -> Tensor:
        """Return relu5_3, (B, 512, H / 16, W / 16), each channel of mean 0 and variance 1."""
        mean, deviation = (
            torch.tensor(values, device=image.device)[:, None, None]
            for values in (self._input.mean, self._input.deviation)
        )
        pixels = (image.expand(-1, 3, -1, -1)[:, list(self._input.channels)] + 1) / 2
        features = self._network.to(image.device)((pixels - mean) / deviation)
        return instance_norm(features)


def read_perceptual(options: TwoDomainTrainingOptions) -> Perceptual | None:
    """Return the loss if it has a weight.

    Raises:
        OptionError: it has, and no file is given.
        CheckpointError: the file isn't VGG16's.
    """
    if not options.vgg_w:
        return None
    if not options.vgg:
        raise OptionError(
            f"-o vgg_w={options.vgg_w:g} needs the weights of VGG16",
            hint="-o vgg=FILE names torchvision's vgg16-397923af.pth; -o vgg_w=0 does without",
        )
    return Perceptual(Path(options.vgg))


def _features(weights: Mapping[str, Tensor], layers: nn.Sequential) -> dict[str, Tensor]:
    """Return what of torchvision's weights belongs to these layers: not the classifier's."""
    wanted = {f"features.{name}" for name in layers.state_dict()}
    return {n.removeprefix("features."): v for n, v in weights.items() if n in wanted}


def _rename(weights: Mapping[str, Tensor], layers: nn.Sequential, path: Path) -> dict[str, Tensor]:
    """Return weights named by block and place under the names of torchvision's convolutions."""
    theirs = [f"conv{i}_{j + 1}" for i, n in enumerate(_CONVS_OF_BLOCKS, 1) for j in range(n)]
    ours = [name for name, layer in layers.named_children() if isinstance(layer, nn.Conv2d)]
    known = dict(zip(theirs, ours, strict=True))
    named = {}
    for name, value in weights.items():
        conv, _, kind = name.partition(".")
        if conv not in known:
            raise CheckpointError(f"{path} holds {name}, which VGG16 has not")
        named[f"{known[conv]}.{kind}"] = value
    return named
