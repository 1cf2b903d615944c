"""FID-infinity: nearer to the truth than FID, and seeded."""

from __future__ import annotations

import numpy as np
import pytest

from i2ikit.errors import UsageError
from i2ikit.evaluate.features import Features
from i2ikit.evaluate.frechet import frechet_distance
from i2ikit.evaluate.infinity import InfinityOptions, measure_fid_infinity
from tests.evaluate.test_frechet import drawn, side


def normal(n: int, mean: float = 0.0, seed: int = 0) -> Features:
    rows = np.random.default_rng(seed).normal(mean, 1, (n, 64))
    return side(rows.astype(np.float32), f"normal-{n}")


@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_the_intercept_is_nearer_to_the_truth_than_fid(gap: float) -> None:
    truth = 64 * gap**2
    real, fake = normal(20_000), normal(2000, gap, seed=1)
    found = measure_fid_infinity(real, fake, InfinityOptions())
    biased = frechet_distance(real, fake) - truth
    assert biased > 0.5
    assert abs(found.value - truth) < biased / 4


def test_the_line_goes_through_growing_parts() -> None:
    real, fake = normal(100), normal(100, seed=1)
    found = measure_fid_infinity(real, fake, InfinityOptions(points=4))
    draws = np.random.default_rng(0)
    sizes = np.array([10, 40, 70, 100])
    distances = [frechet_distance(real, fake.take(draws.permutation(100)[:n])) for n in sizes]
    slope, intercept = np.polyfit(1 / sizes, distances, 1)
    assert (found.value, found.parts["slope"]) == pytest.approx((intercept, slope))
    assert found.card == {"sizes": "4 from 10 to 100", "seed": 0}


def test_the_largest_part_is_all_pictures() -> None:
    real, fake = normal(300), normal(200, seed=1)
    found = measure_fid_infinity(real, fake, InfinityOptions())
    assert found.parts["largest"] == pytest.approx(frechet_distance(real, fake), rel=1e-10)


def test_another_seed_draws_other_parts() -> None:
    one, again, other = (
        measure_fid_infinity(normal(60), normal(60, seed=1), InfinityOptions(seed=seed)).value
        for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_twenty_pictures_are_the_least() -> None:
    measure_fid_infinity(side(drawn(9, 3)), side(drawn(20, 3)), InfinityOptions())
    with pytest.raises(UsageError, match="fake has 19 pictures: FID-infinity needs 20"):
        measure_fid_infinity(side(drawn(9, 3)), side(drawn(19, 3), "fake"), InfinityOptions())
