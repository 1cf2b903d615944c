"""The networks of pix2pixHD, layer by layer (arXiv:1711.11585, section 3 and appendix).

Shapes: H and W are multiples of 2**(num_downsamplings + num_enhancers), or the output of the global
generator is larger than its input. Parameter names are those of the original checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch.nn.functional as F
from torch import Tensor, nn

NormFactory: TypeAlias = Callable[[int], nn.Module]
Upsampling: TypeAlias = Literal["basic", "bilinear"]


class ImageBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that takes each image's own statistics and leaves the stored ones alone.

    The original program translates in training mode with one image a batch; this is that
    arithmetic for any batch size.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


def norm_factory(
    norm: Literal["instance", "batch"], stats: Literal["stored", "image"]
) -> NormFactory:
    """Return what makes a norm layer from its number of channels."""
    if norm == "instance":
        return nn.InstanceNorm2d
    return nn.BatchNorm2d if stats == "stored" else ImageBatchNorm2d


class UpsampledConv2d(nn.Conv2d):
    """Bilinear to twice the size, then a 3×3 convolution; it leaves no checkerboards.

    Odena et al. 2016, "Deconvolution and Checkerboard Artifacts" (Distill).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        larger = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return super().forward(larger)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around the identity, with nothing after the sum."""

    def __init__(self, channels: int, norm: NormFactory) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            norm(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv_block(x)
        return x + residual


class GlobalGenerator(nn.Module):
    """Down, residual blocks, up: (B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1].

    With no residual blocks it is the feature encoder E, before the pooling.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int,
        num_downsamplings: int,
        num_blocks: int,
        norm: NormFactory,
        upsampling: Upsampling = "basic",
    ) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *_trunk(in_channels, width, num_downsamplings, num_blocks, norm, upsampling),
            *_head(width, out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class LocalEnhancer(nn.Module):
    """Enhancers around a global generator, each at twice the size of the one before.

    Enhancer n (1 is the coarsest) is `model<n>_1`, whose features are added to those from below,
    and `model<n>_2`. `width` is that of the finest level.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int,
        num_downsamplings: int,
        num_blocks: int,
        num_enhancers: int,
        num_local_blocks: int,
        norm: NormFactory,
        upsampling: Upsampling = "basic",
    ) -> None:
        super().__init__()
        self.num_enhancers = num_enhancers
        coarsest = width * 2**num_enhancers
        self.model = nn.Sequential(
            *_trunk(in_channels, coarsest, num_downsamplings, num_blocks, norm, upsampling)
        )
        for n in range(1, num_enhancers + 1):
            channels = width * 2 ** (num_enhancers - n)
            after = [ResidualBlock(channels * 2, norm) for _ in range(num_local_blocks)]
            head = _head(channels, out_channels) if n == num_enhancers else []
            before = [*_stem(in_channels, channels, norm), *_down(channels, norm)]
            self.add_module(f"model{n}_1", nn.Sequential(*before))
            self.add_module(
                f"model{n}_2", nn.Sequential(*after, *_up(channels, norm, upsampling), *head)
            )

    def forward(self, x: Tensor) -> Tensor:
        pyramid = [x]  # full size first
        for _ in range(self.num_enhancers):
            pyramid.append(F.avg_pool2d(pyramid[-1], 3, 2, 1, count_include_pad=False))
        out: Tensor = self.model(pyramid.pop())  # (B, width * 2**L, H/2**L, W/2**L)
        for n in range(1, self.num_enhancers + 1):
            before = self.get_submodule(f"model{n}_1")(pyramid.pop())
            out = self.get_submodule(f"model{n}_2")(before + out)
        return out


def _trunk(
    in_channels: int,
    width: int,
    num_downsamplings: int,
    num_blocks: int,
    norm: NormFactory,
    upsampling: Upsampling,
) -> list[nn.Module]:
    widths = [width * 2**level for level in range(num_downsamplings + 1)]
    layers = _stem(in_channels, width, norm)
    for channels in widths[:-1]:
        layers += _down(channels, norm)
    layers += [ResidualBlock(widths[-1], norm) for _ in range(num_blocks)]
    for channels in reversed(widths[:-1]):
        layers += _up(channels, norm, upsampling)
    return layers


def _stem(in_channels: int, width: int, norm: NormFactory) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, width, 7)
    return [nn.ReflectionPad2d(3), conv, norm(width), nn.ReLU(inplace=True)]


def _down(channels: int, norm: NormFactory) -> list[nn.Module]:
    conv = nn.Conv2d(channels, channels * 2, 3, stride=2, padding=1)
    return [conv, norm(channels * 2), nn.ReLU(inplace=True)]


def _up(channels: int, norm: NormFactory, upsampling: Upsampling) -> list[nn.Module]:
    conv: nn.Module = UpsampledConv2d(channels * 2, channels)
    if upsampling == "basic":
        conv = nn.ConvTranspose2d(channels * 2, channels, 3, stride=2, padding=1, output_padding=1)
    return [conv, norm(channels), nn.ReLU(inplace=True)]


def _head(width: int, out_channels: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), nn.Tanh()]
