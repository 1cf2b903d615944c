"""Two domains of seeded pictures, and the trainings of `tests.training.fakes`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ImageOps

from tests.conftest import picture


@pytest.fixture(autouse=True)
def _trainings(install: Callable[..., None]) -> None:
    install("trainings", trainings="tests.training.fakes")


@pytest.fixture
def domains(tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder of pictures and one of their negatives, by the same names."""
    a, b = tmp_path / "A", tmp_path / "B"
    a.mkdir()
    b.mkdir()
    for index in range(6):
        image = picture(40, 36, seed=index)
        image.save(a / f"{index}.png")
        ImageOps.invert(image).save(b / f"{index}.png")
    return a, b
