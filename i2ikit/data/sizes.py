"""Sizes: made legal for a network and restored after it; what changed for good is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from i2ikit.data.images import MAX_PIXELS, Array, Pixels
from i2ikit.errors import ModelError, SampleError
from i2ikit.model import RGB, Grey, InputKind, InstanceMap, SizeRule

#: Undoing an EXIF orientation in the unit square: x' = a x + b y + c, y' = d x + e y + f.
_TURNS = {
    1: (1, 0, 0, 0, 1, 0),
    2: (-1, 0, 1, 0, 1, 0),
    3: (-1, 0, 1, 0, -1, 1),
    4: (1, 0, 0, 0, -1, 1),
    5: (0, 1, 0, 1, 0, 0),
    6: (0, -1, 1, 1, 0, 0),
    7: (0, -1, 1, -1, 0, 1),
    8: (0, 1, 0, -1, 0, 1),
}


@dataclass(frozen=True)
class Geometry:
    """How the pixels of an output lie to those of its input file.

    Attributes:
        source_size: (width, height) as stored in the file.
        orientation: the EXIF orientation that was undone; 1: none.
        size: (width, height) of the output.
    """

    source_size: tuple[int, int]
    orientation: int
    size: tuple[int, int]

    @property
    def is_changed(self) -> bool:
        """Whether a position in the file is another one in the output."""
        return self.orientation != 1 or self.source_size != self.size

    def affine(self) -> tuple[float, float, float, float, float, float]:
        """Return (a, b, c, d, e, f): file (x, y) lies at (a x + b y + c, d x + e y + f).

        Coordinates are continuous: a pixel is a unit square, the picture's corner is (0, 0).
        """
        source_width, source_height = self.source_size
        width, height = self.size
        a, b, c, d, e, f = _TURNS[self.orientation]
        return (
            width * a / source_width,
            width * b / source_height,
            float(width * c),
            height * d / source_width,
            height * e / source_height,
            float(height * f),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what a line of metadata says of it, `affine` for positions in the file."""
        return {
            "source_size": list(self.source_size),
            "exif_orientation": self.orientation,
            "size": list(self.size),
            "affine": list(self.affine()),
        }


def shrink(array: Array, kind: InputKind, shorter_side: int) -> Array:
    """Return the picture resized so that its shorter side is `shorter_side`; smaller ones grow.

    The longer side is rounded to the nearest pixel, halves up.

    Raises:
        SampleError: it would grow into a bomb.
    """
    height, width = shrunk_size((array.shape[0], array.shape[1]), shorter_side)
    if height * width > MAX_PIXELS:
        raise SampleError(f"it would have {height} × {width} pixels, more than {MAX_PIXELS}")
    return _resize(array, kind, (height, width))


def shrunk_size(sides: tuple[int, int], shorter_side: int) -> tuple[int, int]:
    """Return a picture's sides, in either order, as `shrink` makes them."""
    short = min(sides)
    one, other = ((2 * side * shorter_side + short) // (2 * short) for side in sides)
    return one, other


def resize_map(ids: Array, size: tuple[int, int]) -> Array:
    """Return a map of ids, (H, W), in another (height, width), each pixel that of the nearest."""
    return _resize(ids, InstanceMap(), size)


def fit(array: Array, kind: InputKind, rule: SizeRule) -> Array:
    """Return the picture in a size that the rule allows; `restore` undoes it.

    It is padded at the right and at the bottom by reflection, again and again where it is smaller
    than the padding; or resized, if the rule knows one size only.
    """
    height, width = array.shape[:2]
    legal = rule.fit(height, width)
    if rule.fixed:
        return _resize(array, kind, legal)
    if legal == (height, width):
        return array
    return _pick(array, _reflected(height, legal[0]), _reflected(width, legal[1]))


def restore(pixels: Pixels, size: tuple[int, int], rule: SizeRule) -> Pixels:
    """Return a model's output in the (height, width) that its input had before `fit`.

    Raises:
        ModelError: the output's size is not the one the model was given.
    """
    legal = rule.fit(*size)
    if pixels.shape[:2] != legal:
        height, width = pixels.shape[:2]
        raise ModelError(f"the model was given {legal[1]}x{legal[0]} and made {width}x{height}")
    if rule.fixed:
        return _resize(pixels, RGB(), size).astype(np.uint8, copy=False)
    return pixels[: size[0], : size[1]]


def _resize(array: Array, kind: InputKind, size: tuple[int, int]) -> Array:
    """Resize to (height, width): pictures bicubic and antialiased, ids to the nearest."""
    height, width = size
    if array.shape[:2] == size:
        return array
    if isinstance(kind, RGB | Grey):
        resized = Image.fromarray(array).resize((width, height), Image.Resampling.BICUBIC)
        return np.array(resized)
    return _pick(array, _nearest(array.shape[0], height), _nearest(array.shape[1], width))


def _pick(array: Array, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Array:
    return array[rows][:, columns]


def _nearest(length: int, target: int) -> npt.NDArray[np.intp]:
    """Return, for each of `target` pixels, which of `length` pixels its centre lies in."""
    return (2 * np.arange(target) + 1) * length // (2 * target)


def _reflected(length: int, target: int) -> npt.NDArray[np.intp]:
    """Return 0 1 … n-1 n-2 … 1 0 1 …, `target` of them; the edge itself is not repeated."""
    period = max(1, 2 * (length - 1))
    position = np.arange(target) % period
    return np.minimum(position, period - position)
