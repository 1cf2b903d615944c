"""Masks follow their picture's pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from i2ikit.data.images import decode_image
from i2ikit.data.samples import File
from i2ikit.data.sizes import Geometry, shrink
from i2ikit.errors import SampleError
from i2ikit.feed.masks import encode_ids, make_mask, read_geometry, read_ids
from i2ikit.labels.id_maps import IdMap
from i2ikit.model import InstanceMap
from tests.odd_pictures import mask_of_two_colours

IDS = np.random.default_rng(0).integers(0, 34, (8, 12), dtype=np.uint8)


def file(ids: Any, image_format: str = "PNG", **save: Any) -> File:
    buffer = io.BytesIO()
    Image.fromarray(ids).save(buffer, image_format, **save)
    return File(f"m.{image_format.lower()}", buffer.getvalue())


def test_bytes_are_kept_where_nothing_moved() -> None:
    given = file(IDS)
    made = make_mask(given, None, None)
    assert (made.ids, made.is_moved, made.size) == (given.data, False, (12, 8))


def test_another_format_becomes_a_png_with_its_ids() -> None:
    made = make_mask(file(IDS, "TIFF"), None, None)
    assert made.ids.startswith(b"\x89PNG")
    assert (read_ids(made.ids, "m") == IDS).all()


def test_a_mask_moves_as_a_label_map_does() -> None:
    made = make_mask(file(IDS), Geometry((12, 8), 1, (6, 4)), None)
    assert (read_ids(made.ids, "m") == shrink(IDS, InstanceMap(), 4)).all()


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_a_moved_mask_keeps_its_colours(image_format: str) -> None:
    colours = [value for level in range(256) for value in (level, 255 - level, 7)]
    drawn, buffer = Image.fromarray(IDS), io.BytesIO()
    drawn.putpalette(colours)
    drawn.save(buffer, image_format)
    made = make_mask(File("m", buffer.getvalue()), Geometry((12, 8), 1, (6, 4)), None)
    with Image.open(io.BytesIO(made.ids)) as image:
        assert image.mode == "P"
        shown = np.asarray(image.convert("RGB"))
    ids = read_ids(made.ids, "m")
    assert (ids == shrink(IDS, InstanceMap(), 4)).all()
    assert (shown == np.stack([ids, 255 - ids, np.full_like(ids, 7)], axis=-1)).all()


def test_ids_beyond_a_short_palette_survive() -> None:
    given = File("m.png", mask_of_two_colours(IDS))
    made = make_mask(given, Geometry((12, 8), 1, (6, 4)), None)
    assert (read_ids(made.ids, "m") == shrink(IDS, InstanceMap(), 4)).all()


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("is_stored", [True, False])
def test_a_mask_turns_as_its_picture_did(orientation: int, is_stored: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = decode_image(file(IDS, exif=exif).read(), InstanceMap(), "m").array
    given = file(IDS if is_stored else shown.astype(np.uint8))
    made = make_mask(given, Geometry((12, 8), orientation, (8, 12)), None)
    assert (read_ids(made.ids, "m") == shown).all()


def test_a_turn_that_can_not_be_told_is_refused() -> None:
    with pytest.raises(SampleError, match="doesn't tell whether it speaks of the picture before"):
        make_mask(file(IDS), Geometry((12, 8), 3, (12, 8)), None)
    made = make_mask(file(IDS), Geometry((12, 8), 3, (12, 8)), None, "stored")
    assert (read_ids(made.ids, "m") == IDS[::-1, ::-1]).all()


def test_another_size_is_refused() -> None:
    with pytest.raises(
        SampleError, match=r"m.png speaks of a picture of 12×8, and its own has 20×8"
    ):
        make_mask(file(IDS), Geometry((20, 8), 1, (10, 4)), None)


def test_classes_come_beside_the_ids() -> None:
    made = make_mask(file(IDS), None, IdMap("m", {i: i // 2 for i in range(34)}, {}))
    assert made.classes is not None
    assert (read_ids(made.classes, "m") == IDS // 2).all()


def test_an_unknown_id_is_named() -> None:
    with pytest.raises(SampleError, match=r"m\.png: ids that --map few doesn't know"):
        make_mask(file(IDS), None, IdMap("few", {0: 0}, {}))


def test_sixteen_bits_survive() -> None:
    ids = np.array([[0, 300], [65535, 7]], np.int32)
    assert (read_ids(encode_ids(ids), "m") == ids).all()


def test_geometry_is_read_as_it_is_recorded(tmp_path: Path) -> None:
    geometry = Geometry((12, 8), 6, (4, 6))
    assert read_geometry({"geometry": geometry.to_json()}) == geometry
    assert read_geometry({}) is None
    assert read_geometry({"geometry": "a column of the data set"}) is None
