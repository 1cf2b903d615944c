"""Measuring pictures while they are made.

Their features are computed from the arrays that are written and kept in the cache, by the digests
of the files: measuring the finished folder then takes each from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from i2ikit.data.images import Pixels
from i2ikit.evaluate.cache import FeatureCache
from i2ikit.evaluate.compare import Metric, choose_metrics, compare
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import open_cache
from i2ikit.evaluate.networks import Replicas
from i2ikit.evaluate.results import Result
from i2ikit.evaluate.sets import decode_stored
from i2ikit.evaluate.sides import SideLike, check_side, read_sides
from i2ikit.evaluate.space import FeatureSpace, open_space
from i2ikit.plugins import discover

#: A file's digest, and its picture as each feature space takes it.
Prepared: TypeAlias = tuple[str, Sequence[Tensor]]


@dataclass(frozen=True)
class Aim:
    """A metric, and what the pictures are compared with."""

    metric: Metric
    reference: SideLike


@dataclass
class _Gauge:
    """A feature space at work: pictures that wait for the network, and where features go."""

    space: FeatureSpace
    network: Replicas
    cache: FeatureCache
    batch_size: int
    waiting: dict[str, Tensor] = field(default_factory=dict)

    def add(self, digest: str, tensor: Tensor) -> None:
        """Take in a picture."""
        self.waiting[digest] = tensor
        if len(self.waiting) >= self.batch_size:
            self.compute()

    def compute(self) -> None:
        """Compute the features of all that wait."""
        if self.waiting:
            rows = self.network(torch.stack(list(self.waiting.values()))).numpy()
            self.cache.put(dict(zip(self.waiting, rows, strict=True)))
            self.waiting.clear()


class Meter:
    """Computes the features of pictures as they come, and in the end the metrics."""

    def __init__(
        self, aims: Sequence[Aim], spaces: Mapping[str, FeatureSpace], compute: Compute
    ) -> None:
        """Hold what `open_meter` has found."""
        self._aims, self._spaces, self._compute = aims, spaces, compute
        self._gauges: list[_Gauge] = []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Take pictures within."""
        device = self._compute.devices()[0]
        size = self._compute.chosen_batch_size(device)
        with ExitStack() as stack:
            for space in self._spaces.values():
                cache = open_cache(space, self._compute, device)
                if cache is not None:
                    stack.enter_context(closing(cache))
                    network = Replicas(space.network, [device], self._compute.precision)
                    self._gauges.append(_Gauge(space, network, cache, size))
            yield
            for gauge in self._gauges:
                gauge.compute()
        self._gauges = []

    def prepare(self, data: bytes, pixels: Pixels | None) -> Prepared:
        """Bring a picture to what the networks take; called from several threads at once.

        Args:
            data: its file.
            pixels: (H, W, 3) what decoding the file gives, where that is known.
        """
        if pixels is None:
            pixels = decode_stored(data, "output")
        digest = hashlib.sha256(data).hexdigest()
        return digest, [gauge.space.prepare(pixels) for gauge in self._gauges]

    def add(self, pictures: Sequence[Prepared]) -> None:
        """Take in pictures, and compute the features of a batch when one is full; from one thread.

        Raises:
            RunError: the device is out of memory.
        """
        for digest, tensors in pictures:
            for gauge, tensor in zip(self._gauges, tensors, strict=True):
                gauge.add(digest, tensor)

    def measure(self, generated: Path) -> dict[str, Result]:
        """Return the results by the names of the metrics, for the finished folder."""
        results: dict[str, Result] = {}
        for aim in self._aims:
            space = self._spaces[aim.metric.entry.features]
            sides = read_sides(
                (aim.reference, generated),
                lambda space=space: space,  # type: ignore[misc]
                self._compute,
                by_statistics=aim.metric.entry.by_statistics,
            )
            results |= compare([aim.metric], *sides)
        return results


def open_meter(references: Mapping[str, SideLike], compute: Compute) -> Meter:
    """Return what measures pictures against references, given by the names of metrics.

    Raises:
        I2IError: no such metric, its weights or the reference aren't there, or don't fit.
    """
    compute.check()
    catalogue = discover(compute.blocked)
    metrics = choose_metrics(catalogue, {name: {} for name in references})
    names = {metric.entry.features for metric in metrics}
    spaces = {name: open_space(catalogue, name, download=compute.download) for name in names}
    aims = [Aim(metric, references[metric.entry.name]) for metric in metrics]
    for aim in aims:
        check_side(
            aim.reference,
            spaces[aim.metric.entry.features],
            compute,
            by_statistics=aim.metric.entry.by_statistics,
        )
    return Meter(aims, spaces, compute)
