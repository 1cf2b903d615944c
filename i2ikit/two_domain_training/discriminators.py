"""The multi-scale patch discriminator, and what it and a generator lose to one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from i2ikit.nn import ConvBlock, InstanceNorm, LayerNorm, conv2d
from i2ikit.training.initial import draw_weights, gain_of
from i2ikit.training.losses import cross_entropy, lsgan
from i2ikit.two_domain_training.options import (
    DiscriminatorNorm,
    GanType,
    TwoDomainTrainingOptions,
)


class MultiScaleDiscriminator(nn.Module):
    """One network for each size of a picture: real or not, patch by patch.

    Sizes are halved by averaging (Wang et al. 2018, arXiv:1711.11585, sec. 3.2). Parameter names
    follow the published `dis_XXXXXXXX.pt`, but for spectral norm.
    """

    def __init__(self, channels: int, options: TwoDomainTrainingOptions) -> None:
        """Make networks for pictures of so many channels; weights are drawn as `dis_init` says."""
        super().__init__()
        self.gan_type = options.gan_type
        self.cnns = nn.ModuleList(_cnn(channels, options) for _ in range(options.num_scales))
        draw_weights(self, options.dis_init, gain_of(options.dis_init))
        if options.dis_norm == "sn":  # after drawing, which would be undone by it
            for cnn in self.cnns:
                for block in list(cnn.children())[1:-1]:
                    spectral_norm(cast("ConvBlock", block).conv)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the answers of each scale, (B, 1, H / 2^n, W / 2^n) and smaller, unbounded.

        `image` is (B, C, H, W) in [-1, 1].
        """
        answers = []
        for scale, cnn in enumerate(self.cnns):
            if scale:
                image = F.avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)
            answers.append(cnn(image))
        return answers

    def loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the discriminator loses when it takes real for fake, or fake for real."""
        return gan_loss(self.gan_type, self(fake), 0) + gan_loss(self.gan_type, self(real), 1)

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return what a generator loses whose pictures are not taken for real."""
        return gan_loss(self.gan_type, self(fake), 1)


def _cnn(channels: int, options: TwoDomainTrainingOptions) -> nn.Sequential:
    activ, pad = options.dis_activ, options.dis_pad_type
    dim = options.dis_dim
    layers: list[nn.Module] = [ConvBlock(conv2d(channels, dim, 4, pad, 2), activation=activ)]
    for _ in range(options.n_layer - 1):
        norm = _norm(options.dis_norm, 2 * dim)
        layers.append(ConvBlock(conv2d(dim, 2 * dim, 4, pad, 2), norm, activ))
        dim *= 2
    return nn.Sequential(*layers, nn.Conv2d(dim, 1, 1))


def _norm(kind: DiscriminatorNorm, channels: int) -> nn.Module | None:
    match kind:
        case "in":
            return InstanceNorm()
        case "ln":
            return LayerNorm(channels)
        case "bn":
            return nn.BatchNorm2d(channels)
        case "none" | "sn":
            return None


def gan_loss(kind: GanType, answers: Sequence[Tensor], target: float) -> Tensor:
    """Return how far answers are from 0 or 1, summed over the scales."""
    return (lsgan if kind == "lsgan" else cross_entropy)(answers, target)
