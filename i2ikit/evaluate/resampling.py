"""How far a number would vary with other pictures of the same kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from i2ikit.evaluate.features import Features
from i2ikit.evaluate.moments import Doubles

_DRAWS = 100
_SEED = 0
#: How `interval_of` and `interval_of_mean` go about it, for cards.
HALVES = f"95 %, {_DRAWS} half-samples of both sides, seed {_SEED}"
BOOTSTRAP = f"95 %, {10 * _DRAWS} bootstrap draws of inputs, seed {_SEED}"


def interval_of(
    measure: Callable[[Features, Features], float],
    value: float,
    real: Features,
    generated: Features,
) -> tuple[float, float]:
    """Return 95 % of the spread of `value` over draws of half of each side, around the value.

    A half without replacement spreads as the whole does from one data set to the next (the
    delete-half jackknife: Shao and Wu 1989, Annals of Statistics 17, section 4). A bootstrap draws
    pictures twice, which these metrics take for nearness. The outputs of one input are drawn
    together, as they are not independent.
    """
    generator = np.random.default_rng(_SEED)
    values = np.array(
        [measure(_half(real, generator), _half(generated, generator)) for _ in range(_DRAWS)]
    )
    return around(value, values)


def _half(side: Features, generator: np.random.Generator) -> Features:
    groups = side.groups if side.groups is not None else np.arange(len(side.rows))
    names = np.unique(groups)
    chosen = generator.permutation(names)[: max(1, len(names) // 2)]
    return side.take(np.flatnonzero(np.isin(groups, chosen)))


def interval_of_mean(values: Doubles) -> tuple[float, float] | None:
    """Return 95 % of a bootstrap of the mean of independent values; None for a single one."""
    if len(values) < 2:
        return None
    generator = np.random.default_rng(_SEED)
    drawn = generator.integers(0, len(values), (_DRAWS * 10, len(values)))
    return around(float(values.mean()), values[drawn].mean(axis=1))


def around(value: float, redrawn: Doubles) -> tuple[float, float]:
    """Return the middle 95 % of `redrawn`, moved so that its mean is `value`."""
    low, high = np.quantile(redrawn - redrawn.mean(), [0.025, 0.975])
    return value + float(low), value + float(high)
