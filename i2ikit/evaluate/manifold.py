"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

arXiv:1904.06991, eq. 1 and 2; arXiv:2002.09797, eq. 1 and 2. A side's manifold is the union of
balls around its pictures, each reaching its k-th neighbour, itself not counted.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from i2ikit.evaluate.features import Features, Measured, need
from i2ikit.options import Options

#: Squared distances are off by this share of the squared lengths: equal pictures must not fall out.
_ROUNDING = 1e-12
#: Rows of distances computed at a time.
_BLOCK = 1024


class ManifoldOptions(Options):
    """Options of `precision-recall`."""

    k: int | None = Field(
        None, ge=1, description="neighbour; unset: 3 for precision and recall, 5 for the other two"
    )


def measure_precision_recall(
    real: Features, generated: Features, options: ManifoldOptions
) -> Measured:
    """Measure all four; the value is precision: the share of generated pictures in a real ball.

    Raises:
        UsageError: a side has no k-th neighbour.
    """
    near, far = options.k or 3, options.k or 5
    need(real, max(near, far) + 1, f"precision and recall with k = {max(near, far)}")
    need(generated, near + 1, f"precision and recall with k = {near}")
    x, y = _centred(real, generated)
    real_near, real_far = _radii(x, (near, far))
    (generated_near,) = _radii(y, (near,))

    slack = _ROUNDING * max(float(x.square().sum(dim=1).max()), float(y.square().sum(dim=1).max()))
    real_near, real_far, generated_near = (
        radii + slack for radii in (real_near, real_far, generated_near)
    )
    is_real_like = torch.zeros(len(y), dtype=torch.bool)
    balls_held = torch.zeros(len(y))
    recalled: list[Tensor] = []
    covered: list[Tensor] = []
    for start, distances in _distances(x, y):
        rows = slice(start, start + len(distances))
        is_real_like |= (distances <= real_near[rows, None]).any(dim=0)
        balls_held += (distances <= real_far[rows, None]).sum(dim=0)
        recalled.append((distances <= generated_near[None]).any(dim=1))
        covered.append(distances.min(dim=1).values <= real_far[rows])
    precision = float(is_real_like.double().mean())
    return Measured(
        precision,
        parts={
            "precision": precision,
            "recall": float(torch.cat(recalled).double().mean()),
            "density": float(balls_held.double().mean() / far),
            "coverage": float(torch.cat(covered).double().mean()),
        },
        card={"k": f"{near} (precision, recall), {far} (density, coverage)"},
    )


def _centred(real: Features, generated: Features) -> tuple[Tensor, Tensor]:
    """Return both sides around one mean, so that squared distances keep their digits."""
    x = torch.from_numpy(real.rows.astype(np.float64))
    y = torch.from_numpy(generated.rows.astype(np.float64))
    mean = x.mean(dim=0)
    return x - mean, y - mean


def _distances(x: Tensor, y: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield squared distances of some rows of x to all of y, with the first row's place."""
    norms = y.square().sum(dim=1)
    for start in range(0, len(x), _BLOCK):
        part = x[start : start + _BLOCK]
        squared = part.square().sum(dim=1)[:, None] + norms[None] - 2 * part @ y.T
        yield start, squared.clamp(min=0)


def _radii(x: Tensor, ks: tuple[int, ...]) -> list[Tensor]:
    """Return each row's squared distance to its k-th neighbour, for several k."""
    radii = []
    for start, distances in _distances(x, x):
        own = torch.arange(len(distances))
        distances[own, own + start] = -1.0  # itself comes first, whatever rounding says
        radii.append(distances.topk(max(ks) + 1, largest=False, sorted=True).values)
    every = torch.cat(radii)
    return [every[:, k] for k in ks]
