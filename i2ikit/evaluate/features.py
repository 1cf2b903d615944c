"""One side of a comparison: the features of a set of pictures, or just their statistics."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from i2ikit.errors import RunError, UsageError, counted
from i2ikit.evaluate.moments import Floats, Moments, Statistics

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """What a metric sees of one side.

    Attributes:
        location: where the pictures are from, for messages.
        n: how many there are; None where statistics don't say.
        known: the features, float32 (n, dims), in the order of the pictures; None where only
            statistics are known.
        given: the statistics, where they are known already.
        groups: (n,) for each picture, which input it was made from; None: each from its own.
    """

    location: str
    n: int | None
    known: Rows | None = None
    given: Statistics | None = None
    groups: npt.NDArray[np.intp] | None = None

    @property
    def dims(self) -> int:
        """Length of a feature vector."""
        if self.known is not None:
            return int(self.known.shape[1])
        return self.statistics.dims

    @property
    def rows(self) -> Rows:
        """The features themselves.

        Raises:
            UsageError: only statistics are known.
        """
        if self.known is None:
            raise no_rows(self.location)
        return self.known

    @cached_property
    def statistics(self) -> Statistics:
        """Mean and covariance.

        Raises:
            UsageError: there are fewer than two pictures.
        """
        if self.given is not None:
            return self.given
        moments = Moments(self.rows.shape[1])
        for start in range(0, len(self.rows), 4096):
            moments.add(self.rows[start : start + 4096])
        return moments.statistics()

    def take(self, places: npt.NDArray[np.intp]) -> Features:
        """Return the features at some places, which may be named more than once."""
        groups = None if self.groups is None else self.groups[places]
        return Features(self.location, len(places), known=self.rows[places], groups=groups)


@dataclass(frozen=True)
class Measured:
    """What a metric found.

    Attributes:
        value: the number it is known by.
        parts: further numbers.
        card: how they were obtained: neighbours, subsets, seeds.
    """

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)


class FeatureSink:
    """Takes features as they come. What it keeps of them lies on the disk, not in memory."""

    def __init__(self, dims: int, *, most: int | None = None) -> None:
        """Begin empty.

        Args:
            dims: length of a feature vector.
            most: features of more pictures than this aren't kept, only their statistics are; None:
                all are kept.
        """
        self._dims, self._most = dims, most
        self._moments = None if most is None else Moments(dims)
        self._groups: list[int] = []
        self._names: dict[str, int] = {}
        self._n = 0
        with _disk():
            self._file: IO[bytes] | None = tempfile.TemporaryFile(prefix="i2ikit-")  # noqa: SIM115

    def add(self, rows: Floats, keys: Sequence[str] = ()) -> None:
        """Take in (n, dims) rows, with what names the input that each was made from.

        Raises:
            RunError: there is no room for them.
        """
        self._n += len(rows)
        if self._moments is not None:
            self._moments.add(rows)
        if self._file is not None and self._most is not None and self._n > self._most:
            self.close()
            self._groups, self._names = [], {}
        if self._file is not None:
            self._groups += [self._names.setdefault(key, len(self._names)) for key in keys]
            with _disk():
                self._file.write(np.ascontiguousarray(rows, dtype=np.float32).tobytes())

    def features(self, location: str) -> Features:
        """Return what was gathered; it outlives this sink."""
        known_by_now = self._moments is not None and self._n > 1
        given = self._moments.statistics() if self._moments and known_by_now else None
        if self._file is None and given is not None:
            return Features(location, self._n, given=given)
        if self._file is None or self._n == 0:
            return Features(location, 0, known=np.empty((0, self._dims), dtype=np.float32))
        with _disk():
            self._file.flush()
            rows = np.memmap(self._file, dtype=np.float32, mode="r", shape=(self._n, self._dims))
        groups = np.array(self._groups) if len(self._names) < len(self._groups) else None
        return Features(location, self._n, known=rows, given=given, groups=groups)

    def close(self) -> None:
        """Let go of the file, which goes when the features from it do."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"features can't be kept in {tempfile.gettempdir()}: {error.strerror or error}",
            hint="set TMPDIR to a folder with 8 kB for each picture",
        ) from None


def no_rows(location: str) -> UsageError:
    """Return the error for statistics where features themselves are needed."""
    return UsageError(
        f"{location} holds statistics, and this needs the pictures themselves",
        hint="give the folder; only Fréchet distances without --interval do with statistics",
    )


def need(features: Features, least: int, what: str) -> None:
    """Refuse a side with too few pictures.

    Raises:
        UsageError: naming the side and the counts.
    """
    if features.n is not None and features.n < least:
        raise UsageError(
            f"{features.location} has {counted(features.n, 'picture')}: {what} needs {least}"
        )
