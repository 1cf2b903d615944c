"""Masks of ids: brought to where the pixels of a translation lie, and mapped to classes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from i2ikit.data.images import Array, decode_image
from i2ikit.data.samples import File
from i2ikit.data.sizes import Geometry, move_ids
from i2ikit.errors import SampleError
from i2ikit.labels.id_maps import IGNORED, IdMap
from i2ikit.labels.masks import full_palette
from i2ikit.labels.places import LabelFrame, find_places
from i2ikit.model import InstanceMap

_PNG = b"\x89PNG"
_IDS = 1 << 16


@dataclass(frozen=True)
class Mask:
    """A picture's mask.

    Attributes:
        ids: as the source's mask has them, a PNG with its palette: the very bytes where nothing
            moved.
        classes: mapped, a PNG; None without a map.
        size: (width, height).
        is_moved: whether its pixels lie elsewhere than in the source's mask.
        is_blank: whether the map leaves no pixel that counts.
    """

    ids: bytes
    classes: bytes | None
    size: tuple[int, int]
    is_moved: bool
    is_blank: bool = False


def make_mask(
    file: File,
    geometry: Geometry | None,
    id_map: IdMap | None,
    label_frame: LabelFrame | None = None,
) -> Mask:
    """Return a mask as it lies over its picture.

    Args:
        file: PNG, TIFF, BMP or GIF, grey or palette.
        geometry: how the picture's pixels moved since the mask was drawn; None: not at all.
        id_map: from its ids to classes.
        label_frame: which picture it lies over, where that was turned and sizes don't tell.

    Raises:
        SampleError: unreadable, of another size than the picture it belongs to, ids unknown to
            the map, or a turned picture where it can't be told whether the mask is turned, too.
    """
    data = file.read()
    ids = read_ids(data, file.name)
    if ids.max() >= _IDS:
        raise SampleError(f"{file.name} holds id {ids.max()}, and PNGs hold those below {_IDS}")
    moved = ids
    if geometry is not None:
        size = (ids.shape[1], ids.shape[0])
        moved = move_ids(ids, find_places(file.name, geometry, label_frame, size).geometry)
    is_moved = geometry is not None
    mapped = None if id_map is None else id_map.apply(moved, file.name)
    classes = None if mapped is None else encode_ids(mapped)
    is_blank = mapped is not None and bool((mapped == IGNORED).all())
    kept = not is_moved and data.startswith(_PNG)
    size = (moved.shape[1], moved.shape[0])
    made = data if kept else encode_ids(moved, _colours(data))
    return Mask(made, classes, size, is_moved, is_blank)


def read_ids(data: bytes, name: str) -> Array:
    """Return a mask's ids, (H, W) int32.

    Raises:
        SampleError: it can't be read as ids.
    """
    return decode_image(data, InstanceMap(), name).array


def encode_ids(ids: Array, colours: Sequence[int] = ()) -> bytes:
    """Return ids, (H, W) below 65536, as a PNG of 8 or 16 bits.

    Args:
        ids: what is drawn.
        colours: R, G, B of each of 256 ids; none: grey.
    """
    buffer = io.BytesIO()
    kind = np.uint8 if ids.max() < 256 else np.uint16
    made = Image.fromarray(ids.astype(kind))
    if colours:
        made.putpalette(colours)
    made.save(buffer, "PNG")
    return buffer.getvalue()


def _colours(data: bytes) -> list[int]:
    with Image.open(io.BytesIO(data)) as image:
        return full_palette(image, 8)


def read_geometry(row: Mapping[str, Any]) -> Geometry | None:
    """Return the geometry that a line of metadata records; None where nothing moved."""
    found = row.get("geometry")  # a data set may have a column of this name
    if not isinstance(found, dict) or "exif_orientation" not in found:
        return None
    return Geometry.from_json(found)
