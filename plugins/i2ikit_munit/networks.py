"""MUNIT's own networks: the style encoder, and the MLP that turns a style into norm parameters.

Written from Huang, Liu, Belongie and Kautz, "Multimodal Unsupervised Image-to-Image Translation",
arXiv:1804.04732; parameter names follow the published checkpoints.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from i2ikit.nn import Activation, ConvBlock, conv2d, make_activation
from i2ikit_munit.options import MunitOptions

#: How large the changes of neutral styles are, as a share of those drawn.
_SMALL = 0.5


class StyleEncoder(nn.Module):
    """Target picture to style code: convolutions without norm, an average over the picture.

    Always halves four times, whatever the content encoder does.
    """

    def __init__(self, options: MunitOptions) -> None:
        super().__init__()
        dim, activ, pad = options.dim, options.activ, options.pad_type
        layers = [ConvBlock(conv2d(options.output_dim, dim, 7, pad), activation=activ)]
        for narrow, wide in ((1, 2), (2, 4), (4, 4), (4, 4)):
            conv = conv2d(narrow * dim, wide * dim, 4, pad, stride=2)
            layers.append(ConvBlock(conv, activation=activ))
        code = nn.Conv2d(4 * dim, options.style_dim, 1)
        self.model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), code)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, style_dim) of (B, output_dim, H, W) in [-1, 1], H and W from 16 up."""
        code: Tensor = self.model(image)  # (B, style_dim, 1, 1)
        return code.flatten(1)


class LinearBlock(nn.Module):
    """A linear layer and an activation."""

    def __init__(self, in_features: int, out_features: int, activation: Activation) -> None:
        super().__init__()
        self.fc = nn.Linear(in_features, out_features)
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_features)."""
        activated: Tensor = self.activation(self.fc(x))
        return activated


class MLP(nn.Module):
    """Style code to the parameters of the decoder's adaptive instance norms."""

    def __init__(self, options: MunitOptions) -> None:
        super().__init__()
        width = options.mlp_dim
        channels = options.dim * 2**options.n_downsample
        #: block, norm, shift and scale, channel: the order of the last layer's outputs
        self.shape = (options.n_res, 2, 2, channels)
        self.model = nn.Sequential(
            LinearBlock(options.style_dim, width, options.activ),
            LinearBlock(width, width, options.activ),
            LinearBlock(width, 4 * options.n_res * channels, "none"),
        )

    def forward(self, code: Tensor) -> Tensor:
        """Return (B, n_res, 2, 2, C) of (B, style_dim)."""
        parameters: Tensor = self.model(code)
        return parameters.view(-1, *self.shape)

    @torch.no_grad()
    def start_neutral(self) -> None:
        """Make all styles small changes of the norms without one: shifts near 0, scales near 1."""
        last = cast("LinearBlock", self.model[-1]).fc
        last.weight.mul_(_SMALL)
        shift, scale = last.bias.view(self.shape).unbind(2)
        shift.zero_()
        scale.fill_(1)
