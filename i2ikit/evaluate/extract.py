"""From pictures to features in one pass: read → look up → decode → batch → network → gather."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from i2ikit.ahead import ahead
from i2ikit.data.images import Header, read_header
from i2ikit.errors import ModelError, SampleError
from i2ikit.evaluate.cache import FeatureCache
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.features import Rows
from i2ikit.evaluate.networks import Replicas
from i2ikit.evaluate.sets import Picture, PictureSet, as_pixels, decode_stored
from i2ikit.evaluate.space import FeatureSpace, text_digest
from i2ikit.plugins import blaming

#: Packages whose versions may change a feature.
_DECISIVE = ("i2ikit", "torch", "torchvision", "timm", "pytorch-fid", "numpy", "pillow")
#: Raised when features would come out otherwise than those that caches hold.
_CACHE_FORMAT = 1

Item = TypeVar("Item")


@dataclass
class Tally:
    """What a set of pictures turned out to be.

    Attributes:
        n: pictures measured.
        failures: why the others could not be, each with its name.
        formats: of the files, counted: "PNG", "JPEG" …
        sizes: (width, height), counted.
        traits: what not all software heeds in a file, counted: "transparency", "EXIF rotation" …
        files: SHA-256 over those of the files, in order; of nothing where they aren't known.
        num_passed_over: other pictures in the samples of tars, which don't count.
        first_passed_over: the name of one.
        num_cached: pictures whose features were in the cache.
        cache_problem: why the cache could not be used.
    """

    n: int = 0
    failures: list[str] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    traits: Counter[str] = field(default_factory=Counter)
    files: hashlib._Hash = field(default_factory=hashlib.sha256)
    num_passed_over: int = 0
    first_passed_over: str = ""
    num_cached: int = 0
    cache_problem: str = ""

    def count(self, header: Header) -> None:
        """Take in a picture that was measured."""
        self.n += 1
        self.formats[header.format] += 1
        self.sizes[header.width, header.height] += 1
        self.traits.update(header.traits)

    def pass_over(self, names: Sequence[str]) -> None:
        """Take in pictures that don't count."""
        self.num_passed_over += len(names)
        self.first_passed_over = self.first_passed_over or "".join(names[:1])


@dataclass(frozen=True)
class _Item:
    """A picture on its way: its bytes, then the network's input or a row from the cache."""

    picture: Picture
    data: bytes = b""
    digest: str = ""
    header: Header | None = None
    row: Rows | None = None
    tensor: Tensor | None = None
    failure: str = ""


def extract(
    pictures: PictureSet,
    space: FeatureSpace,
    compute: Compute,
    add: Callable[[Rows, Sequence[str]], None],
    on_batch: Callable[[Tally], None] | None = None,
) -> Tally:
    """Give the features of every readable picture to `add`, with its key, in the set's order.

    Raises:
        SampleError: a picture can't be read, and the work stops at such.
        ModelError: features are NaN or infinite, or of another length than the space says.
    """
    devices, workers = compute.devices(), compute.chosen_workers()
    size, tally = compute.chosen_batch_size(devices[0]), Tally()
    with ExitStack() as stack:
        stack.enter_context(compute.kernels())
        codecs = stack.enter_context(ThreadPoolExecutor(workers)) if workers else None
        replicas = Replicas(space.network, devices, compute.precision)
        several = replicas.count > 1
        networks = stack.enter_context(ThreadPoolExecutor(replicas.count)) if several else None
        cache = open_cache(space, compute, devices[0])
        if cache:
            stack.enter_context(closing(cache))

        read = ahead(_read, pictures.read(), codecs, size + workers)
        known = _look_up(cache, read, size)
        ready = ahead(partial(_prepare, space), known, codecs, size + workers)
        batches = _batched(ready, size)
        done = ahead(partial(_run, space, replicas), batches, networks, replicas.count)
        for items in done:
            _gather(items, compute, tally, add)
            if cache:
                cache.put({i.digest: i.row for i in items if _is_fresh(i) and i.row is not None})
                tally.cache_problem = cache.problem
            if on_batch:
                on_batch(tally)
    return tally


