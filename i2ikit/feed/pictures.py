"""Pictures on their way into a training: what may be given, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image
from torch import Tensor

from i2ikit.data.images import Array, Decoded, Pixels, decode_image, to_tensor
from i2ikit.data.samples import File
from i2ikit.errors import SampleError
from i2ikit.model import RGB, Grey, InputKind

#: A path, a file's bytes, a named file, or decoded: uint8 (H, W, 3).
Picture: TypeAlias = str | Path | bytes | File | Pixels
#: A key with its picture, or with all that a model takes, by field name.
KeyedPicture: TypeAlias = tuple[str, Picture | Mapping[str, Picture]]

ORIGINAL = -1


@dataclass(frozen=True)
class FeedPicture:
    """A picture as a training gets it.

    Attributes:
        pixels: uint8 (H, W, 3).
        style_index: of the translation; -1: the original.
    """

    pixels: Pixels
    style_index: int

    def tensor(self) -> Tensor:
        """Return the picture as (3, H, W) float32 in [-1, 1]."""
        return to_tensor(self.pixels, RGB())[0]


def as_file(key: str, picture: Picture) -> File | Pixels:
    """Return a picture as a file with a name for messages, or the pixels that it is."""
    if isinstance(picture, File | np.ndarray):
        return picture
    if isinstance(picture, bytes):
        return File(f"'{key}'", picture)
    return File(str(picture), Path(picture))


def decode(key: str, picture: File | Pixels, kind: InputKind) -> Decoded:
    """Return a picture as `kind` wants it.

    Raises:
        SampleError: a file that can't be read, or an array that is no picture of this kind.
    """
    if isinstance(picture, File):
        return decode_image(picture.read(), kind, picture.name)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise SampleError(f"'{key}' is {picture.dtype} {picture.shape}, not uint8 (H, W, 3)")
    return Decoded(_convert(key, picture, kind), 1)


def _convert(key: str, pixels: Pixels, kind: InputKind) -> Array:
    if isinstance(kind, RGB):
        return np.array(pixels)  # a copy: the caller's may be read-only, or a view
    if isinstance(kind, Grey):
        return np.array(Image.fromarray(pixels).convert("L"))
    raise SampleError(f"'{key}' holds a map as an array", hint="maps of ids are given as files")
