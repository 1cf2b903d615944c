from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2ikit.errors import SourceError
from i2ikit.labels.labelled import open_labelled
from i2ikit.preparation.baselines import prepare_baselines


def write(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}.png")


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(float)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Baselines between A, bright with little contrast, and B, dark with twice of it."""
    rng = np.random.default_rng(0)
    for name in "12":
        write(tmp_path / "a", name, rng.normal(150, 10, (64, 64, 3)).clip(0, 255))
        write(tmp_path / "b", name, rng.normal(90, 20, (64, 64, 3)).clip(0, 255))
    prepare_baselines(tmp_path / "a", tmp_path / "out", a=tmp_path / "a", b=tmp_path / "b")
    return tmp_path / "out"


def test_unchanged_is_the_input(out: Path) -> None:
    assert (read(out / "unchanged" / "1.png") == read(out.parent / "a" / "1.png")).all()


def test_colours_have_the_mean_and_deviation_of_b(out: Path) -> None:
    made, real = (
        np.stack([read(f / f"{n}.png") for n in "12"]) for f in (out / "colours", out.parent / "b")
    )
    assert made.mean((0, 1, 2)) == pytest.approx(real.mean((0, 1, 2)), abs=0.6)
    assert made.std((0, 1, 2)) == pytest.approx(real.std((0, 1, 2)), abs=0.6)


def test_constant_is_the_best_one_colour(out: Path) -> None:
    colour = read(out / "constant" / "2.png")
    real = np.stack([read(out.parent / "b" / f"{n}.png") for n in "12"])
    error = [np.abs(real - (colour[0, 0] + shift)).mean() for shift in (-1, 0, 1)]
    assert (colour == colour[0, 0]).all()
    assert error[1] <= min(error)


def test_a_set_without_pictures_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a", "1", np.zeros((4, 4, 3)))
    (tmp_path / "b").mkdir()
    with pytest.raises(SourceError, match="b"):
        prepare_baselines(tmp_path / "a", tmp_path / "out", a=tmp_path / "a", b=tmp_path / "b")
    assert not (tmp_path / "out").exists()


def test_a_class_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "7", "1", np.zeros((4, 4, 3)))
    prepare_baselines(tmp_path / "a", tmp_path / "out", a=tmp_path / "a", b=tmp_path / "a")
    for name in ("unchanged", "colours", "constant"):
        assert open_labelled(str(tmp_path / "out" / name)).classes == ("7",)
