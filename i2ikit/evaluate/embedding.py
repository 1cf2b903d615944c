"""Pictures on their way to the vectors of LPIPS, a group of one size after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice

import torch
from torch import Tensor

from i2ikit.ahead import ahead
from i2ikit.data.images import to_tensor
from i2ikit.errors import ModelError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.loaded import Loaded, Takes, check_sizes, follow, load
from i2ikit.evaluate.networks import Replicas
from i2ikit.evaluate.perceptual import Perceptual
from i2ikit.evaluate.sets import Picture
from i2ikit.model import RGB


@dataclass(frozen=True)
class Embedded(Loaded):
    """A picture with its vector.

    Attributes:
        vector: (D,) float32 on the CPU; None if the picture can't be read.
    """

    vector: Tensor | None = None


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

        loaded = ahead(load, chain.from_iterable(groups), codecs, size + workers)
        takes = Takes("LPIPS", f"the {perceptual.net} of LPIPS", perceptual.least_side)
        batches = _batch(groups, loaded, size, takes)
        done = ahead(partial(_run, replicas), batches, networks, replicas.count)
        pictures = chain.from_iterable(follow(done, compute, sum(map(len, groups))))
        for group in groups:
            yield list(islice(pictures, len(group)))


def _batch(
    groups: Iterable[Sequence[Picture]],
    loaded: Iterator[Loaded],
    size: int,
    takes: Takes,
) -> Iterator[list[Loaded]]:
    """Yield batches of up to `size` pictures of one group, whose sizes agree."""
    for group in groups:
        members = check_sizes(list(islice(loaded, len(group))), takes)
        for start in range(0, len(members), size):
            yield members[start : start + size]


def _run(replicas: Replicas, items: Sequence[Loaded]) -> list[Embedded]:
    """Give the pictures that could be read their vectors."""
    inputs = [to_tensor(item.pixels, RGB()) for item in items if item.pixels is not None]
    vectors = iter(replicas(torch.cat(inputs)) if inputs else ())
    return [
        Embedded(
            item.picture,
            item.pixels,
            item.header,
            item.failure,
            None if item.pixels is None else _check(next(vectors), item),
        )
        for item in items
    ]


def _check(vector: Tensor, item: Loaded) -> Tensor:
    if not vector.sum().isfinite():
        raise ModelError(
            f"the features of {item.picture.name} hold NaN or infinity",
            hint="the weights may be damaged; --precision fp32 has the widest range",
        )
    return vector
