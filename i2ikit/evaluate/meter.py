"""Measuring pictures while they are made.

Their features are computed from the arrays that are written and kept in the cache, by the digests
of the files: measuring the finished folder then takes each from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from i2ikit.data.images import Pixels
from i2ikit.errors import CheckpointError, I2IError
from i2ikit.evaluate.cache import FeatureCache
from i2ikit.evaluate.compare import Metric, choose_metrics, compare
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import compute_rows, open_cache
from i2ikit.evaluate.features import Rows
from i2ikit.evaluate.networks import infer, place
from i2ikit.evaluate.results import Result
from i2ikit.evaluate.sets import decode_stored
from i2ikit.evaluate.sides import Asked, SideLike, check_side, read_sides
from i2ikit.evaluate.space import FeatureSpace, open_space
from i2ikit.plugins import blaming, discover


@dataclass(frozen=True)
class Prepared:
    """A picture as feature spaces take it.

    Attributes:
        name: of its file.
        digest: of its file.
        tensors: one for each space at work.
    """

    name: str
    digest: str
    tensors: Sequence[Tensor]


@dataclass(frozen=True)
class Aim:
    """A metric, and what the pictures are compared with."""

    metric: Metric
    reference: SideLike


@dataclass
class _Gauge:
    """A feature space at work: where its features go, and whether it has failed."""

    space: FeatureSpace
    network: nn.Module
    cache: FeatureCache
    has_failed: bool = False


class Meter:
    """Computes the features of pictures as they come, and in the end the metrics.

    Attributes:
        batch_size: pictures whose features are computed at a time.
    """

    def __init__(
        self, aims: Sequence[Aim], spaces: Mapping[str, FeatureSpace], compute: Compute
    ) -> None:
        """Hold what `open_meter` has found."""
        self._aims, self._spaces, self._compute = aims, spaces, compute
        self._device = compute.devices()[0]
        self._gauges: list[_Gauge] = []
        self.batch_size = compute.chosen_batch_size(self._device)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Take pictures within. Where the cache can't be used, they are measured in the end."""
        with ExitStack() as stack:
            for space in self._spaces.values():
                cache = open_cache(space, self._compute, self._device)
                if cache is not None and not cache.problem:
                    stack.enter_context(closing(cache))
                    self._gauges.append(_Gauge(space, place(space.network, self._device), cache))
            yield
        self._gauges = []

    def prepare(self, name: str, data: bytes, pixels: Pixels | None) -> Prepared:
        """Bring a picture to what the networks take; called from several threads at once.

        Args:
            name: of its file.
            data: the file.
            pixels: (H, W, 3) what decoding the file gives, where that is known.
        """
        if not self._gauges:
            return Prepared(name, "", ())
        if pixels is None:
            pixels = decode_stored(data, name)
        tensors = []
        for gauge in self._gauges:
            with blaming(f"features '{gauge.space.name}' at {name}"):
                tensors.append(gauge.space.prepare(pixels))
        return Prepared(name, hashlib.sha256(data).hexdigest(), tensors)

    def compute(self, pictures: Sequence[Prepared]) -> list[Rows | None]:
        """Return the features in each space; None of one that fails. From several threads at once.

        That a space fails does not end the work: measuring in the end says why.
        """
        return [self._compute_in(index, pictures) for index in range(len(self._gauges))]

    def _compute_in(self, index: int, pictures: Sequence[Prepared]) -> Rows | None:
        gauge = self._gauges[index]
        if gauge.has_failed or not pictures:
            return None
        network = partial(
            infer, gauge.network, device=self._device, precision=self._compute.precision
        )
        tensors, names = [p.tensors[index] for p in pictures], [p.name for p in pictures]
        try:
            return compute_rows(gauge.space, network, tensors, names)
        except I2IError:
            gauge.has_failed = True
            return None

    def keep(self, pictures: Sequence[Prepared], rows: Sequence[Rows | None]) -> None:
        """Put what `compute` gave into the caches; from one thread."""
        for gauge, own in zip(self._gauges, rows, strict=True):
            if own is not None:
                digests = [picture.digest for picture in pictures]
                gauge.cache.put(dict(zip(digests, own, strict=True)))

    def measure(self, generated: Path) -> tuple[dict[str, Result], dict[str, str]]:
        """Return results by the names of the metrics for the finished folder, and what failed."""
        results: dict[str, Result] = {}
        problems: dict[str, str] = {}
        for aim in self._aims:
            try:
                results |= self._measure(aim, generated)
            except I2IError as error:
                problems[aim.metric.entry.name] = str(error)
        return results, problems

    def _measure(self, aim: Aim, generated: Path) -> dict[str, Result]:
        entry = aim.metric.entry
        sides = read_sides(
            (aim.reference, generated),
            Asked(entry.features),
            self._compute,
            by_statistics=entry.by_statistics,
            space=self._spaces[entry.features],
        )
        return compare([aim.metric], *sides)


def open_meter(references: Mapping[str, SideLike], compute: Compute) -> Meter:
    """Return what measures pictures against references, given by the names of metrics.

    Raises:
        I2IError: no such metric, its weights or the reference aren't there, or don't fit.
    """
    compute.check()
    catalogue = discover(compute.blocked)
    metrics = choose_metrics(catalogue, {name: {} for name in references})
    names = sorted({metric.entry.features for metric in metrics})
    try:
        spaces = {name: open_space(catalogue, name) for name in names}
    except CheckpointError as error:
        hint = "i2ikit weights says which file it is and where to put it, or fetches it"
        raise CheckpointError(error.message, hint=hint) from None
    aims = [Aim(metric, references[metric.entry.name]) for metric in metrics]
    for aim in aims:
        check_side(
            aim.reference,
            spaces[aim.metric.entry.features],
            compute,
            by_statistics=aim.metric.entry.by_statistics,
        )
    return Meter(aims, spaces, compute)
