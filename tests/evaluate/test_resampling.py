"""Intervals: around the value, as wide as theory says, and the same again."""

from __future__ import annotations

import numpy as np
import pytest

from i2ikit.errors import UsageError
from i2ikit.evaluate.features import Features
from i2ikit.evaluate.frechet import frechet_distance
from i2ikit.evaluate.moments import Statistics
from i2ikit.evaluate.resampling import around, interval_of, interval_of_mean
from tests.evaluate.test_frechet import drawn, side


def gap(real: Features, generated: Features) -> float:
    return float(generated.rows.mean() - real.rows.mean())


def test_the_interval_holds_the_value_and_is_the_same_again() -> None:
    sides = side(drawn(40, 6)), side(drawn(30, 6, 1))
    value = frechet_distance(*sides)
    low, high = interval_of(frechet_distance, value, *sides)
    assert low < value < high
    assert interval_of(frechet_distance, value, *sides) == (low, high)


def test_both_sides_are_redrawn() -> None:
    """A difference of means varies by sqrt(1/n + 1/m)."""
    draws = np.random.default_rng(0)
    sides = side(draws.normal(size=(400, 1))), side(draws.normal(2, 1, (100, 1)))
    low, high = interval_of(gap, gap(*sides), *sides)
    assert high - low == pytest.approx(2 * 1.96 * (1 / 400 + 1 / 100) ** 0.5, rel=0.2)


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(5, 2, 300)
    found = interval_of_mean(values)
    assert found is not None
    low, high = found
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2 / 300**0.5, rel=0.2)
    assert interval_of_mean(values) == (low, high)


def test_a_number_without_spread_has_no_width() -> None:
    assert interval_of_mean(np.full(9, 3.0)) == (3.0, 3.0)


def test_a_single_value_has_no_interval() -> None:
    assert interval_of_mean(np.array([3.0])) is None


def test_outputs_of_one_input_are_drawn_together() -> None:
    """Copies add nothing: the interval is that of the inputs, not of the pictures."""
    draws = np.random.default_rng(2)
    inputs, real = draws.normal(size=(50, 1)), side(np.zeros((9, 1)))
    copies = np.repeat(inputs, 20, axis=0).astype(np.float32)
    groups = np.repeat(np.arange(50), 20)
    grouped = Features("out", 1000, known=copies, groups=groups)
    low, high = interval_of(gap, gap(real, grouped), real, grouped)
    assert high - low == pytest.approx(2 * 1.96 * inputs.std() / 50**0.5, rel=0.25)


def test_redraws_that_are_off_are_moved_to_the_value() -> None:
    low, high = around(1.0, np.linspace(100, 200, 10_001))
    assert (low, high) == pytest.approx((1 - 47.5, 1 + 47.5))


def test_statistics_cannot_be_redrawn() -> None:
    given = Features("s.npz", 9, given=Statistics(np.ones(3), np.eye(3), 9))
    with pytest.raises(UsageError, match=r"s\.npz holds statistics"):
        interval_of(frechet_distance, 0.0, given, side(drawn(9, 3)))
