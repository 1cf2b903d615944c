"""Blocks that two plugins or more use: activations, norms, convolutions, residual blocks.

Parameter names (`conv`, `norm`, `activation`, `model.0`) follow the published checkpoints of the
MUNIT family; everything else is written from the papers.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation: TypeAlias = Literal["relu", "lrelu", "prelu", "selu", "tanh", "none"]
Padding: TypeAlias = Literal["reflect", "replicate", "zero"]


def make_activation(name: Activation) -> nn.Module:
    """Return a new module for the name; only "prelu" has a parameter (one, shared by channels)."""
    match name:
        case "relu":
            return nn.ReLU(inplace=True)
        case "lrelu":
            return nn.LeakyReLU(0.2, inplace=True)
        case "prelu":
            return nn.PReLU()
        case "selu":
            return nn.SELU(inplace=True)
        case "tanh":
            return nn.Tanh()
        case "none":
            return nn.Identity()


def instance_norm(x: Tensor) -> Tensor:
    """Normalise (B, C, H, W) per image and channel; biased variance, 1e-5 inside the root."""
    # one group a channel is the same arithmetic as F.instance_norm, in a faster kernel
    return F.group_norm(x, x.shape[1])


def adaptive_instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Instance-normalise (B, C, H, W), then scale and shift per image and channel, both (B, C).

    The scale is used as it is (Huang and Belongie, arXiv:1703.06868, eq. 8): no "1 +", any sign.
    """
    scale, shift = (v.to(x.dtype)[:, :, None, None] for v in (scale, shift))
    return torch.addcmul(shift, instance_norm(x), scale)


class InstanceNorm(nn.Module):
    """`instance_norm` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W), each channel of each image with mean 0 and variance 1."""
        return instance_norm(x)


class LayerNorm(nn.Module):
    """Normalise each image over C, H and W together; a gain and a bias per channel.

    Not torch's LayerNorm nor GroupNorm(1): the deviation is the unbiased one (n - 1), and epsilon
    is added to the deviation, not to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.rand(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) in the input's dtype; statistics are taken in float32."""
        wide = x.float()
        count = x[0].numel()
        centred = wide - wide.mean((1, 2, 3), keepdim=True)
        # in two steps rather than by torch.std, which is several times slower on a CPU
        variance = centred.square().mean((1, 2, 3), keepdim=True) * (count / (count - 1))
        gain = self.gamma.float()[:, None, None] / (variance.sqrt() + self.eps)
        return torch.addcmul(self.beta.float()[:, None, None], centred, gain).to(x.dtype)


def conv2d(
    in_channels: int, out_channels: int, kernel: int, pad_type: Padding, stride: int = 1
) -> nn.Conv2d:
    """Return a convolution that pads so that the side is divided by the stride."""
    padding = (kernel - 1) // 2
    mode = _padding_mode(pad_type)
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding, padding_mode=mode)


def _padding_mode(pad_type: Padding) -> Literal["zeros", "reflect", "replicate"]:
    return "zeros" if pad_type == "zero" else pad_type


class Upsample2xConv5x5(nn.Conv2d):
    """Nearest ×2 upsampling, then a padded 5×5 convolution: (B, C, H, W) to (B, C', 2H, 2W).

    `fold` switches to an exact form with 9/25 of the multiplications: each of the four output
    phases is a 3×3 convolution of the small picture, whose taps are the sums of those 5×5 taps
    that meet the same source pixel (Shi et al., arXiv:1609.05158, on sub-pixel convolution).
    The state dict is the same, folded or not. Training, or loading weights, undoes the folding.
    """

    folded: Tensor | None  # (4 C', C, 3, 3): phase (row, column) major, then output channel

    def __init__(self, in_channels: int, out_channels: int, pad_type: Padding) -> None:
        mode = _padding_mode(pad_type)
        super().__init__(in_channels, out_channels, 5, padding=2, padding_mode=mode)
        self.register_buffer("folded", None, persistent=False)
        self.register_load_state_dict_post_hook(_unfold)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def fold(self) -> None:
        """Derive the folded weights from the present ones; for evaluation only."""
        taps = self.weight.new_zeros(2, 3, 5)  # phase, small tap, large tap
        for phase in (0, 1):
            for tap in range(5):
                taps[phase, (phase + tap) // 2, tap] = 1
        phases = torch.einsum("oikl,rak,sbl->rsoiab", self.weight, taps, taps)
        self.folded = phases.reshape(4 * self.out_channels, self.in_channels, 3, 3)

    def train(self, mode: bool = True) -> Upsample2xConv5x5:
        """Set the mode; training works on the plain weights."""
        if mode:
            self.folded = None
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C', 2H, 2W); reflection needs H and W of at least 2."""
        if self.folded is None:
            return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))
        small_mode = "constant" if self.padding_mode == "zeros" else "replicate"
        bias = None if self.bias is None else self.bias.repeat(4)
        y = F.conv2d(F.pad(x, (1, 1, 1, 1), mode=small_mode), self.folded, bias)
        y = _interleave(y)
        if self.padding_mode == "reflect":
            _reflect_borders(y, x, self.weight)
        return y


