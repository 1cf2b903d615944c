"""A translated set with classes and masks, small enough to be built again and again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import i2ikit
from tests.conftest import picture

KEYS = ("cat/a", "cat/b", "dog/c", "dog/d", "dog/e")


def write_sources(root: Path) -> Path:
    """Write `root/in` with a picture of 12×8 pixels for each key, and `root/masks`."""
    for seed, key in enumerate(KEYS):
        ids = np.random.default_rng(seed).integers(0, 34, (8, 12), dtype=np.uint8)
        for folder, image in (("in", picture(seed=seed)), ("masks", Image.fromarray(ids))):
            path = root / folder / f"{key}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    return root / "in"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder IN with two cats and three dogs; masks lie in `masks` beside it."""
    return write_sources(tmp_path)


@pytest.fixture
def out(source: Path, tmp_path: Path, fakes: None) -> Path:
    """Return its translation in three styles."""
    i2ikit.translate(source, tmp_path / "out", model="tint", style_sample=3)
    return tmp_path / "out"


@pytest.fixture
def tars(source: Path, tmp_path: Path, fakes: None) -> Path:
    """Return its translation in three styles as a tar, which carries the masks."""
    fields = {"mask": tmp_path / "masks"}
    i2ikit.translate(
        source, f"wds:{tmp_path / 'tars'}", model="tint", style_sample=3, fields=fields
    )
    return tmp_path / "tars"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return a folder with two cats and two dogs of the target domain."""
    for seed, key in enumerate(("cat/1", "cat/2", "dog/1", "dog/2"), start=50):
        path = tmp_path / "target" / f"{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(seed=seed).save(path)
    return tmp_path / "target"
