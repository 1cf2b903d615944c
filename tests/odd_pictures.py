"""A folder of every odd picture a data set may hold, and what is to become of each."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image


@dataclass(frozen=True)
class OddPictures:
    """What was written, by path relative to the root.

    Attributes:
        readable: the (width, height) of each as a viewer shows it. `grey.jpg` and `grey.png` share
            folder and stem; no other two do.
        unreadable: files that look like pictures by name and can't be decoded.
    """

    readable: dict[str, tuple[int, int]]
    unreadable: list[str]


def write_odd_pictures(root: Path) -> OddPictures:
    """Write the pictures under `root`, the same bytes at every call."""
    readable = {}
    for name, make in _READABLE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        readable[name] = make(path)
    for name, data in _unreadable().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return OddPictures(readable, list(_unreadable()))


def colours(width: int = 24, height: int = 16) -> npt.NDArray[np.uint8]:
    """Return (height, width, 3): a gradient with seeded noise, so that codecs have work to do."""
    rng = np.random.default_rng(1000 * width + height)
    x, y = np.linspace(0, 200, width)[None, :], np.linspace(0, 200, height)[:, None]
    planes = np.stack([x + 0 * y, 0 * x + y, 200 - (x + y) / 2], axis=-1)
    return (planes + rng.integers(0, 50, planes.shape)).astype(np.uint8)


def mask_of_two_colours(ids: npt.NDArray[np.uint8]) -> bytes:
    """Return a PNG of 8 bits with a palette of two entries, which Pillow writes with 1 bit only."""
    mask, buffer = Image.fromarray(ids), io.BytesIO()
    mask.putpalette(list(range(256)) * 3)
    mask.save(buffer, "PNG")
    data = buffer.getvalue()
    start = data.index(b"PLTE")
    short = data[start : start + 4 + 6]
    chunk = struct.pack(">I", 6) + short + struct.pack(">I", zlib.crc32(short))
    return data[: start - 4] + chunk + data[start + 4 + 768 + 4 :]


def _colour(path: Path, width: int = 24, height: int = 16) -> tuple[int, int]:
    Image.fromarray(colours(width, height)).save(path)
    return width, height


def _in_mode(mode: str) -> Callable[[Path], tuple[int, int]]:
    def write(path: Path) -> tuple[int, int]:
        Image.fromarray(colours()).convert(mode).save(path)
        return 24, 16

    return write


def _translucent(path: Path) -> tuple[int, int]:
    alpha = np.linspace(0, 255, 24).astype(np.uint8)[None, :, None].repeat(16, axis=0)
    Image.fromarray(np.concatenate([colours(), alpha], axis=-1)).save(path)
    return 24, 16


def _sixteen_bit(path: Path) -> tuple[int, int]:
    Image.fromarray(colours()[:, :, 0].astype(np.uint16) * 257).save(path)
    return 24, 16


def _rotated(path: Path) -> tuple[int, int]:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(colours()).save(path, exif=exif)
    return 16, 24


def _sized(width: int, height: int) -> Callable[[Path], tuple[int, int]]:
    return lambda path: _colour(path, width, height)


_READABLE: dict[str, Callable[[Path], tuple[int, int]]] = {
    "photo.JPG": _colour,
    "picture.webp": _colour,
    "scan.tif": _colour,
    "screen.bmp": _colour,
    "plain.png": _colour,
    "grey.jpg": _in_mode("L"),
    "grey.png": _in_mode("L"),
    "palette.png": _in_mode("P"),
    "bits.png": _in_mode("1"),
    "print.jpg": _in_mode("CMYK"),
    "glass.png": _translucent,
    "deep.png": _sixteen_bit,
    "deep_scan.tiff": _sixteen_bit,
    "upright.jpg": _rotated,
    "tiny.png": _sized(1, 1),
    "odd.png": _sized(37, 113),
    "day/one.png": _colour,
    "night/one.png": _sized(16, 24),
    "night/late/one.jpg": _sized(20, 20),
}


def _unreadable() -> dict[str, bytes]:
    whole = io.BytesIO()
    Image.fromarray(colours(64, 64)).save(whole, "JPEG")
    return {
        "truncated.jpg": whole.getvalue()[: len(whole.getvalue()) // 2],
        "empty.jpg": b"",
        "night/text.png": b"not a picture\n",
    }
