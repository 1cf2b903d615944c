"""Squares of pictures with their labels: where they lie, and which pictures have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2ikit.errors import SampleError
from i2ikit.evaluate import squares
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.label_maps import IGNORED, open_labels
from i2ikit.evaluate.squares import Cut, cut_squares
from tests.evaluate.labelled import COLOURS, draw_ids, save, write_labelled

HERE = Compute(workers=0)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut twelve squares of eight pixels a side."""
    monkeypatch.setattr(squares, "SIDE", 8)
    monkeypatch.setattr(squares, "MOST_SQUARES", 12)


def cut(
    root: Path, num_classes: int | None = None, seed: int = 0, compute: Compute = HERE
) -> list[Cut]:
    maps = open_labels(root / "labels", {}, (255,))
    pictures = list(maps.pair(root / "pictures", "stop")[0].read())
    return list(cut_squares(pictures, maps, num_classes, seed, compute))


def test_squares_have_the_labels_of_their_place(tmp_path: Path) -> None:
    found = cut(write_labelled(tmp_path))
    assert [len(one.squares) for one in found] == [3, 3, 3, 3]
    for square in (square for one in found for square in one.squares):
        assert square.ids.shape == (8, 8)
        assert (square.pixels == COLOURS[square.ids]).all()


def test_squares_lie_anywhere(tmp_path: Path) -> None:
    save(tmp_path / "labels" / "a.png", np.arange(100).reshape(10, 10))
    save(tmp_path / "pictures" / "a.png", np.zeros((10, 10, 3)))
    (one,) = cut(tmp_path)
    corners = {int(square.ids[0, 0]) for square in one.squares}
    assert corners <= {0, 1, 2, 10, 11, 12, 20, 21, 22}
    assert len(corners) > 3
    assert one.num_classes == 100


def test_what_a_small_picture_lacks_is_ignored(tmp_path: Path) -> None:
    ids = draw_ids(0, (4, 12))
    save(tmp_path / "labels" / "a.png", ids)
    save(tmp_path / "pictures" / "a.png", COLOURS[ids])
    (one,) = cut(tmp_path)
    for square in one.squares:
        assert (square.ids[4:] == IGNORED).all()
        assert (square.ids[:4] != IGNORED).all()
        assert (square.pixels[4:] == square.pixels[3]).all()


def test_squares_without_a_label_are_left_out(tmp_path: Path) -> None:
    save(tmp_path / "labels" / "a.png", np.full((16, 16), 255))
    save(tmp_path / "pictures" / "a.png", np.zeros((16, 16, 3)))
    (one,) = cut(tmp_path)
    assert (one.squares, one.num_classes) == ([], 0)


def test_of_many_pictures_some_are_drawn(tmp_path: Path) -> None:
    found = cut(write_labelled(tmp_path, 20))
    assert [len(one.squares) for one in found] == [1] * 12
    others = cut(tmp_path, seed=1)
    assert {one.picture.key for one in found} != {one.picture.key for one in others}


def show(found: list[Cut]) -> dict[str, list[bytes]]:
    return {one.picture.key: [square.pixels.tobytes() for square in one.squares] for one in found}


def test_places_depend_on_the_key_and_the_seed_alone(tmp_path: Path) -> None:
    known = show(cut(write_labelled(tmp_path)))
    assert show(cut(tmp_path, compute=Compute(workers=2))) == known
    assert show(cut(tmp_path, seed=1)) != known
    for folder in ("pictures", "labels"):
        (tmp_path / folder / "0.png").unlink()
    write_labelled(tmp_path, 1, start=9)
    fewer = show(cut(tmp_path))
    assert {key: fewer[key] for key in "123"} == {key: known[key] for key in "123"}


def test_the_digest_is_of_pixels_and_labels(tmp_path: Path) -> None:
    known = [one.digest for one in cut(write_labelled(tmp_path))]
    save(tmp_path / "labels" / "1.png", draw_ids(100))
    changed = [one.digest for one in cut(tmp_path)]
    assert [a == b for a, b in zip(known, changed, strict=True)] == [True, False, True, True]


@pytest.mark.parametrize(
    ("path", "shape", "message"),
    [
        ("pictures/1.png", (8, 8, 3), r"1\.png is 8x8, and its label map .*1\.png 24x24"),
        ("labels/1.png", (24, 24), r"1\.png: label 9 is outside 0…1"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, path: str, shape: tuple[int, ...], message: str
) -> None:
    save(write_labelled(tmp_path) / path, np.full(shape, 9))
    with pytest.raises(SampleError, match=message):
        cut(tmp_path, 2, compute=Compute(workers=0, on_error="stop"))
    found = cut(tmp_path, 2)
    assert [bool(one.failure) for one in found] == [False, True, False, False]
    assert [len(one.squares) for one in found] == [3, 0, 3, 3]
