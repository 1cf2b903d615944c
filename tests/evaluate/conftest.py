"""Pictures and numbers of the original packages, and the weights that they were made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import i2ikit
from i2ikit.data.images import Pixels
from tests.conftest import GOLDEN, picture
from tests.evaluate.seeded import INCEPTION, write_backbone, write_inception

EVAL = GOLDEN / "eval"
IMAGES = EVAL / "images"


@pytest.fixture(autouse=True)
def _at_a_new_home(request: pytest.FixtureRequest) -> None:
    """Keep the user's caches and weights out of the tests, but for those that need them."""
    if request.node.get_closest_marker("weights") is None:
        request.getfixturevalue("new_home")


@pytest.fixture(scope="session")
def golden() -> Any:
    """Return the numbers."""
    return json.loads((EVAL / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def rows() -> dict[str, np.ndarray]:
    """Return the features of the pictures: "real_64" … "fake_2048"."""
    with np.load(EVAL / "features.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the seeded weights."""
    folder = tmp_path_factory.mktemp("weights")
    write_inception(folder / INCEPTION, EVAL / "inception_bn.npz")
    return folder


@pytest.fixture(scope="session")
def inception_weights(seeded: Path) -> Path:
    """Return the file of the seeded Inception."""
    return seeded / INCEPTION


@pytest.fixture(scope="session")
def backbones(seeded: Path) -> dict[str, Path]:
    """Return the files of LPIPS's seeded networks."""
    return {net: write_backbone(seeded / f"{net}.pth", net) for net in ("alex", "squeeze", "vgg")}


def random_pixels(seed: int, width: int = 32, height: int = 32) -> Pixels:
    return np.array(picture(width, height, seed))


def write(folder: Path, *names: str, size: tuple[int, int] = (32, 32)) -> Path:
    """Write a picture of its own for each name."""
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(*size, seed).save(folder / name)
    return folder


@pytest.fixture
def translated(tmp_path: Path, fakes: None) -> tuple[Path, Path]:
    """Return a folder of two pictures, and one of three translations of each."""
    truth = write(tmp_path / "true", "x/0.png", "1.png")
    i2ikit.translate(truth, tmp_path / "out", model="tint", style_sample=3)
    return truth, tmp_path / "out"
