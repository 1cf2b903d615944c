"""Pairs that lie side by side in one picture, cut in two: the layout of pix2pix's data sets."""

from __future__ import annotations

from pathlib import Path

from i2ikit.errors import SampleError
from i2ikit.preparation.pictures import read_pictures, write_picture
from i2ikit.scratch import new_folder


def prepare_aligned(source: str | Path, output: str | Path) -> int:
    """Write the left halves of pictures to OUT/A, the right ones to OUT/B; return how many pairs.

    Both are PNGs with the key of their picture.

    Args:
        source: a folder, tars or a manifest of pictures A|B.
        output: a new folder.

    Raises:
        RunError: `output` is there already.
        SampleError: a picture's width is odd, or it can't be decoded.
    """
    count = 0
    with new_folder(Path(output)) as folder:
        for key, pixels in read_pictures(str(source)):
            middle, rest = divmod(pixels.shape[1], 2)
            if rest:
                raise SampleError(
                    f"'{key}' is {pixels.shape[1]} pixels wide: it has no two equal halves",
                    hint="pairs lie side by side, A left and B right",
                )
            write_picture(folder / "A", key, pixels[:, :middle])
            write_picture(folder / "B", key, pixels[:, middle:])
            count += 1
    return count
