"""Labelled squares of pictures, for a classifier to learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from i2ikit.ahead import ahead
from i2ikit.data.images import Pixels
from i2ikit.errors import SampleError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.label_maps import IGNORED, LabelMaps
from i2ikit.evaluate.loaded import Loaded, follow, load
from i2ikit.evaluate.sets import Picture
from i2ikit.evaluate.space import text_digest

#: The side of a square, and how many are cut of all pictures together.
SIDE, MOST_SQUARES = 64, 4096

#: (H, W): class ids, or `IGNORED`.
Ids: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Square:
    """A square of a picture, `SIDE` pixels a side, of which some are labelled.

    Attributes:
        pixels: (H, W, 3).
        ids: (H, W).
    """

    pixels: Pixels
    ids: Ids


@dataclass(frozen=True)
class Cut(Loaded):
    """A picture's squares; its own pixels aren't kept.

    Attributes:
        squares: those with a pixel that counts.
        num_classes: the greatest label of the whole map, plus 1.
        digest: SHA-256 of the whole picture's pixels and labels.
    """

    squares: Sequence[Square] = ()
    num_classes: int = 0
    digest: bytes = b""


def cut_squares(
    pictures: Sequence[Picture],
    maps: LabelMaps,
    num_classes: int | None,
    seed: int,
    compute: Compute,
) -> Iterator[Cut]:
    """Yield the squares of each picture, at places that its key and the seed decide.

    Pictures are decoded once, by threads. Of more than `MOST_SQUARES` pictures as many are drawn.

    Args:
        pictures: one or more, of which each has a label map.
        maps: their label maps.
        num_classes: how many classes there are; None if any label will do.
        seed: of what is drawn.
        compute: workers, and what a picture that can't be read does.

    Raises:
        SampleError: a picture or map can't be read or used, and the work stops at such.
    """
    chosen = _choose(pictures, seed)
    workers, quiet = compute.chosen_workers(), replace(compute, on_progress=None)
    cut = partial(_cut, maps, num_classes, seed, MOST_SQUARES // len(chosen))
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(workers)) if workers else None
        done = ([one] for one in ahead(cut, chosen, pool, workers))
        for (one,) in follow(done, quiet, len(chosen)):
            yield one


def _choose(pictures: Sequence[Picture], seed: int) -> Sequence[Picture]:
    """Return the pictures that are looked at."""
    if len(pictures) <= MOST_SQUARES:
        return pictures
    places = np.random.default_rng(seed).choice(len(pictures), MOST_SQUARES, replace=False)
    return [pictures[place] for place in sorted(places)]


def _cut(maps: LabelMaps, num_classes: int | None, seed: int, count: int, picture: Picture) -> Cut:
    """Return up to `count` squares of a picture."""
    loaded = load(picture)
    if loaded.pixels is None:
        return Cut(picture, failure=loaded.failure)
    try:
        labels = maps.read(picture.key)
        labels.check(picture.name, loaded.pixels.shape[:2], num_classes)
    except SampleError as error:
        return Cut(picture, failure=str(error))
    ids = labels.ids.numpy().astype(np.int32)
    generator = np.random.default_rng(int(text_digest(seed, picture.key), 16))
    squares = [_square(loaded.pixels, ids, generator) for _ in range(count)]
    return Cut(
        picture,
        header=loaded.header,
        squares=[square for square in squares if (square.ids != IGNORED).any()],
        num_classes=int(ids.max()) + 1,
        digest=hashlib.sha256(loaded.pixels.tobytes() + ids.tobytes()).digest(),
    )


def _square(pixels: Pixels, ids: Ids, generator: np.random.Generator) -> Square:
    """Return a square at a random place; what a smaller picture lacks repeats its edge, ignored."""
    top, left = (int(generator.integers(max(side - SIDE, 0) + 1)) for side in ids.shape)
    here = slice(top, top + SIDE), slice(left, left + SIDE)
    lacks = [(0, max(SIDE - side, 0)) for side in ids.shape]
    return Square(
        np.pad(pixels[here], [*lacks, (0, 0)], mode="edge"),
        np.pad(ids[here], lacks, constant_values=IGNORED),
    )
