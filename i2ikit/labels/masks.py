"""Masks of ids beside a picture: moved as the label maps that a model sees, id for id."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image, ImageFile

from i2ikit.data.images import Array, decode_image
from i2ikit.data.sizes import move_ids
from i2ikit.errors import SampleError
from i2ikit.labels.places import FindPlaces
from i2ikit.model import InstanceMap

_TYPES = {"1": np.bool_, "L": np.uint8, "P": np.uint8, "I;16": np.uint16, "I;16B": np.uint16}


def move_mask(name: str, data: bytes, find: FindPlaces) -> bytes:
    """Return a mask's file with its ids moved: of its format, depth and palette.

    Raises:
        SampleError: it is no lossless file of ids, or has an EXIF rotation of its own.
    """
    decoded = decode_image(data, InstanceMap(), name)
    if decoded.orientation != 1:
        raise SampleError(f"{name} has an EXIF rotation of its own", hint="undo it first")
    places = find(decoded.stored_size)
    if not places.geometry.is_changed:
        return data
    ids = move_ids(decoded.array, places.geometry)
    with Image.open(io.BytesIO(data)) as image:
        if image.format not in ("PNG", "TIFF"):
            raise SampleError(f"{name} is a {image.format} file: masks of PNG and TIFF are moved")
        return _encode(ids.astype(_TYPES.get(image.mode, np.int32)), image, name)


def _encode(ids: Array, image: ImageFile.ImageFile, name: str) -> bytes:
    """Return a file of ids that is like another picture's but for the ids."""
    depth = _depth(image)
    if image.mode == "L" and depth != 8:
        raise SampleError(f"{name} is grey with {depth} bits a pixel", hint="save it with 8 bits")
    options = {"bits": depth} if image.mode == "P" and image.format == "PNG" else {}
    kept = {key: image.info[key] for key in ("transparency", "compression") if key in image.info}
    made, buffer = Image.fromarray(ids), io.BytesIO()
    if colours := full_palette(image, depth):
        made.putpalette(colours)
    made.save(buffer, image.format, **options, **kept)
    return buffer.getvalue()


def full_palette(image: Image.Image, depth: int) -> list[int]:
    """Return a palette's colours, R, G, B of each id of so many bits; nothing of a grey file.

    Of ids beyond a short palette, Pillow would write as many bits as the palette needs.
    """
    colours = image.getpalette() or []
    return colours + [0] * (3 * 2**depth - len(colours)) if colours else []


def _depth(image: ImageFile.ImageFile) -> int:
    """Return the bits of a pixel, as Pillow names what it is going to unpack."""
    mode = image.tile[0].args
    found = re.search(r";(\d+)", mode[0] if isinstance(mode, tuple) else str(mode))
    return int(found[1]) if found else 8
