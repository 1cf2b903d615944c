"""Mean and covariance of features: gathered in one pass, merged exactly, kept in files."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from i2ikit.errors import SourceError, UsageError, counted

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Doubles: TypeAlias = npt.NDArray[np.float64]

#: Rows are taken in blocks of this many, however they come: fewer updates, and the same sums.
_BLOCK = 256


class Moments:
    """Count, mean and scatter of rows, in float64.

    Blocks are joined by Chan, Golub and LeVeque's update (1979, eq. 2.1): each is centred on its
    own mean, so that an offset of the features costs no digits.

    Attributes:
        dims: length of a row.
    """

    def __init__(self, dims: int) -> None:
        """Begin with no rows."""
        self.dims = dims
        self._n = 0
        self._mean: Doubles = np.zeros(dims)
        self._scatter: Doubles = np.zeros((dims, dims))
        self._waiting: list[Floats] = []

    @property
    def n(self) -> int:
        """How many rows were added."""
        return self._n + sum(map(len, self._waiting))

    def add(self, rows: Floats) -> None:
        """Take in (n, dims) rows."""
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) < _BLOCK:
            return
        waiting = np.concatenate(self._waiting)
        whole = len(waiting) - len(waiting) % _BLOCK
        for start in range(0, whole, _BLOCK):
            self._take(waiting[start : start + _BLOCK])
        self._waiting = [waiting[whole:].copy()]

    def _take(self, rows: Floats) -> None:
        block = rows.astype(np.float64)
        mean = block.mean(axis=0)
        block -= mean
        self._join(len(rows), mean, block.T @ block)

    def _join(self, n: int, mean: Doubles, scatter: Doubles) -> None:
        total = self._n + n
        step = mean - self._mean
        self._scatter += scatter
        self._scatter += np.outer(step, step * (self._n * n / total))
        self._mean = self._mean + step * (n / total)
        self._n = total

    @classmethod
    def of(cls, known: Statistics, n: int) -> Moments:
        """Return the moments of the `n` rows that statistics are of."""
        moments = cls(known.dims)
        moments._join(n, known.mu, known.sigma * (n - 1))
        return moments

    def merge(self, other: Moments) -> None:
        """Take in all rows of another one, as if they had been added here."""
        self._settle()
        other._settle()
        if other._n:
            self._join(other._n, other._mean, other._scatter)

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        for rows in waiting:
            if len(rows):
                self._take(rows)

    def statistics(self, card: Mapping[str, Any] | None = None) -> Statistics:
        """Return the mean and the covariance (over n - 1).

        Raises:
            UsageError: fewer than two rows have no covariance.
        """
        self._settle()
        if self._n < 2:
            raise UsageError(f"{counted(self._n, 'picture')} can't have a covariance: 2 are needed")
        sigma = self._scatter / (self._n - 1)
        return Statistics(self._mean.copy(), (sigma + sigma.T) / 2, self._n, card or {})


@dataclass(frozen=True)
class Statistics:
    """What a Fréchet distance needs of one side.

    Attributes:
        mu: (dims,) mean.
        sigma: (dims, dims) covariance.
        n: how many pictures; None where a file doesn't say.
        card: what they were made with, as `FeatureSpace.card`; empty where a file doesn't say.
    """

    mu: Doubles
    sigma: Doubles
    n: int | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dims(self) -> int:
        """Length of a feature vector."""
        return len(self.mu)


def check_name(path: Path) -> None:
    """Refuse a place that statistics can't be written to.

    Raises:
        UsageError: the file exists, or isn't called .npz.
    """
    if path.suffix != ".npz":
        raise UsageError(f"{path} is no name for statistics", hint="call it .npz")
    if path.exists():
        raise UsageError(f"{path} exists", hint="remove it, or choose another name")
    if not path.parent.is_dir():
        raise UsageError(f"{path} can't be written: {path.parent} is no folder")


def save_statistics(path: str | Path, statistics: Statistics) -> None:
    """Write `.npz`: `mu` and `sigma`, as pytorch-fid reads them, with `n` and the card beside.

    Raises:
        UsageError: the file exists, or isn't called .npz.
        SourceError: it can't be written.
    """
    path = Path(path)
    check_name(path)
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex}.npz")
    try:
        np.savez_compressed(
            scratch,
            mu=statistics.mu,
            sigma=statistics.sigma,
            n=np.array(-1 if statistics.n is None else statistics.n),
            card=np.array(json.dumps(dict(statistics.card))),
        )
        os.replace(scratch, path)  # noqa: PTH105 - Path.replace says the same
    except OSError as error:
        raise SourceError(f"{path} can't be written: {error.strerror or error}") from None
    finally:
        scratch.unlink(missing_ok=True)


def _is_card(card: Any) -> bool:
    """Tell whether a card has the form that it is given when statistics are saved."""
    pictures = card.get("pictures", {}) if isinstance(card, dict) else None
    kinds = {"file_types": dict, "traits": dict, "shorter_sides": list}
    return isinstance(pictures, dict) and all(
        isinstance(pictures.get(name, kind()), kind) for name, kind in kinds.items()
    )


def load_statistics(path: str | Path) -> Statistics:
    """Read `.npz`, ours or another package's with `mu` and `sigma`.

    Raises:
        SourceError: not there, damaged, or not the statistics of features.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = _read(path, file)
    except SourceError:
        raise
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist") from None
    except ValueError:  # numpy would advise to run what the file holds
        raise SourceError(f"{path} can't be read as statistics: it holds no arrays") from None
    except Exception as error:  # damaged files raise whatever the parsers of zip and numpy raise
        raise SourceError(f"{path} can't be read as statistics: {error}") from None
    _check(path, found.mu, found.sigma)
    return found


def _read(path: Path, file: Mapping[str, Any]) -> Statistics:
    if not {"mu", "sigma"} <= file.keys():
        names = ", ".join(sorted(file)) or "nothing"
        raise SourceError(f"{path} holds {names}, not mu and sigma")
    if any(np.iscomplexobj(file[name]) for name in ("mu", "sigma")):
        raise SourceError(f"{path} holds complex numbers")
    mu, sigma = (file[name].astype(np.float64) for name in ("mu", "sigma"))
    n = int(file["n"]) if "n" in file else -1
    card = json.loads(str(file["card"])) if "card" in file else {}
    if not _is_card(card):
        raise SourceError(f"{path} can't be read as statistics: its card is {card!r}")
    return Statistics(mu, sigma, n if n >= 0 else None, card)


def _check(path: Path, mu: Doubles, sigma: Doubles) -> None:
    """Refuse what is no mean and covariance."""
    if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)):
        raise SourceError(f"{path}: mu is {mu.shape} and sigma {sigma.shape}, not (d,) and (d, d)")
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise SourceError(f"{path} holds NaN or infinity")
    tolerance = 1e-6 * np.abs(sigma).max(initial=0)
    if (np.diagonal(sigma) < 0).any() or not np.allclose(sigma, sigma.T, rtol=0, atol=tolerance):
        raise SourceError(f"{path}: sigma is no covariance: asymmetric, or with variances below 0")
