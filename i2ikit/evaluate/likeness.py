"""How alike two pictures are, by their pixels alone: L1, PSNR and SSIM."""

from __future__ import annotations

from math import exp

import numpy as np
import torch
from torch import Tensor

from i2ikit.data.images import Pixels
from i2ikit.errors import UsageError

#: The side of SSIM's window, in pixels, and the spread of its Gaussian weights.
WINDOW, _SIGMA = 11, 1.5
_GAUSSIAN = [exp(-((place - WINDOW // 2) ** 2) / (2 * _SIGMA**2)) for place in range(WINDOW)]
_WEIGHTS = [value / sum(_GAUSSIAN) for value in _GAUSSIAN]
#: What keeps SSIM's quotients from 0 / 0: (K L)² with K = 0.01 and 0.03, L = 255.
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def l1(a: Pixels, b: Pixels) -> float:
    """Return the mean absolute difference of two pictures, uint8 (H, W, 3), on -1 … 1: 0 … 2.

    Raises:
        UsageError: their sizes differ.
    """
    _check_alike(a, b)
    gaps = np.maximum(a, b) - np.minimum(a, b)  # of 8 bits still
    return float(gaps.mean(dtype=np.float64) / 127.5)


def psnr(a: Pixels, b: Pixels) -> float:
    """Return the peak signal-to-noise ratio in dB of two pictures, uint8 (H, W, 3).

    Identical pictures have an infinite one.

    Raises:
        UsageError: their sizes differ.
    """
    _check_alike(a, b)
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(a: Pixels, b: Pixels) -> float:
    """Return the structural similarity of two pictures, uint8 (H, W, 3): the mean over channels.

    Wang et al. 2004 (IEEE Transactions on Image Processing 13), eq. 13, in windows that lie within
    the pictures.

    Raises:
        UsageError: their sizes differ, or a side is shorter than the window.
    """
    _check_alike(a, b)
    if min(a.shape[:2]) < WINDOW:
        raise UsageError(
            f"a {a.shape[1]}x{a.shape[0]} picture has no SSIM: its window takes {WINDOW} pixels"
        )
    x, y = (torch.from_numpy(pixels.astype(np.float64)).permute(2, 0, 1) for pixels in (a, b))
    mu_x, mu_y, xx, yy, xy = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    covariance = xy - mu_x * mu_y
    variances = xx - mu_x.square() + yy - mu_y.square()
    likeness = (2 * mu_x * mu_y + _C1) / (mu_x.square() + mu_y.square() + _C1)
    return float((likeness * (2 * covariance + _C2) / (variances + _C2)).mean())


def _blur(maps: Tensor) -> Tensor:
    """Return means of (..., H, W) in Gaussian windows, (..., H - 10, W - 10)."""
    for dim in (-2, -1):
        length = maps.shape[dim] - WINDOW + 1
        means = torch.zeros_like(maps.narrow(dim, 0, length))
        for place, weight in enumerate(_WEIGHTS):  # convolutions in float64 take twice the time
            means.add_(maps.narrow(dim, place, length), alpha=weight)
        maps = means
    return maps


def _check_alike(a: Pixels, b: Pixels) -> None:
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise UsageError(f"the pictures are {a.dtype} and {b.dtype}", hint="give uint8, (H, W, 3)")
    if a.shape != b.shape:
        raise UsageError(f"the pictures have shapes {a.shape} and {b.shape}")
