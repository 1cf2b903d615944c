"""What any translation should beat: its input, its input recoloured, and one colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from i2ikit.data.images import Pixels
from i2ikit.preparation.pictures import read_pictures, write_picture
from i2ikit.scratch import new_folder

#: How many pixels have each level, (3, 256).
Histogram = npt.NDArray[np.int64]
_LEVELS = np.arange(256)


def prepare_baselines(
    source: str | Path, output: str | Path, *, a: str | Path, b: str | Path
) -> int:
    """Write three translations of pictures that need no network; return how many pictures.

    OUT/unchanged has the pictures as they are. OUT/colours has them with each channel shifted and
    scaled, all alike, so that the mean and the deviation of A become those of B (as Reinhard et al.
    2001, "Color transfer between images", but of RGB and of whole sets). OUT/constant has the one
    colour whose mean absolute difference to B is least: the median of each channel.

    Args:
        source: pictures to translate: a folder, tars or a manifest.
        output: a new folder.
        a: pictures of the source domain, to measure; training pictures, not those to be judged by.
        b: pictures of the target domain, likewise.

    Raises:
        RunError: `output` is there already.
        SourceError: a set is not there, or has no pictures.
    """
    of_a, of_b = (measure_levels(str(place)) for place in (a, b))
    table, colour = _match_table(of_a, of_b), _medians(of_b)
    count = 0
    with new_folder(Path(output)) as folder:
        for key, pixels in read_pictures(str(source)):
            write_picture(folder / "unchanged", key, pixels)
            write_picture(folder / "colours", key, _look_up(table, pixels))
            write_picture(folder / "constant", key, np.broadcast_to(colour, pixels.shape).copy())
            count += 1
    return count


def measure_levels(location: str) -> Histogram:
    """Return how often each channel of a set's pictures has each level."""
    total = np.zeros((3, 256), np.int64)
    for _, pixels in read_pictures(location):
        total += [
            np.bincount(channel.ravel(), minlength=256) for channel in pixels.transpose(2, 0, 1)
        ]
    return total


def _match_table(a: Histogram, b: Histogram) -> npt.NDArray[np.uint8]:
    """Return what each level of each channel becomes, (3, 256)."""
    (mean_a, deviation_a), (mean_b, deviation_b) = _moments(a), _moments(b)
    scale = deviation_b / np.maximum(deviation_a, 1e-6)  # a set of one colour has no deviation
    matched = (_LEVELS - mean_a[:, None]) * scale[:, None] + mean_b[:, None]
    return np.rint(matched).clip(0, 255).astype(np.uint8)


def _moments(levels: Histogram) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    shares = levels / levels.sum(axis=1, keepdims=True)
    means = shares @ _LEVELS
    return means, np.sqrt(shares @ np.square(_LEVELS) - np.square(means))


def _medians(levels: Histogram) -> npt.NDArray[np.uint8]:
    half = levels.sum(axis=1, keepdims=True) / 2
    medians: npt.NDArray[np.intp] = (levels.cumsum(axis=1) >= half).argmax(axis=1)
    return medians.astype(np.uint8)


def _look_up(table: npt.NDArray[np.uint8], pixels: Pixels) -> Pixels:
    return np.stack([table[channel][pixels[..., channel]] for channel in range(3)], axis=-1)