def _unfold(module: nn.Module, _: Any) -> None:
    cast("Upsample2xConv5x5", module).folded = None


def _interleave(phases: Tensor) -> Tensor:
    """Return (B, C, 2H, 2W) from its four phases, (B, 4 C, H, W) as `folded` orders them."""
    batch, channels, height, width = phases.shape
    y = phases.view(batch, 2, 2, channels // 4, height, width)
    return y.permute(0, 3, 4, 1, 5, 2).reshape(batch, channels // 4, 2 * height, 2 * width)


def _reflect_borders(y: Tensor, x: Tensor, weight: Tensor) -> None:
    """Turn replicated borders into reflected ones, in place.

    Two pixels outside the large picture, reflection reads source row 1 where replication reads
    row 0; one pixel outside they agree. So only the outermost row of each side differs, by the
    outermost line of taps over (row 1 - row 0). Rows are corrected over reflected columns and
    columns over replicated rows, which counts each corner once.
    """
    y[:, :, :1] += _strip(x[:, :, 1:2] - x[:, :, :1], weight[:, :, :1], "reflect")
    y[:, :, -1:] += _strip(x[:, :, -2:-1] - x[:, :, -1:], weight[:, :, -1:], "reflect")
    y, x, weight = y.mT, x.mT, weight.mT
    y[:, :, :1] += _strip(x[:, :, 1:2] - x[:, :, :1], weight[:, :, :1], "replicate")
    y[:, :, -1:] += _strip(x[:, :, -2:-1] - x[:, :, -1:], weight[:, :, -1:], "replicate")


def _strip(step: Tensor, taps: Tensor, mode: str) -> Tensor:
    """Return (B, C', 1, 2W): `step` (B, C, 1, W) doubled, padded, convolved with (C', C, 1, 5)."""
    doubled = F.interpolate(step, scale_factor=(1.0, 2.0), mode="nearest")
    return F.conv2d(F.pad(doubled, (2, 2, 0, 0), mode=mode), taps)


def fold(module: nn.Module) -> None:
    """Fold every foldable convolution in the tree; call it in evaluation mode, weights loaded."""
    for part in module.modules():
        if isinstance(part, Upsample2xConv5x5):
            part.fold()


class ConvBlock(nn.Module):
    """A convolution, a norm, an activation."""

    def __init__(
        self, conv: nn.Conv2d, norm: nn.Module | None = None, activation: Activation = "none"
    ) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm
        self.activation = make_activation(activation)

    def forward(self, x: Tensor, style: Tensor | None = None) -> Tensor:
        """Return the activated (B, C, H, W); `style` as in `finish`."""
        return self.finish(self.conv(x), style)

    def finish(self, x: Tensor, style: Tensor | None = None) -> Tensor:
        """Normalise and activate what the convolution gave.

        With a style, (B, 2, C): shift and scale, it is adaptive instance norm instead of `norm`.
        """
        if style is not None:
            x = adaptive_instance_norm(x, scale=style[:, 1], shift=style[:, 0])
        elif self.norm is not None:
            x = self.norm(x)
        activated: Tensor = self.activation(x)
        return activated


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions and their norms, added to the input; activated in between only."""

    def __init__(self, channels: int, activation: Activation, pad_type: Padding) -> None:
        super().__init__()
        self.model = nn.Sequential(
            ConvBlock(conv2d(channels, channels, 3, pad_type), InstanceNorm(), activation),
            ConvBlock(conv2d(channels, channels, 3, pad_type), InstanceNorm()),
        )

    def first_conv(self, x: Tensor) -> Tensor:
        """Return the first convolution of x, which no style touches."""
        convolved: Tensor = cast("ConvBlock", self.model[0]).conv(x)
        return convolved

    def forward(
        self, x: Tensor, style: Tensor | None = None, convolved: Tensor | None = None
    ) -> Tensor:
        """Return (B, C, H, W) as x.

        Args:
            x: (B, C, H, W).
            style: (B, 2, 2, C): for each norm its shift and its scale; None: instance norm.
            convolved: `first_conv(x)`, if there already.
        """
        one, two = cast("list[ConvBlock]", list(self.model))
        styles = (None, None) if style is None else style.unbind(1)
        y = one.finish(self.first_conv(x) if convolved is None else convolved, styles[0])
        changed: Tensor = two(y, styles[1])
        return x + changed


class ResidualBlocks(nn.Module):
    """At least one residual block, in a row."""

    def __init__(self, count: int, channels: int, activation: Activation, pad: Padding) -> None:
        super().__init__()
        blocks = (ResidualBlock(channels, activation, pad) for _ in range(count))
        self.model = nn.Sequential(*blocks)

    def first_conv(self, x: Tensor) -> Tensor:
        """Return the first block's first convolution of x, which no style touches."""
        return cast("ResidualBlock", self.model[0]).first_conv(x)

    def forward(
        self, x: Tensor, style: Tensor | None = None, convolved: Tensor | None = None
    ) -> Tensor:
        """Return (B, C, H, W) as x; `style` is (B, blocks, 2, 2, C), else as in one block."""
        for index, block in enumerate(self.model):
            x = block(x, None if style is None else style[:, index], convolved)
            convolved = None
        return x
