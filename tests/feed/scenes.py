"""Pictures with edges, and good translations of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from i2ikit.data.images import Pixels


def scene(seed: int, side: int = 64) -> Pixels:
    """Return regions of drawn colours, with a little texture."""
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8))
    smooth = np.asarray(noise.filter(ImageFilter.GaussianBlur(side / 16)), dtype=np.float64)
    order = smooth.argsort(axis=None).argsort().reshape(smooth.shape)
    colours = rng.integers(30, 226, (5, 3))
    texture = rng.integers(-8, 9, (side, side, 3))
    return (colours[5 * order // order.size] + texture).astype(np.uint8)


def translated(source: Pixels, seed: int = 0) -> Pixels:
    """Return other colours, contrast and texture over the same regions."""
    texture = np.random.default_rng(seed).integers(-12, 13, source.shape)
    levels = np.clip(230 - 0.7 * source[:, :, ::-1] + texture, 0, 255)
    return np.asarray(levels, dtype=np.uint8)


def moved(pixels: Pixels, right: int, down: int) -> Pixels:
    """Return the content moved; what comes in at the edges is their reflection."""
    reach = max(abs(right), abs(down))
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    height, width = pixels.shape[:2]
    return padded[reach - down :, reach - right :][:height, :width]


def save(pixels: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]
