"""Labelled sets in memory, all pictures of one size, for a probe to learn from or be tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from i2ikit.ahead import ahead
from i2ikit.data.images import Array, Header, Pixels, decode_image, read_header
from i2ikit.data.samples import File
from i2ikit.data.sizes import fit
from i2ikit.errors import SampleError, SourceError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.results import describe_side
from i2ikit.labels.id_maps import IGNORED, IdMap
from i2ikit.labels.labelled import Labelled, LabelledSet
from i2ikit.model import RGB, LabelMap, SizeRule

#: (height, width) of all pictures.
Frame: TypeAlias = tuple[int, int]

_ANY_ID = LabelMap(1 << 16)


@dataclass(frozen=True)
class ProbeSet:
    """Decoded pictures with what they show.

    Attributes:
        pictures: (N, H, W, 3) uint8.
        labels: class of each, (N,) int64; or of each pixel, (N, H, W) uint8, `IGNORED`
            where it doesn't count.
        digests: of each picture's pixels.
        side: what a card says of them.
    """

    pictures: Tensor
    labels: Tensor
    digests: frozenset[bytes]
    side: Mapping[str, Any]

    @property
    def ignored(self) -> int:
        """The label that is no class."""
        return IGNORED if self.labels.ndim == 3 else -1

    @property
    def classes(self) -> frozenset[int]:
        """The classes that are there."""
        return frozenset(np.unique(self.labels.numpy()).tolist()) - {self.ignored}


@dataclass(frozen=True)
class Reading:
    """How files become arrays, for all sets alike.

    Attributes:
        frame: the size that pictures are resized to, bicubic and antialiased; masks to the nearest.
        classes: names of the classes by number; () of masks.
        id_map: what the ids of masks mean; None: they are the classes.
    """

    frame: Frame
    classes: tuple[str, ...]
    id_map: IdMap | None


def load_set(found: LabelledSet, reading: Reading, compute: Compute) -> ProbeSet:
    """Decode a set's pictures and masks, each once, by threads.

    Args:
        found: what to decode.
        reading: into what.
        compute: workers, and what a file that can't be read does.

    Raises:
        SampleError: a file can't be read or used, and the work stops at such.
        SourceError: none can be used.
    """
    height, width = reading.frame
    n, is_mask = len(found.samples), found.kind == "mask"
    pictures = np.empty((n, height, width, 3), np.uint8)
    labels = np.empty((n, height, width), np.uint8) if is_mask else np.empty(n, np.int64)
    tally, digests = Tally(failures=list(found.left_out)), set()
    for item in _read_all(found, reading, compute):
        if isinstance(item, SampleError):
            if compute.on_error == "stop":
                raise item
            tally.failures.append(str(item))
            continue
        pictures[tally.n], labels[tally.n] = item.pixels, item.label
        digests.add(hashlib.sha1(item.pixels.tobytes(), usedforsecurity=False).digest())
        tally.count(item.header)
    if not tally.n:
        raise SourceError(f"no picture of {found.location} can be used: {tally.failures[0]}")
    return ProbeSet(
        torch.from_numpy(pictures[: tally.n]),
        torch.from_numpy(labels[: tally.n]),
        frozenset(digests),
        describe_side(found.location, tally),
    )


@dataclass(frozen=True)
class _Item:
    header: Header
    pixels: Pixels
    label: int | Array


def _read_all(
    found: LabelledSet, reading: Reading, compute: Compute
) -> Iterator[_Item | SampleError]:
    workers = compute.chosen_workers()
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(workers)) if workers else None
        yield from ahead(partial(_read, reading), found.samples, pool, workers)


def _read(reading: Reading, one: Labelled) -> _Item | SampleError:
    try:
        header = read_header(one.picture.read(), one.picture.name)
        pixels = decode(one.picture)
        rule = SizeRule(fixed=reading.frame)
        label = (
            reading.classes.index(one.label)
            if isinstance(one.label, str)
            else fit(_read_mask(one.label, pixels.shape[:2], reading.id_map), _ANY_ID, rule)
        )
        return _Item(header, fit(pixels, RGB(), rule).astype(np.uint8, copy=False), label)
    except SampleError as error:
        return error


def decode(file: File) -> Array:
    """Return a picture, (H, W, 3)."""
    return decode_image(file.read(), RGB(), file.name).array


def _read_mask(file: File, size: tuple[int, ...], id_map: IdMap | None) -> Array:
    """Return a mask's classes, (H, W).

    Raises:
        SampleError: it can't be read, has another size than its picture, or ids that are no class.
    """
    ids = decode_image(file.read(), _ANY_ID, file.name).array
    if ids.shape != size:
        shown = (f"{width}x{height}" for height, width in (ids.shape, size))
        raise SampleError(f"{file.name} is {' and its picture '.join(shown)}")
    classes = id_map.apply(ids, file.name) if id_map else ids
    if (top := int(classes.max())) > IGNORED:
        raise SampleError(f"{file.name}: {top} is no class below {IGNORED}", hint="see --map")
    return classes
