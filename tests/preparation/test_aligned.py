from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2ikit.errors import RunError, SampleError
from i2ikit.preparation.aligned import prepare_aligned


def write(path: Path, width: int) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(width).integers(0, 256, (8, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_halves_keep_pixels_and_keys(tmp_path: Path) -> None:
    pixels = write(tmp_path / "in" / "deep" / "1.png", 20)
    assert prepare_aligned(tmp_path / "in", tmp_path / "out") == 1
    for half, expected in (("A", pixels[:, :10]), ("B", pixels[:, 10:])):
        found = np.asarray(Image.open(tmp_path / "out" / half / "deep" / "1.png"))
        assert (found == expected).all()


def test_an_odd_width_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.png", 20)
    write(tmp_path / "in" / "2.png", 21)
    with pytest.raises(SampleError, match="'2' is 21 pixels wide"):
        prepare_aligned(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_folder_that_is_there_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.png", 20)
    (tmp_path / "out").mkdir()
    with pytest.raises(RunError, match="is there already"):
        prepare_aligned(tmp_path / "in", tmp_path / "out")
