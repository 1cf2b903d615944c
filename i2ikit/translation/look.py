"""A look at the sizes of some inputs, before the run."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from i2ikit.data.samples import File, Sample, Source

#: So many inputs, evenly spread, stand for all.
_LOOKED_AT = 50

Size = tuple[int, int]


def look_at_sizes(source: Source, field: str) -> list[Size]:
    """Return the (width, height) of some inputs, read off the heads of their files.

    Only loose files are looked at; those that can't be read are left out.
    """
    files = (sample.fields.get(field) for sample in _spread(source))
    sizes = [_size(file) for file in files if file is not None]
    return [size for size in sizes if size is not None]


def _spread(source: Source) -> Iterator[Sample]:
    for part in source.parts:
        if part.splittable and part.keys:
            step = -(-len(part.keys) // _LOOKED_AT)
            yield from source.read(part.name, part.keys[::step])


def _size(file: File) -> Size | None:
    if isinstance(file.data, str):
        return None
    data = io.BytesIO(file.data) if isinstance(file.data, bytes) else file.data
    try:
        with Image.open(data) as image:
            return image.size
    except Exception:  # damaged files raise anything; the run will say what is wrong
        return None
