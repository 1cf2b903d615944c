"""The pictures of a set, decoded one after the other, and a place for those made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from i2ikit.data.images import Pixels, decode_image, encode_image
from i2ikit.data.sources import open_source
from i2ikit.errors import SourceError
from i2ikit.model import RGB


def read_pictures(location: str) -> Iterator[tuple[str, Pixels]]:
    """Yield key and pixels, uint8 (H, W, 3), of each picture in a folder, tars or a manifest.

    Raises:
        SourceError: one can't be used, or there is none.
        SampleError: one can't be decoded.
    """
    source = open_source(location, inputs=("image",), fields={})
    for part in source.parts:
        for sample in source.read(part.name, part.keys):
            if sample.problem:
                raise SourceError(sample.problem)
            file = sample.fields["image"]
            array = decode_image(file.read(), RGB(), file.name).array
            yield sample.key, array.astype(np.uint8, copy=False)


def write_picture(folder: Path, key: str, pixels: Pixels) -> None:
    """Write `KEY.png`, key folders and all."""
    path = folder / f"{key}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(pixels, "png"))
