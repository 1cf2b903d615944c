"""How far a number would vary with other pictures of the same kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from i2ikit.evaluate.features import Features
from i2ikit.evaluate.moments import Doubles

_DRAWS = 200
_SEED = 0


def interval_of(
    measure: Callable[[Features, Features], float], real: Features, generated: Features
) -> tuple[float, float]:
    """Return 95 % of a bootstrap over the pictures of both sides.

    Pictures drawn twice push these metrics up, so that only the spread of the redraws is taken,
    around the value itself.
    """
    generator = np.random.default_rng(_SEED)

    def redrawn(side: Features) -> Features:
        return side.take(generator.integers(0, len(side.rows), len(side.rows)))

    values = np.array([measure(redrawn(real), redrawn(generated)) for _ in range(_DRAWS)])
    return around(measure(real, generated), values)


def interval_of_mean(values: Doubles) -> tuple[float, float]:
    """Return 95 % of a bootstrap of the mean of independent values."""
    generator = np.random.default_rng(_SEED)
    drawn = generator.integers(0, len(values), (_DRAWS, len(values)))
    return around(float(values.mean()), values[drawn].mean(axis=1))


def around(value: float, redrawn: Doubles) -> tuple[float, float]:
    """Return the middle 95 % of `redrawn`, moved so that its mean is `value`."""
    low, high = np.quantile(redrawn - redrawn.mean(), [0.025, 0.975])
    return value + float(low), value + float(high)
