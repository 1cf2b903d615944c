"""Pictures on their way to the vectors of LPIPS, a group of one size after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice

import torch
from torch import Tensor

from i2ikit.ahead import ahead
from i2ikit.data.images import Header, Pixels, to_tensor
from i2ikit.errors import ModelError, SampleError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.networks import Replicas
from i2ikit.evaluate.perceptual import Perceptual
from i2ikit.evaluate.sets import Picture, read_picture
from i2ikit.model import RGB
from i2ikit.progress import Progress


@dataclass(frozen=True)
class Embedded:
    """A picture with its vector.

    Attributes:
        picture: where it is from.
        pixels: (H, W, 3); None if it can't be read.
        header: what its file says; None if it can't be read.
        vector: (D,) float32 on the CPU; None if it can't be read.
        failure: why it can't be read.
    """

    picture: Picture
    pixels: Pixels | None = None
    header: Header | None = None
    vector: Tensor | None = None
    failure: str = ""


def tally_up(tally: Tally, pictures: Iterable[Embedded]) -> None:
    """Take in pictures, and why others can't be read."""
    for picture in pictures:
        if picture.header is None:
            tally.failures.append(picture.failure)
        else:
            tally.count(picture.header)


def embed(
    groups: Sequence[Sequence[Picture]], perceptual: Perceptual, compute: Compute
) -> Iterator[list[Embedded]]:
    """Yield the pictures of each group with their vectors; those that can't be read without.

    Pictures are decoded ahead of the network. The vectors of a group or two are held at a time: at
    256×256 one takes 3 MB (alex), 8 MB (squeeze) or 32 MB (vgg).

    Raises:
        SampleError: a picture can't be read, is too small for the network, or of another size than
            its group's first, and the work stops at such.
        ModelError: vectors hold NaN or infinity.
    """
    devices, workers = compute.devices(), compute.chosen_workers()
    size = compute.chosen_batch_size(devices[0])
    with ExitStack() as stack:
        stack.enter_context(compute.kernels())
        codecs = stack.enter_context(ThreadPoolExecutor(workers)) if workers else None
        replicas = Replicas(perceptual.network, devices, compute.precision)
        several = replicas.count > 1
        networks = stack.enter_context(ThreadPoolExecutor(replicas.count)) if several else None

        loaded = ahead(_load, chain.from_iterable(groups), codecs, size + workers)
        batches = _batch(groups, loaded, size, perceptual)
        done = ahead(partial(_run, replicas), batches, networks, replicas.count)
        pictures = _follow(done, compute, sum(map(len, groups)))
        for group in groups:
            yield list(islice(pictures, len(group)))


def _load(picture: Picture) -> Embedded:
    """Read and decode a picture."""
    try:
        header, pixels = read_picture(picture)
        return Embedded(picture, pixels, header)
    except SampleError as error:
        return Embedded(picture, failure=str(error))


def _batch(
    groups: Iterable[Sequence[Picture]],
    loaded: Iterator[Embedded],
    size: int,
    perceptual: Perceptual,
) -> Iterator[list[Embedded]]:
    """Yield batches of up to `size` pictures of one group, whose sizes agree."""
    for group in groups:
        members = _check_sizes(list(islice(loaded, len(group))), perceptual)
        for start in range(0, len(members), size):
            yield members[start : start + size]


def _check_sizes(members: Sequence[Embedded], perceptual: Perceptual) -> list[Embedded]:
    """Return the members; one that is too small, or not of the first's size, as a failure."""
    readable = [member.pixels.shape for member in members if member.pixels is not None]
    return [
        member
        if member.pixels is None
        else _check_size(member, member.pixels.shape, readable[0], perceptual)
        for member in members
    ]


def _check_size(
    member: Embedded, shape: tuple[int, ...], first: tuple[int, ...], perceptual: Perceptual
) -> Embedded:
    height, width = shape[:2]
    failure = ""
    if min(height, width) < perceptual.least_side:
        failure = (
            f"{member.picture.name} is {width}x{height}: the {perceptual.net} of LPIPS takes"
            f" pictures of {perceptual.least_side} pixels a side or more"
        )
    elif shape != first:
        failure = (
            f"{member.picture.name} is {width}x{height}, others of its input {first[1]}x{first[0]}:"
            " LPIPS compares pictures of one size"
        )
    return Embedded(member.picture, failure=failure) if failure else member


def _run(replicas: Replicas, items: Sequence[Embedded]) -> list[Embedded]:
    """Give the pictures that could be read their vectors."""
    inputs = [to_tensor(item.pixels, RGB()) for item in items if item.pixels is not None]
    if not inputs:
        return list(items)
    vectors = iter(replicas(torch.cat(inputs)))
    return [
        item if item.pixels is None else replace(item, vector=_check(next(vectors), item))
        for item in items
    ]


def _check(vector: Tensor, item: Embedded) -> Tensor:
    if not vector.sum().isfinite():
        raise ModelError(
            f"the features of {item.picture.name} hold NaN or infinity",
            hint="the weights may be damaged; --precision fp32 has the widest range",
        )
    return vector


def _follow(
    batches: Iterable[Sequence[Embedded]], compute: Compute, total: int
) -> Iterator[Embedded]:
    """Yield the pictures, report how far they are, and stop at one that failed if that is asked."""
    done = failed = 0
    for items in batches:
        for item in items:
            if item.failure and compute.on_error == "stop":
                raise SampleError(item.failure, hint="--on-error skip leaves it out and counts it")
            failed += item.failure != ""
        done += len(items)
        if compute.on_progress:
            compute.on_progress(Progress(done, total, failed, 0))
        yield from items
