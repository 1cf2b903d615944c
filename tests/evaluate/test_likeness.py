"""L1, PSNR and SSIM by their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from i2ikit.data.images import Pixels
from i2ikit.errors import UsageError
from i2ikit.evaluate.likeness import l1, psnr, ssim
from tests.evaluate.conftest import random_pixels


def test_l1_is_the_mean_difference_in_the_range_of_models() -> None:
    a, b = random_pixels(0), random_pixels(1)
    expected = abs((a / 127.5 - 1) - (b / 127.5 - 1)).mean()
    assert l1(a, b) == l1(b, a) == pytest.approx(expected, rel=1e-12)
    assert l1(np.zeros_like(a), np.full_like(a, 255)) == 2


@pytest.mark.parametrize("step", [1, 5, 255])
def test_psnr_is_20_log_255_over_the_step(step: int) -> None:
    black = np.zeros((4, 5, 3), np.uint8)
    assert psnr(black, black + np.uint8(step)) == pytest.approx(20 * math.log10(255 / step))


def test_identical_pictures_have_no_noise() -> None:
    assert psnr(random_pixels(0), random_pixels(0)) == math.inf
    assert ssim(random_pixels(0), random_pixels(0)) == pytest.approx(1, abs=1e-12)


def straightforward_ssim(a: Pixels, b: Pixels) -> float:
    """Return SSIM by its definition, a window at a time."""
    offsets = range(-5, 6)
    weights = np.array([[math.exp(-(y * y + x * x) / 4.5) for x in offsets] for y in offsets])
    weights /= weights.sum()
    found = []
    for top in range(a.shape[0] - 10):
        for left in range(a.shape[1] - 10):
            for channel in range(3):
                x, y = (p[top : top + 11, left : left + 11, channel].astype(float) for p in (a, b))
                mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
                var_x = (weights * (x - mean_x) ** 2).sum()
                var_y = (weights * (y - mean_y) ** 2).sum()
                both = (weights * (x - mean_x) * (y - mean_y)).sum()
                light = (2 * mean_x * mean_y + 6.5025) / (mean_x**2 + mean_y**2 + 6.5025)
                found.append(light * (2 * both + 58.5225) / (var_x + var_y + 58.5225))
    return float(np.mean(found))


@pytest.mark.parametrize(("width", "height"), [(11, 11), (17, 13)])
def test_ssim_is_that_of_the_paper(width: int, height: int) -> None:
    a, noise = random_pixels(1, width, height), random_pixels(2, width, height)
    near = (0.8 * a + 0.2 * noise).astype(np.uint8)
    for b in (noise, near):
        assert ssim(a, b) == pytest.approx(straightforward_ssim(a, b), rel=1e-9)


def test_pictures_of_two_sizes_are_not_compared() -> None:
    for measure in (l1, psnr, ssim):
        with pytest.raises(UsageError, match=r"shapes \(32, 32, 3\) and \(16, 32, 3\)"):
            measure(random_pixels(0), random_pixels(0, height=16))


def test_ssim_needs_its_window() -> None:
    with pytest.raises(UsageError, match="a 40x10 picture has no SSIM: its window takes 11"):
        ssim(random_pixels(0, 40, 10), random_pixels(1, 40, 10))
