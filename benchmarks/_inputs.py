"""Seeded pictures and checkpoints for the benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from i2ikit_munit.model import Munit
from i2ikit_munit.options import MunitOptions


def write_pictures(folder: Path, count: int, side: int, suffix: str, seed: int = 0) -> None:
    """Write smooth seeded noise, about as hard to compress as photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for index in range(count):
        levels = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
        image = Image.fromarray(levels).filter(ImageFilter.GaussianBlur(2))
        image.save(folder / f"{index:06d}{suffix}")


def write_munit(path: Path, options: MunitOptions | None = None) -> None:
    """Write a checkpoint of MUNIT with seeded random weights, the same for both domains."""
    torch.manual_seed(0)
    model = Munit(options)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
    weights = model.state_dict()
    torch.save({"a": weights, "b": weights}, path)
