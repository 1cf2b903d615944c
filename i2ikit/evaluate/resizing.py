"""How packages bring a picture to the size of a feature network. The filter decides the number.

Each function makes a `prepare` of a feature space: an 8-bit picture, (H, W, 3) of any size, to
float32 (3, side, side) in the range that the network takes. The aspect is not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from i2ikit.data.images import Pixels

Prepare: TypeAlias = Callable[[Pixels], Tensor]
Floats: TypeAlias = npt.NDArray[np.float32]


def torch_bilinear(pixels: Pixels, side: int) -> Tensor:
    """Resize as pytorch-fid does: to 0 … 1, torch's bilinear without antialiasing, then 2x - 1."""
    unit = torch.from_numpy(pixels).permute(2, 0, 1).to(torch.float32).div(255)
    resized = F.interpolate(unit[None], size=(side, side), mode="bilinear", align_corners=False)[0]
    return resized.mul_(2).sub_(1)


def tensorflow_bilinear(pixels: Pixels, side: int) -> Tensor:
    """Resize as torch-fidelity and TensorFlow 1 do, then (x - 128) / 128.

    A target pixel t lies at source pixel t * in / out: no half-pixel shift, no antialiasing.
    """
    rows = _blend(pixels.astype(np.float32), side)
    both = _blend(rows.transpose(1, 0, 2), side)  # (side, side, 3), columns first
    return torch.from_numpy(np.ascontiguousarray(both.transpose(2, 1, 0))).sub_(128).div_(128)


def _blend(values: Floats, side: int) -> Floats:
    """Resize the first axis to `side` by TensorFlow 1's linear interpolation."""
    place = np.arange(side, dtype=np.float32) * np.float32(len(values) / side)
    low = np.minimum(place.astype(np.intp), len(values) - 1)
    high = np.minimum(low + 1, len(values) - 1)
    share = (place - low.astype(np.float32))[:, None, None]
    blended: Floats = values[low] + (values[high] - values[low]) * share
    return blended


def pillow_bicubic(pixels: Pixels, side: int) -> Floats:
    """Return the picture resized as clean-fid does, (side, side, 3) in 0 … 255.

    Pillow's bicubic filter with antialiasing, a channel at a time in float32; overshoot is clipped,
    nothing is rounded.
    """
    channels = [
        np.asarray(
            Image.fromarray(pixels[:, :, index].astype(np.float32)).resize(
                (side, side), Image.Resampling.BICUBIC
            )
        )
        for index in range(3)
    ]
    return np.stack(channels, axis=2).clip(0, 255)


def clean_bicubic(pixels: Pixels, side: int) -> Tensor:
    """Resize as clean-fid does, then (x - 128) / 128."""
    return to_channels(pillow_bicubic(pixels, side)).sub_(128).div_(128)


def to_channels(values: Floats) -> Tensor:
    """Return (H, W, 3) as a contiguous (3, H, W) tensor of its own."""
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))
