"""Fréchet distance between two sets of features, taken as normal distributions.

|mu1 - mu2|² + tr S1 + tr S2 - 2 tr (S1 S2)^½ (Heusel et al. 2017, arXiv:1706.08500, eq. 6). The
last term is a sum of square roots of eigenvalues, found from symmetric matrices or from the samples
alone: no complex numbers, nothing added to a diagonal.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from i2ikit.errors import UsageError
from i2ikit.evaluate.features import Features, Measured, need
from i2ikit.evaluate.moments import Statistics

#: Above this many pictures samples take more memory than covariances.
_MOST = 10_000


def measure_fid(real: Features, generated: Features, options: object = None) -> Measured:
    """Measure the Fréchet distance, 0 or greater; `parts` holds it as computed, before the clip.

    Raises:
        UsageError: a side has fewer than two pictures, or the sides differ in dims.
    """
    del options
    need(real, 2, "a Fréchet distance")
    need(generated, 2, "a Fréchet distance")
    raw = frechet_distance(real, generated)
    return Measured(max(raw, 0.0), parts={"unclipped": raw} if raw < 0 else {})


def frechet_distance(real: Features, generated: Features) -> float:
    """Return the distance as computed, which rounding may put a hair below 0.

    Where both sets are known by their features and one has fewer pictures than dims, it is taken
    from the samples: exact to 1e-15, where covariances are good to 1e-8, and far faster.

    Raises:
        UsageError: the sides differ in dims.
    """
    if real.dims != generated.dims:
        raise UsageError(
            f"{real.location} has {real.dims} dims, {generated.location} has {generated.dims}"
        )
    both = [side.known for side in (real, generated) if side.known is not None]
    if len(both) == 2 and min(map(len, both)) <= real.dims and max(map(len, both)) <= _MOST:
        return _from_samples(real, generated)
    return _from_statistics(real.statistics, generated.statistics)


def _from_samples(real: Features, generated: Features) -> float:
    """Return the distance of centred samples A, B: tr (S1 S2)^½ is the nuclear norm of A B'."""
    mu1, a = _centred(real)
    mu2, b = _centred(generated)
    overlap = torch.linalg.svdvals(a @ b.T).sum()
    return float((mu1 - mu2).square().sum() + a.square().sum() + b.square().sum() - 2 * overlap)


def _centred(side: Features) -> tuple[Tensor, Tensor]:
    """Return the mean, and the samples around it over sqrt(n - 1): (n, dims) float64."""
    rows = torch.from_numpy(side.rows.astype(np.float64))
    mean = rows.mean(dim=0)
    return mean, (rows - mean) / (len(rows) - 1) ** 0.5


def _from_statistics(real: Statistics, generated: Statistics) -> float:
    """Return the distance of two covariances.

    With S1 = V diag(w) V' and F = V diag(w)^½, F' S2 F is symmetric and has the eigenvalues of
    S1 S2.
    """
    mu1, s1 = torch.from_numpy(real.mu), torch.from_numpy(real.sigma)
    mu2, s2 = torch.from_numpy(generated.mu), torch.from_numpy(generated.sigma)
    values, vectors = torch.linalg.eigh(s1)
    factor = vectors * values.clamp(min=0).sqrt()
    overlap = torch.linalg.eigvalsh(factor.T @ s2 @ factor).clamp(min=0).sqrt().sum()
    return float((mu1 - mu2).square().sum() + s1.trace() + s2.trace() - 2 * overlap)
