"""The two sides of a comparison: each read once, or taken from a file of statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from i2ikit.errors import SourceError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import Tally, extract
from i2ikit.evaluate.features import Features, FeatureSink, no_rows
from i2ikit.evaluate.moments import Statistics, load_statistics
from i2ikit.evaluate.results import describe_side
from i2ikit.evaluate.sets import Images, PictureSet, open_set
from i2ikit.evaluate.space import FeatureSpace, open_space
from i2ikit.plugins import discover
from i2ikit.progress import Progress

#: What may stand for a side.
SideLike: TypeAlias = Images | Statistics

#: What must agree between the two sides of a comparison.
_MUST_AGREE = ("features", "dims", "resize", "weights_sha256", "precision")


@dataclass(frozen=True)
class Side:
    """One side, read.

    Attributes:
        features: its features, or their statistics.
        made_with: the feature space and precision; empty where a file doesn't say.
        description: counts, sizes and file types, for the card.
    """

    features: Features
    made_with: Mapping[str, Any]
    description: Mapping[str, Any]


#: Rows are kept of sets up to this size, on the disk, though their statistics are enough: KID
#: beside a Fréchet distance needs them.
_KEPT = 50_000


@dataclass(frozen=True)
class Asked:
    """The feature space that was asked for: opened for pictures, and what statistics must be of.

    Attributes:
        features: its name.
        dims: None: its usual layer.
        convention: "" for its usual one.
        weights: a file to use instead of the official one.
    """

    features: str
    dims: int | None = None
    convention: str = ""
    weights: str | Path | None = None

    def open(self, compute: Compute) -> FeatureSpace:
        """Return the space.

        Raises:
            I2IError: as `open_space`.
        """
        return open_space(
            discover(compute.blocked),
            self.features,
            dims=self.dims,
            weights=self.weights,
            convention=self.convention,
            download=compute.download,
        )

    def check(self, side: Side) -> None:
        """Refuse statistics of another space, as far as they say.

        Raises:
            UsageError: naming what differs.
        """
        made, location = side.made_with, side.features.location
        if self.dims is not None and side.features.dims != self.dims:
            raise UsageError(
                f"{location} has {side.features.dims} dims, but --dims {self.dims} was given"
            )
        if made.get("features", self.features) != self.features:
            raise UsageError(
                f"{location} was made with features '{made['features']}', not '{self.features}'",
                hint=f"fd with --features {made['features']} compares it",
            )
        if not str(made.get("convention", self.convention)).startswith(self.convention):
            raise UsageError(
                f"{location} follows {made['convention'] or 'no convention'}, not {self.convention}"
            )


def read_sides(
    sides: Sequence[SideLike],
    asked: Asked,
    compute: Compute,
    *,
    by_statistics: bool,
    space: FeatureSpace | None = None,
) -> list[Side]:
    """Read sides in one feature space, which is opened only if one has pictures.

    Args:
        sides: what is compared.
        asked: which space that is.
        compute: how to go about it.
        by_statistics: whether statistics are enough, so that features of large sets aren't kept.
        space: the same, if it is open already.

    Raises:
        I2IError: a side isn't there, is empty, or was made in another space.
    """
    opened = [_open(side, by_statistics=by_statistics) for side in sides]
    sets = [one for one in opened if isinstance(one, PictureSet)]
    if sets:
        space = space or asked.open(compute)
    elif asked.weights is not None:
        raise UsageError(
            f"--weights {asked.weights} is of no use: there are only statistics",
            hint="leave it out",
        )
    for one in opened:
        if isinstance(one, Side):
            asked.check(one)
            if space:
                _check_fit(one, space, compute)
    watch = _Watch(compute, [one.count for one in sets])
    read = []
    for one in opened:
        if isinstance(one, Side):
            read.append(one)
        elif space is not None:
            most = _KEPT if by_statistics else None
            read.append(_read_set(one, space, compute, watch.next(), most))
    for side in read[1:]:
        check_alike(read[0], side)
    return read


def check_side(
    side: SideLike, space: FeatureSpace, compute: Compute, *, by_statistics: bool
) -> None:
    """Refuse a side that couldn't be compared with features of `space`, without reading pictures.

    Raises:
        I2IError: it isn't there, is empty, or was made in another space.
    """
    opened = _open(side, by_statistics=by_statistics)
    if isinstance(opened, Side):
        _check_fit(opened, space, compute)


def _check_fit(side: Side, space: FeatureSpace, compute: Compute) -> None:
    none = Features("the other side", 0, known=np.empty((0, space.dims), dtype=np.float32))
    check_alike(side, Side(none, made_with(space, compute), {}))


def _open(side: SideLike, *, by_statistics: bool) -> PictureSet | Side:
    if isinstance(side, Statistics):
        opened = side_of_statistics("statistics", side)
    elif isinstance(side, str | Path) and str(side).endswith(".npz"):
        opened = side_of_statistics(str(side), load_statistics(side))
    else:
        return open_set(side)
    if not by_statistics:
        raise no_rows(opened.features.location)
    return opened


def side_of_statistics(location: str, found: Statistics) -> Side:
    """Return statistics as a side."""
    made, pictures = dict(found.card), {"n": found.n}
    pictures |= made.pop("pictures", {}) | {"location": location}
    return Side(Features(location, found.n, given=found), made, pictures)


def _read_set(
    pictures: PictureSet,
    space: FeatureSpace,
    compute: Compute,
    on_batch: Callable[[Tally], None],
    most: int | None,
) -> Side:
    with closing(FeatureSink(space.dims, most=most)) as sink:
        tally = extract(pictures, space, compute, sink.add, on_batch)
        features = sink.features(pictures.location)
    if tally.n == 0:
        first = tally.failures[0] if tally.failures else "there are none"
        raise SourceError(f"no picture of {pictures.location} can be read: {first}")
    return Side(
        features,
        made_with(space, compute),
        describe_side(pictures.location, tally, pictures.notes),
    )


def made_with(space: FeatureSpace, compute: Compute) -> dict[str, Any]:
    """Return what decides features besides the pictures."""
    return {**space.card(), "precision": compute.precision}


def check_alike(one: Side, other: Side) -> None:
    """Refuse to compare features of different spaces.

    Raises:
        UsageError: naming what differs.
    """
    if one.features.dims != other.features.dims:
        raise UsageError(
            f"{one.features.location} has {one.features.dims} dims, "
            f"{other.features.location} has {other.features.dims}",
            hint="--dims chooses Inception's layer",
        )
    for name in _MUST_AGREE:
        first, second = one.made_with.get(name), other.made_with.get(name)
        if first is not None and second is not None and first != second:
            raise UsageError(
                f"{one.features.location} was made with {name} {first}, "
                f"{other.features.location} with {second}",
                hint="make the statistics again with the same options",
            )


class _Watch:
    """Turns the tallies of one set after another into one progress."""

    def __init__(self, compute: Compute, counts: Sequence[int | None]) -> None:
        self._watcher = compute.on_progress
        self._total = None if None in counts else sum(count or 0 for count in counts)
        self._before = Progress(0, self._total, 0, 0)
        self._now = self._before

    def next(self) -> Callable[[Tally], None]:
        """Return what follows the next set."""
        self._before = self._now

        def follow(tally: Tally) -> None:
            before, failed = self._before, len(tally.failures)
            self._now = Progress(
                before.done + tally.n + failed,
                self._total,
                before.failed + failed,
                before.resumed + tally.num_cached,
            )
            if self._watcher:
                self._watcher(self._now)

        return follow