def installed(package: str) -> str:
    """Return the version of a package; "" if it isn't there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def open_cache(space: FeatureSpace, compute: Compute, device: torch.device) -> FeatureCache | None:
    """Return the cache of a space, as computed on this kind of device; None for no cache."""
    if not compute.cache or not space.digest:
        return None
    versions = [f"{name} {installed(name)}" for name in _DECISIVE]
    what = (_CACHE_FORMAT, *space.card().values(), compute.precision, device.type, *versions)
    return FeatureCache(text_digest(*what), space.dims)


def _read(picture: Picture) -> _Item:
    """Read a picture's bytes and the head of its file."""
    if picture.problem or picture.file is None:
        return _Item(picture, failure=picture.problem)
    try:
        data = picture.file.read()
        header = read_header(data, picture.name)
    except SampleError as error:
        return _Item(picture, failure=str(error))
    return _Item(picture, data, hashlib.sha256(data).hexdigest(), header)


def _look_up(cache: FeatureCache | None, items: Iterable[_Item], size: int) -> Iterator[_Item]:
    """Add the features that the cache holds."""
    if cache is None:
        yield from items
        return
    for group in _batched(items, size):
        rows = cache.find([item.digest for item in group if item.digest])
        for item in group:
            row = rows.get(item.digest)
            yield item if row is None else replace(item, row=row, data=b"")


def _prepare(space: FeatureSpace, item: _Item) -> _Item:
    """Decode a picture and bring it to what the network takes."""
    if item.failure or item.row is not None:
        return item
    try:
        if item.header is not None:
            pixels = decode_stored(item.data, item.picture.name)
            header = item.header
        else:
            pixels = as_pixels(item.picture.array)
            header = Header("array", pixels.shape[1], pixels.shape[0])
    except SampleError as error:
        return replace(item, failure=str(error), data=b"")
    with blaming(f"features '{space.name}' at {item.picture.name}"):
        return replace(item, tensor=space.prepare(pixels), header=header, data=b"")


def _run(space: FeatureSpace, replicas: Replicas, items: Sequence[_Item]) -> Sequence[_Item]:
    """Give the items without features theirs."""
    places = [place for place, item in enumerate(items) if item.tensor is not None]
    if not places:
        return items
    tensors = [t for item in items if (t := item.tensor) is not None]
    names = [items[place].picture.name for place in places]
    rows = compute_rows(space, replicas, tensors, names)
    done = list(items)
    for place, row in zip(places, rows, strict=True):
        done[place] = replace(items[place], row=row)
    return done


def compute_rows(
    space: FeatureSpace,
    network: Callable[[Tensor], Tensor],
    tensors: Sequence[Tensor],
    names: Sequence[str],
) -> Rows:
    """Return the features of prepared pictures, (n, dims).

    Raises:
        ModelError: the network fails, or its features are NaN, infinite or of another length than
            the space says.
    """
    with blaming(f"features '{space.name}'"):
        rows: Rows = network(torch.stack(list(tensors))).numpy()
    due = (len(tensors), space.dims)
    if rows.shape != due:
        raise ModelError(f"features '{space.name}' have shape {rows.shape} where {due} was due")
    for name, row in zip(names, rows, strict=True):
        if not np.isfinite(row).all():
            raise ModelError(
                f"the features of {name} hold NaN or infinity",
                hint="the weights may be damaged; --precision fp32 has the widest range",
            )
    return rows


def _is_fresh(item: _Item) -> bool:
    """Tell whether an item's features were computed now, of a file."""
    return item.tensor is not None and item.digest != ""


def _gather(
    items: Sequence[_Item],
    compute: Compute,
    tally: Tally,
    add: Callable[[Rows, Sequence[str]], None],
) -> None:
    """Count a batch, and pass its features on."""
    rows: list[Rows] = []
    keys: list[str] = []
    for item in items:
        if item.failure:
            if compute.on_error == "stop":
                raise SampleError(item.failure, hint="--on-error skip leaves it out and counts it")
            tally.failures.append(item.failure)
        elif item.row is not None and item.header is not None:
            tally.count(item.header)
            tally.files.update(bytes.fromhex(item.digest))
            tally.pass_over(item.picture.passed_over)
            tally.num_cached += item.tensor is None
            rows.append(item.row)
            keys.append(item.picture.key)
    if rows:
        add(np.stack(rows), keys)


def _batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
