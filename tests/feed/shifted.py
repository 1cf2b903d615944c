"""Two small domains: a bright half on a dark ground, and a dark half on a bright one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("left", "right")


def write_halves(folder: Path, *, inverted: bool, seed: int = 0, count: int = 8) -> str:
    """Write pictures of 8 × 8 whose class says which half stands out; return where they are."""
    random = np.random.default_rng(seed)
    for place, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            pixels = random.integers(0, 60, (8, 8), dtype=np.uint8)
            pixels[:, 4 * place : 4 * place + 4] += 180
            Image.fromarray(255 - pixels if inverted else pixels).save(
                folder / name / f"{index}.png"
            )
    return str(folder)


def write_squares(folder: Path, *, inverted: bool, seed: int = 0, count: int = 8) -> str:
    """Write pictures of 16 × 16 with a square that stands out, and masks of it."""
    random = np.random.default_rng(seed)
    for name in ("pictures", "masks"):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        top, left = random.integers(0, 8, 2)
        mask = np.zeros((16, 16), np.uint8)
        mask[top : top + 8, left : left + 8] = 1
        pixels = random.integers(0, 60, (16, 16), dtype=np.uint8) + 180 * mask
        Image.fromarray(255 - pixels if inverted else pixels).save(
            folder / "pictures" / f"{index}.png"
        )
        Image.fromarray(mask).save(folder / "masks" / f"{index}.png")
    return f"{folder / 'pictures'}={folder / 'masks'}"
