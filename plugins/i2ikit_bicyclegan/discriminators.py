"""The discriminators of BicycleGAN, with the original parameter names (arXiv:1711.11586)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from i2ikit.training.losses import cross_entropy, lsgan
from i2ikit_bicyclegan.networks import norm_layers
from i2ikit_bicyclegan.options import Norm
from i2ikit_bicyclegan.training_options import (
    BicycleGanTrainingOptions,
    DiscriminatorKind,
    GanMode,
    num_strides,
)


class Discriminator(nn.Module):
    """Patch networks at several scales, each half the size of the last; names as `model_0.2`.

    Args:
        options: ndf, num_Ds, conditional_D and norm matter.
        kind: how often each network halves its picture.
    """

    def __init__(self, options: BicycleGanTrainingOptions, kind: DiscriminatorKind) -> None:
        super().__init__()
        inputs = 3 + (options.input_nc if options.conditional_D else 0)
        width = options.ndf
        for scale in range(options.num_Ds):
            width = max(1, round(width / 2**scale))  # 1, 1/2, then 1/8: each by one half more
            layers = _patch_layers(inputs, width, num_strides(kind), options.norm)
            self.add_module(f"model_{scale}", nn.Sequential(*layers))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return a map of answers for each scale, (B, 1, h, w); the higher, the more real."""
        answers: list[Tensor] = []
        for network in self.children():
            if answers:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            answers.append(network(x))
        return answers


def _patch_layers(inputs: int, ndf: int, strides: int, norm: Norm) -> list[nn.Module]:
    """Return strided convolutions, one of stride 1, and one that answers for each patch."""
    widths = [ndf * min(2**step, 8) for step in range(strides + 1)]
    layers: list[nn.Module] = []
    for step, width in enumerate(widths):
        stride = 2 if step < strides else 1
        layers += [
            nn.Conv2d(inputs, width, 4, stride=stride, padding=1),
            *norm_layers(norm if step else "none", width),
            nn.LeakyReLU(0.2),
        ]
        inputs = width
    return [*layers, nn.Conv2d(inputs, 1, 4, padding=1)]


def gan_loss(answers: Sequence[Tensor], target: float, mode: GanMode) -> Tensor:
    """Return how far answers are from 0 (generated) or 1 (real), summed over scales."""
    return (lsgan if mode == "lsgan" else cross_entropy)(answers, target)
