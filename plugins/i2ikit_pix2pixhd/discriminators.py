"""What judges pictures while pix2pixHD learns: discriminators, and the features of VGG19.

arXiv:1711.11585, sections 3.2 and 3.3; parameter names are those of the original program.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ikit.checkpoints import read_state_dict
from i2ikit.errors import CheckpointError
from i2ikit.training.losses import cross_entropy, lsgan
from i2ikit_pix2pixhd.networks import NormFactory

#: For each scale the outputs of each layer; the last layer's are the answers.
Judgement: TypeAlias = list[list[Tensor]]

_MOST_CHANNELS = 512


class MultiscaleDiscriminator(nn.Module):
    """Patch discriminators of one shape, each but the last at half the size of the one after it.

    Layer j of scale i is `scale<i>_layer<j>`; the highest scale sees the full size.
    """

    def __init__(
        self, in_channels: int, width: int, num_layers: int, num_scales: int, norm: NormFactory
    ) -> None:
        super().__init__()
        self.num_scales = num_scales
        self.num_layers = num_layers + 2
        for scale in range(num_scales):
            for index, layer in enumerate(_layers(in_channels, width, num_layers, norm)):
                self.add_module(f"scale{scale}_layer{index}", layer)

    def forward(self, x: Tensor) -> Judgement:
        """Return what each scale makes of (B, in_channels, H, W), full size first."""
        judgement = []
        for scale in reversed(range(self.num_scales)):
            judgement.append(list(self._outputs(scale, x)))
            if scale:
                x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return judgement

    def _outputs(self, scale: int, x: Tensor) -> Iterator[Tensor]:
        for index in range(self.num_layers):
            x = self.get_submodule(f"scale{scale}_layer{index}")(x)
            yield x


def _layers(
    in_channels: int, width: int, num_layers: int, norm: NormFactory
) -> Iterator[nn.Sequential]:
    """Yield `num_layers` that halve, one that doesn't, and the answers: (B, 1, H', W')."""
    yield nn.Sequential(_conv(in_channels, width, 2), nn.LeakyReLU(0.2, inplace=True))
    for index in range(1, num_layers + 1):
        wider = min(2 * width, _MOST_CHANNELS)
        conv = _conv(width, wider, stride=2 if index < num_layers else 1)
        yield nn.Sequential(conv, norm(wider), nn.LeakyReLU(0.2, inplace=True))
        width = wider
    yield nn.Sequential(_conv(width, 1, 1))


def _conv(in_channels: int, out_channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 4, stride, padding=2)


def gan_loss(judgement: Judgement, target: float, *, least_squares: bool) -> Tensor:
    """Return the distance of the answers from 0 or 1, the sum over scales."""
    answers = [outputs[-1] for outputs in judgement]
    return (lsgan if least_squares else cross_entropy)(answers, target)


def feature_matching(fake: Judgement, real: Judgement) -> Tensor:
    """Return the L1 distance of all layers' outputs but the answers (eq. 4); real is a constant.

    Upstream weighs each layer by 4 / (n_layers_D + 1) and each scale by 1 / num_D: four times the
    mean over both.
    """
    terms = [
        F.l1_loss(output, wanted.detach())
        for outputs, all_wanted in zip(fake, real, strict=True)
        for output, wanted in zip(outputs[:-1], all_wanted[:-1], strict=True)
    ]
    return 4 * torch.stack(terms).mean()


#: VGG19's convolutions up to the fifth stage's first, as torchvision numbers its `features`.
_STAGES = ((0, 2), (5, 7), (10, 12, 14, 16), (19, 21, 23, 25), (28,))
_STAGE_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


class VGGLoss(nn.Module):
    """L1 distance of VGG19's features after the first convolution of each stage.

    Its weights move with the module, but are neither parameters nor a part of its state: they are
    read from their own file each time.
    """

    def __init__(self, path: Path) -> None:
        """Read torchvision's file.

        Raises:
            CheckpointError: it can't be read, or is no VGG19.
        """
        super().__init__()
        weights = read_state_dict(path)
        for index in (index for stage in _STAGES for index in stage):
            for kind, dim in (("weight", 4), ("bias", 1)):
                name = f"features.{index}.{kind}"
                if name not in weights or weights[name].dim() != dim:
                    raise CheckpointError(f"{path} is not torchvision's VGG19: no {name}")
                self.register_buffer(f"{kind}{index}", weights[name].float(), persistent=False)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Return the weighted sum over stages for (B, 3, H, W) in [-1, 1]; real is a constant.

        Pictures are taken as they are, without ImageNet's normalisation, as upstream does.
        """
        with torch.no_grad():
            wanted = list(self._features(real))
        features = self._features(fake)
        terms = [
            weight * F.l1_loss(found, constant)
            for weight, found, constant in zip(_STAGE_WEIGHTS, features, wanted, strict=True)
        ]
        return torch.stack(terms).sum()

    def _features(self, x: Tensor) -> Iterator[Tensor]:
        for stage in _STAGES:
            if stage != _STAGES[0]:
                x = F.max_pool2d(x, 2)
            for index in stage:
                weight, bias = self.get_buffer(f"weight{index}"), self.get_buffer(f"bias{index}")
                x = F.relu(F.conv2d(x, weight, bias, padding=1))
                if index == stage[0]:
                    yield x
