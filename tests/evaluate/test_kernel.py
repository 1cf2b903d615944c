"""KID against the formula written out, its subsets, and the goldens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from i2ikit.errors import OptionError, UsageError
from i2ikit.evaluate.features import Features
from i2ikit.evaluate.kernel import KidOptions, measure_kid
from i2ikit.evaluate.moments import Statistics
from i2ikit.options import make_options
from tests.evaluate.test_frechet import DIMS, drawn, side

ALL = KidOptions(subsets=0)


def written_out(x: np.ndarray, y: np.ndarray) -> float:
    """Return the unbiased estimate, pair by pair."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a.astype(float) @ b.astype(float) / len(a) + 1) ** 3)

    def within(rows: np.ndarray) -> float:
        places = range(len(rows))
        return float(np.mean([kernel(rows[i], rows[j]) for i in places for j in places if i != j]))

    return within(x) + within(y) - 2 * float(np.mean([kernel(a, b) for a in x for b in y]))


@pytest.mark.parametrize("dims", DIMS)
def test_goldens_are_met(golden: Any, rows: dict[str, np.ndarray], dims: str) -> None:
    found = measure_kid(side(rows[f"real_{dims}"]), side(rows[f"fake_{dims}"]), ALL)
    expected = golden["inception"]["kid"][dims]["all_samples"]
    assert found.value == pytest.approx(expected, rel=1e-6)


def test_it_is_the_formula() -> None:
    x, y = drawn(14, 5), drawn(9, 5, 1)
    assert measure_kid(side(x), side(y), ALL).value == pytest.approx(written_out(x, y), rel=1e-12)


@pytest.mark.parametrize("block", [1, 4, 9])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    x, y = side(drawn(14, 5)), side(drawn(9, 5, 1))
    whole = measure_kid(x, y, ALL).value
    monkeypatch.setattr("i2ikit.evaluate.kernel._BLOCK", block)
    assert measure_kid(x, y, ALL).value == pytest.approx(whole, rel=1e-12)


def test_of_one_distribution_it_is_zero_on_average_and_often_below() -> None:
    draws = np.random.default_rng(4)
    sets = [side(draws.normal(size=(20, 6))) for _ in range(80)]
    values = [measure_kid(sets[i], sets[i + 1], ALL).value for i in range(0, 80, 2)]
    assert min(values) < 0
    assert abs(np.mean(values)) < 2 * np.std(values) / 40**0.5


@pytest.fixture
def pair() -> tuple[Features, Features]:
    return side(drawn(60, 5)), side(drawn(50, 5, 1))


def test_subsets_are_those_of_a_frozen_stream(pair: tuple[Features, Features]) -> None:
    found = measure_kid(*pair, KidOptions(subsets=3, subset_size=20, seed=5))
    draws, values = np.random.RandomState(5), []
    for _ in range(3):
        fake = draws.choice(50, 20, replace=False)
        real = draws.choice(60, 20, replace=False)
        values.append(written_out(pair[0].rows[real], pair[1].rows[fake]))
    assert found.value == pytest.approx(np.mean(values), rel=1e-10)
    assert found.parts["std"] == pytest.approx(np.std(values), rel=1e-8)
    assert found.card == {"estimator": "3 subsets of 20", "seed": 5}


def test_another_seed_draws_other_subsets(pair: tuple[Features, Features]) -> None:
    one, again, other = (
        measure_kid(*pair, KidOptions(subsets=4, subset_size=20, seed=seed)).value
        for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


@pytest.mark.parametrize("size", [50, 1000])
def test_all_pictures_are_taken_where_a_subset_would_be_a_side(
    pair: tuple[Features, Features], size: int
) -> None:
    found = measure_kid(*pair, KidOptions(subset_size=size))
    assert found.value == measure_kid(*pair, ALL).value
    assert found.card == {"estimator": "all pictures"}


def test_one_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="fake has 1 picture: KID needs 2"):
        measure_kid(side(drawn(9, 3)), side(drawn(1, 3), "fake"), ALL)


def test_statistics_are_refused() -> None:
    given = Features("s.npz", 9, given=Statistics(np.ones(3), np.eye(3), 9))
    with pytest.raises(UsageError, match=r"s\.npz holds statistics.*needs the pictures"):
        measure_kid(given, side(drawn(9, 3)), ALL)


@pytest.mark.parametrize(("name", "value"), [("subsets", -1), ("subset_size", 1), ("seed", -1)])
def test_options_out_of_bounds_are_refused(name: str, value: int) -> None:
    with pytest.raises(OptionError, match=f"-o {name}={value}"):
        make_options(KidOptions, {name: value})
