"""The networks of BicycleGAN, with the original parameter names (arXiv:1711.11586).

A U-Net of K levels, level 1 outermost, each holding the next. The style z enters as constant
planes, either beside the input of every level or beside the picture alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ikit.nn import InstanceNorm
from i2ikit_bicyclegan.options import BicycleGanOptions, Norm


class Generator(nn.Module):
    """Picture and style to picture.

    Args:
        options: all but those of the encoder matter.
        use_dropout: whether training drops features in levels 5 to K - 1; evaluation never does.
    """

    def __init__(self, options: BicycleGanOptions, *, use_dropout: bool = False) -> None:
        super().__init__()
        level = StyledLevel if z_is_everywhere(options) else Level
        self.model = level(options, 1, use_dropout)

    def forward(self, image: Tensor, z: Tensor | None) -> Tensor:
        """Translate (B, input_nc, H, W) with styles (B, nz) to (B, 3, H, W) in [-1, 1]."""
        if z is None:
            inputs: tuple[Tensor, ...] = (image,)
        elif isinstance(self.model, StyledLevel):
            inputs = (image, z)
        else:
            inputs = (with_planes(image, z),)
        return self.model(*inputs)  # type: ignore[no-any-return]


class StyledLevel(nn.Module):
    """One level of a U-Net that takes z everywhere; names as `model.submodule.down.1`."""

    def __init__(self, options: BicycleGanOptions, number: int, use_dropout: bool) -> None:
        super().__init__()
        activation = [] if number == 1 else [nn.LeakyReLU(0.2)]
        self.is_outermost = number == 1
        self.down = nn.Sequential(*activation, *_down(options, number))
        is_innermost = number == options.levels
        self.submodule = None if is_innermost else StyledLevel(options, number + 1, use_dropout)
        self.up = nn.Sequential(*_up(options, number, use_dropout))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the picture (level 1), or the way up followed by x, which holds no z."""
        inside = self.down(with_planes(x, z))
        if self.submodule is not None:
            inside = self.submodule(inside, z)
        result: Tensor = self.up(inside)
        return result if self.is_outermost else torch.cat([result, x], dim=1)


