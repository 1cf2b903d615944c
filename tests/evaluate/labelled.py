"""Pictures of coloured fields with label maps, from which a classifier learns in no time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

#: The colour of each class.
COLOURS = np.array([[200, 40, 40], [40, 40, 200], [40, 200, 40]], dtype=np.uint8)


def save(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(values, dtype=np.uint8)).save(path)


def draw_ids(seed: int, size: tuple[int, int] = (24, 24), classes: int = 2) -> Any:
    """Return a label map (H, W) of blocks, 4 pixels a side."""
    height, width = size
    coarse = np.random.default_rng(seed).integers(0, classes, (height // 4, width // 4))
    return coarse.repeat(4, axis=0).repeat(4, axis=1)


def write_labelled(root: Path, count: int = 4, *, start: int = 0, classes: int = 2) -> Path:
    """Write `root/pictures` and `root/labels`, each class in its colour."""
    for seed in range(start, start + count):
        ids = draw_ids(seed, classes=classes)
        save(root / "labels" / f"{seed}.png", ids)
        save(root / "pictures" / f"{seed}.png", COLOURS[ids])
    return root
