"""Outputs that are almost one picture, though their sources are not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from i2ikit.data.images import Pixels

Thumbnail = npt.NDArray[np.uint8]
Thumbnails = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]

_SIDE = 8
#: Bytes of a thumbnail.
LENGTH = 3 * _SIDE**2
#: Root mean square difference, in levels, of thumbnails that are almost the same …
_ALIKE = 2.0
#: … and of those that are clearly not.
_APART = 12.0
#: Each output is compared with at most so many, spread evenly over the set.
_MOST = 4096
_BLOCK = 1024


def thumbnail(pixels: Pixels) -> Thumbnail:
    """Return the mean colours of 8×8 fields, uint8 (192,)."""
    small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8).reshape(-1)


def count_repeats(outputs: Thumbnails, sources: Thumbnails, inputs: Counts) -> Iterator[Counts]:
    """Yield, block by block, how many other inputs have almost the output of each output.

    Those whose sources are alike themselves don't count: they may well look alike translated.

    Args:
        outputs: thumbnails, uint8 (N, 192).
        sources: of the inputs that they were made from, uint8 (N, 192).
        inputs: which input that is, int64 (N,), ascending.
    """
    chosen = np.unique(np.linspace(0, len(inputs) - 1, min(len(inputs), _MOST)).astype(int))
    theirs, owners = inputs[chosen], np.unique(inputs[chosen], return_index=True)[1]
    outputs_there, sources_there = outputs[chosen], sources[chosen]
    for start in range(0, len(inputs), _BLOCK):
        here = slice(start, start + _BLOCK)
        is_repeat = _gaps(outputs[here], outputs_there) < _ALIKE**2
        is_repeat &= _gaps(sources[here], sources_there) > _APART**2
        is_repeat &= inputs[here, None] != theirs
        yield np.logical_or.reduceat(is_repeat, owners, axis=1).sum(axis=1)


def _gaps(some: Thumbnails, others: Thumbnails) -> npt.NDArray[np.float32]:
    """Return mean square differences of all pairs, (n, m)."""
    a, b = (np.asarray(side, np.float32) - 128 for side in (some, others))
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    gaps: npt.NDArray[np.float32] = squares / LENGTH
    return gaps
