"""Each resize against the library that it imitates, or against its rule written as loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import functional

from i2ikit.data.images import Pixels
from i2ikit.evaluate.resizing import (
    clean_bicubic,
    pillow_bicubic,
    tensorflow_bilinear,
    torch_bilinear,
)

SIZES = [(9, 14), (40, 23), (31, 31), (1, 1), (3, 64)]
SIDE = 31
RESIZES: list[Callable[[Pixels, int], Tensor]] = [
    torch_bilinear,
    tensorflow_bilinear,
    clean_bicubic,
]


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_torch_bilinear_is_pytorch_fids_path(size: tuple[int, int]) -> None:
    unit = functional.to_tensor(Image.fromarray(noise(*size)))[None]
    resized = torch.nn.functional.interpolate(
        unit, size=(SIDE, SIDE), mode="bilinear", align_corners=False
    )
    assert torch.equal(torch_bilinear(noise(*size), SIDE), (2 * resized - 1)[0])


def by_loops(pixels: Pixels, side: int) -> Any:
    """Return TensorFlow 1's bilinear resize: (side, side, 3) in 0 … 255."""
    height, width, _ = pixels.shape
    result = np.empty((side, side, 3))
    for y in range(side):
        for x in range(side):
            row, column = y * height / side, x * width / side
            top, left = int(row), int(column)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            down, along = row - top, column - left
            above = pixels[top, left] * (1 - along) + pixels[top, right] * along
            below = pixels[bottom, left] * (1 - along) + pixels[bottom, right] * along
            result[y, x] = above * (1 - down) + below * down
    return result


@pytest.mark.parametrize("size", SIZES)
def test_tensorflow_bilinear_is_its_rule(size: tuple[int, int]) -> None:
    found = tensorflow_bilinear(noise(*size), SIDE).numpy() * 128 + 128
    expected = by_loops(noise(*size), SIDE).transpose(2, 0, 1)
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("size", SIZES)
def test_pillow_bicubic_is_pillows_without_its_rounding(size: tuple[int, int]) -> None:
    pixels = noise(*size) // 2 + 64  # overshoots nothing, which 8 bits would clip between passes
    rounded = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    found = pillow_bicubic(pixels, SIDE)
    assert np.abs(found - np.asarray(rounded)).max() <= 1.5  # it rounds rows, then columns
    if size not in ((1, 1), (31, 31)):
        assert (found != found.round()).mean() > 0.5


def test_pillow_bicubic_overshoots_no_range() -> None:
    edges = np.kron(np.eye(2, dtype=np.uint8) * 255, np.ones((9, 9), np.uint8))
    found = pillow_bicubic(np.repeat(edges[:, :, None], 3, axis=2), 40)
    assert (found.min(), found.max()) == (0, 255)


@pytest.mark.parametrize("resize", [torch_bilinear, tensorflow_bilinear])
def test_bilinear_resizes_do_not_antialias(resize: Callable[[Pixels, int], Tensor]) -> None:
    """Stripes of one pixel stay stripes at a third of the size; a filter would make them grey."""
    stripes = np.zeros((90, 90, 3), np.uint8)
    stripes[:, ::2] = 255
    assert resize(stripes, 30).std() > 0.9
    assert clean_bicubic(stripes, 30).std() < 0.5


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("size", SIZES)
def test_each_gives_float32_of_the_side_and_leaves_the_picture_alone(
    resize: Callable[[Pixels, int], Tensor], size: tuple[int, int]
) -> None:
    pixels = noise(*size)
    found = resize(pixels, SIDE)
    assert (found.shape, found.dtype) == ((3, SIDE, SIDE), torch.float32)
    assert np.array_equal(pixels, noise(*size))


@pytest.mark.parametrize(
    ("resize", "black", "white"),
    [
        (torch_bilinear, -1, 1),
        (tensorflow_bilinear, -1, 127 / 128),
        (clean_bicubic, -1, 127 / 128),
    ],
)
def test_the_range_is_that_of_the_network(
    resize: Callable[[Pixels, int], Tensor], black: float, white: float
) -> None:
    for level, expected in ((0, black), (255, white)):
        found = resize(np.full((20, 50, 3), level, np.uint8), SIDE)
        torch.testing.assert_close(found, torch.full_like(found, expected), atol=1e-6, rtol=0)


@pytest.mark.parametrize("resize", RESIZES)
def test_the_picture_is_neither_turned_nor_are_its_colours_swapped(
    resize: Callable[[Pixels, int], Tensor],
) -> None:
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:10, :20, 0] = pixels[:10, 20:, 1] = pixels[10:, :20, 2] = 255
    corners = (resize(pixels, 12)[:, 1::9, 1::9] > 0).int()
    assert corners.tolist() == [[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 0]]]
