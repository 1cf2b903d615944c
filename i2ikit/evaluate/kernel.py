"""Kernel Inception distance: unbiased squared MMD (Bińkowski et al. 2018, arXiv:1801.01401)."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from i2ikit.evaluate.features import Features, Measured, Rows, need
from i2ikit.options import Options

#: Kernel values computed at a time.
_BLOCK = 4096


class KidOptions(Options):
    """Options of `kid`."""

    subsets: int = Field(100, ge=0, description="drawn subsets; 0: all pictures at once")
    subset_size: int = Field(1000, ge=2, description="pictures of each side in a subset")
    seed: int = Field(2020, ge=0, lt=2**32, description="of the subsets")


def measure_kid(real: Features, generated: Features, options: KidOptions) -> Measured:
    """Measure KID with the kernel (x·y / dims + 1)³; it can be a little below 0.

    The value is the mean over seeded subsets drawn without replacement, as torch-fidelity draws
    them. Where a side has no more pictures than a subset, all are used at once: the least variance.

    Raises:
        UsageError: a side has fewer than two pictures.
    """
    need(real, 2, "KID")
    need(generated, 2, "KID")
    x, y = real.rows, generated.rows
    if options.subsets == 0 or options.subset_size >= min(len(x), len(y)):
        return Measured(_mmd(_tensor(x), _tensor(y)), card={"estimator": "all pictures"})
    draws = np.random.RandomState(options.seed)  # its stream is frozen
    values = []
    for _ in range(options.subsets):
        first = draws.choice(len(y), options.subset_size, replace=False)
        second = draws.choice(len(x), options.subset_size, replace=False)
        values.append(_mmd(_tensor(x[second]), _tensor(y[first])))
    return Measured(
        float(np.mean(values)),
        parts={"std": float(np.std(values))},
        card={
            "estimator": f"{options.subsets} subsets of {options.subset_size}",
            "seed": options.seed,
        },
    )


def _tensor(rows: Rows) -> Tensor:
    return torch.from_numpy(np.array(rows, dtype=np.float32))


def _mmd(x: Tensor, y: Tensor) -> float:
    """Return the unbiased estimate: pairs within a side leave each picture's own out."""
    n, m = len(x), len(y)
    within_x = (_kernel_sum(x, x) - _diagonal_sum(x)) / (n * (n - 1))
    within_y = (_kernel_sum(y, y) - _diagonal_sum(y)) / (m * (m - 1))
    return within_x + within_y - 2 * _kernel_sum(x, y) / (n * m)


def _kernel_sum(x: Tensor, y: Tensor) -> float:
    total, dims = 0.0, x.shape[1]
    for i in range(0, len(x), _BLOCK):
        for j in range(0, len(y), _BLOCK):
            part, other = x[i : i + _BLOCK].double(), y[j : j + _BLOCK].double()
            total += float((part @ other.T / dims + 1).pow(3).sum())
    return total


def _diagonal_sum(x: Tensor) -> float:
    squares = torch.cat([part.double().square().sum(dim=1) for part in torch.split(x, _BLOCK)])
    return float((squares / x.shape[1] + 1).pow(3).sum())
