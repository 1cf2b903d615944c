"""FID-infinity: what the distance would be of infinitely many pictures.

FID falls about linearly in 1/N (Chong and Forsyth 2020, arXiv:1911.07023, section 3): it is
measured on growing random parts of the generated pictures, and the line is followed to 1/N = 0.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from i2ikit.evaluate.features import Features, Measured, need
from i2ikit.evaluate.frechet import frechet_distance
from i2ikit.options import Options

#: The paper's smallest part.
_SMALLEST = 5000


class InfinityOptions(Options):
    """Options of `fid-infinity`."""

    points: int = Field(15, ge=2, description="parts of growing size that the line is fitted to")
    seed: int = Field(0, ge=0, description="of the parts")


def measure_fid_infinity(real: Features, generated: Features, options: InfinityOptions) -> Measured:
    """Measure the intercept; only the generated side is extrapolated, the real one stays whole.

    Raises:
        UsageError: there are too few generated pictures for parts of different sizes.
    """
    need(real, 2, "a Fréchet distance")
    need(generated, 20, "FID-infinity")
    count = len(generated.rows)
    smallest = min(_SMALLEST, max(10, count // 10))
    sizes = np.unique(np.linspace(smallest, count, options.points).astype(int))
    draws = np.random.default_rng(options.seed)
    distances = [
        frechet_distance(real, generated.take(draws.permutation(count)[:size])) for size in sizes
    ]
    slope, intercept = np.polyfit(1 / sizes, distances, 1)
    return Measured(
        float(intercept),
        parts={"slope": float(slope), "largest": distances[-1]},
        card={"sizes": f"{len(sizes)} from {smallest} to {count}", "seed": options.seed},
    )