class Level(nn.Module):
    """One level of a U-Net that takes z at its input; names as `model.model.1.model.1`.

    The original activates the way down in place, before the skip is taken. So the skip carries the
    activated tensor, and index 0 of an inner level is only a place holder here.
    """

    def __init__(self, options: BicycleGanOptions, number: int, use_dropout: bool) -> None:
        super().__init__()
        first = [] if number == 1 else [nn.Identity()]
        inside = [] if number == options.levels else [Level(options, number + 1, use_dropout)]
        self.is_outermost = number == 1
        self.model = nn.Sequential(
            *first, *_down(options, number), *inside, *_up(options, number, use_dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture (level 1), or the way up followed by the activated x."""
        if self.is_outermost:
            return self.model(x)  # type: ignore[no-any-return]
        x = F.leaky_relu(x, 0.2)
        return torch.cat([self.model(x), x], dim=1)


class StyleEncoder(nn.Module):
    """Picture to the mean and the log variance of its style."""

    def __init__(self, options: BicycleGanOptions) -> None:
        super().__init__()
        halvings = {64: 3, 128: 4, 256: 5}[options.encoder_side]  # to 8×8
        if options.encoder.startswith("resnet"):
            layers = _residual_layers(options.nef, halvings - 1, options.norm)
        else:
            layers = _plain_layers(options.nef, halvings, options.norm)
        self.conv = nn.Sequential(*layers, nn.AvgPool2d(8))
        width = options.nef * min(halvings, 4)
        self.fc = nn.Sequential(nn.Linear(width, options.nz))
        self.fcVar = nn.Sequential(nn.Linear(width, options.nz))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and log variance, (B, nz) each, of (B, 3, S, S); S as in `encoder_side`."""
        features = self.conv(image).flatten(1)  # (B, width)
        return self.fc(features), self.fcVar(features)


class ResidualBlock(nn.Module):
    """Halve the size: two convolutions beside a shortcut, both average-pooled, summed.

    Without norm layers the original activates the block's input in place, so that the shortcut
    sees it activated too; index 0 is then a place holder.
    """

    def __init__(self, inputs: int, outputs: int, norm: Norm) -> None:
        super().__init__()
        self.is_normed = norm != "none"
        first = (
            [*norm_layers(norm, inputs), nn.LeakyReLU(0.2)] if self.is_normed else [nn.Identity()]
        )
        self.conv = nn.Sequential(
            *first,
            nn.Conv2d(inputs, inputs, 3, padding=1),
            *norm_layers(norm, inputs),
            nn.LeakyReLU(0.2),
            nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.AvgPool2d(2)),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H/2, W/2)."""
        if not self.is_normed:
            x = F.leaky_relu(x, 0.2)
        return self.conv(x) + self.shortcut(x)  # type: ignore[no-any-return]


def z_is_everywhere(options: BicycleGanOptions) -> bool:
    """Return whether every level takes z; without z the levels are those of `input`."""
    return options.where_add == "all" and options.nz > 0


def with_planes(x: Tensor, z: Tensor) -> Tensor:
    """Append each number of z as a constant plane: (B, C, H, W), (B, nz) → (B, C + nz, H, W)."""
    planes = z[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes.to(x.dtype)], dim=1)


def _width(options: BicycleGanOptions, number: int) -> int:
    """Return the channels inside level `number`; outside level 1 lies the picture."""
    return options.ngf * min(1 << (number - 1), 8)


def _down(options: BicycleGanOptions, number: int) -> list[nn.Module]:
    inputs = options.input_nc if number == 1 else _width(options, number - 1)
    if number == 1 or z_is_everywhere(options):
        inputs += options.nz
    width = _width(options, number)
    has_norm = 1 < number < options.levels
    return [
        nn.Conv2d(inputs, width, 4, stride=2, padding=1),
        *norm_layers(options.norm if has_norm else "none", width),
    ]


def _up(options: BicycleGanOptions, number: int, use_dropout: bool) -> list[nn.Module]:
    inputs = _width(options, number) * (1 if number == options.levels else 2)
    outputs = 3 if number == 1 else _width(options, number - 1)
    last: list[nn.Module] = [nn.Tanh()] if number == 1 else norm_layers(options.norm, outputs)
    if use_dropout and 5 <= number < options.levels:
        last.append(nn.Dropout(0.5))  # has no weights, and nothing follows: no name moves
    return [_activation(options), *_double(options, inputs, outputs), *last]


def _activation(options: BicycleGanOptions) -> nn.Module:
    if options.nl == "relu":
        return nn.ReLU()
    return nn.LeakyReLU(0.2) if options.nl == "lrelu" else nn.ELU()


def _double(options: BicycleGanOptions, inputs: int, outputs: int) -> list[nn.Module]:
    if options.upsample == "basic":
        return [nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)]
    return [
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=options.align_corners),
        nn.ReflectionPad2d(1),
        nn.Conv2d(inputs, outputs, 3),
    ]


def norm_layers(kind: Norm, channels: int) -> list[nn.Module]:
    """Return a layer that normalises (B, channels, H, W), or no layer."""
    if kind == "none":
        return []
    return [nn.BatchNorm2d(channels) if kind == "batch" else InstanceNorm()]


def _residual_layers(nef: int, blocks: int, norm: Norm) -> list[nn.Module]:
    widths = [nef * min(step + 1, 4) for step in range(blocks + 1)]
    return [
        nn.Conv2d(3, nef, 4, stride=2, padding=1),
        *(ResidualBlock(widths[step], widths[step + 1], norm) for step in range(blocks)),
        nn.LeakyReLU(0.2),
    ]


def _plain_layers(nef: int, halvings: int, norm: Norm) -> list[nn.Module]:
    widths = [3, *(nef * min(2**step, 4) for step in range(halvings))]
    layers: list[nn.Module] = []
    for step in range(halvings):
        layers += [
            nn.Conv2d(widths[step], widths[step + 1], 4, stride=2, padding=1),
            *norm_layers(norm if step else "none", widths[step + 1]),
            nn.LeakyReLU(0.2),
        ]
    return layers
