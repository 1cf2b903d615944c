"""The Fréchet distance against arithmetic, its two routes against each other, and the goldens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from i2ikit.errors import UsageError
from i2ikit.evaluate.features import Features
from i2ikit.evaluate.frechet import (
    _from_samples,
    _from_statistics,
    frechet_distance,
    measure_fid,
)
from i2ikit.evaluate.moments import Statistics, load_statistics
from tests.evaluate.conftest import EVAL

DIMS = ["64", "192", "768", "2048"]


def side(rows: np.ndarray, location: str = "x") -> Features:
    return Features(location, len(rows), known=rows)


def drawn(n: int, dims: int, seed: int = 0) -> np.ndarray:
    """Return features whose directions differ in spread, and hang together."""
    draws = np.random.default_rng(seed)
    mix = draws.normal(size=(dims, dims)) / np.arange(1, dims + 1)
    return (draws.normal(size=(n, dims)) @ mix + draws.normal(size=dims)).astype(np.float32)


def only_statistics(features: Features) -> Features:
    return Features(features.location, features.n, given=features.statistics)


@pytest.mark.parametrize("dims", DIMS)
def test_goldens_are_met_from_features(golden: Any, rows: dict[str, np.ndarray], dims: str) -> None:
    found = measure_fid(side(rows[f"real_{dims}"]), side(rows[f"fake_{dims}"])).value
    expected = golden["inception"]["fid"][dims]
    assert found == pytest.approx(expected["exact"], rel=1e-6)
    assert found == pytest.approx(expected["pytorch_fid"], rel=1e-4)


def test_goldens_are_met_from_statistics(golden: Any) -> None:
    real, fake = (
        Features(name, None, given=load_statistics(EVAL / f"stats_{name}_64.npz"))
        for name in ("real", "fake")
    )
    expected = golden["inception"]["fid"]["64"]["exact"]
    assert measure_fid(real, fake).value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [20, 400])
def test_of_equal_covariances_the_squared_difference_of_means_remains(n: int) -> None:
    rows = drawn(n, 30).astype(np.float64)
    shift = np.linspace(-1, 2, 30)
    found = frechet_distance(side(rows), side(rows + shift))
    assert found == pytest.approx((shift**2).sum(), rel=1e-10)


def test_of_diagonal_covariances_it_is_known_in_closed_form() -> None:
    a, b = np.array([4.0, 9.0, 0.0]), np.array([1.0, 16.0, 25.0])
    one = Features("a", None, given=Statistics(np.zeros(3), np.diag(a)))
    other = Features("b", None, given=Statistics(np.array([1.0, 2.0, 3.0]), np.diag(b)))
    expected = 14 + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-14)


def test_means_shift_and_covariances_are_scaled_by_hand() -> None:
    """(1, 2) against 3 · (1, 2): covariances of rank one, S and 9 S."""
    one = np.array([[-1.0, -2.0], [1.0, 2.0]])
    assert frechet_distance(side(one), side(3 * one)) == pytest.approx((3 - 1) ** 2 * 10)


@pytest.mark.parametrize("n", [40, 12])
def test_the_routes_agree(n: int) -> None:
    """At n = 12 covariances are deficient, and good to 1e-8 only."""
    real, fake = side(drawn(60, 20, 1)), side(drawn(n, 20, 2))
    by_statistics = _from_statistics(real.statistics, fake.statistics)
    tolerance = 1e-11 if n > 20 else 1e-6
    assert _from_samples(real, fake) == pytest.approx(by_statistics, rel=tolerance)
    assert _from_samples(fake, real) == pytest.approx(by_statistics, rel=tolerance)


@pytest.mark.parametrize(("n", "taken"), [(21, "statistics"), (20, "samples")])
def test_samples_are_taken_where_a_covariance_is_deficient(
    monkeypatch: pytest.MonkeyPatch, n: int, taken: str
) -> None:
    for route in ("samples", "statistics"):
        answer = float(route == taken)
        monkeypatch.setattr(f"i2ikit.evaluate.frechet._from_{route}", lambda *_, it=answer: it)
    assert frechet_distance(side(drawn(50, 20)), side(drawn(n, 20))) == 1


@pytest.mark.parametrize("n", [10, 300])
@pytest.mark.parametrize("view", [side, lambda rows: only_statistics(side(rows))])
def test_a_set_is_at_no_distance_of_itself(n: int, view: Any) -> None:
    rows = drawn(n, 24)
    found = measure_fid(view(rows), view(rows))
    raw = found.parts.get("unclipped", found.value)
    assert found.value >= 0
    assert abs(raw) < 1e-5 * rows.var()


def test_what_rounding_puts_below_zero_is_clipped_and_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("i2ikit.evaluate.frechet.frechet_distance", lambda *_: -2e-13)
    found = measure_fid(side(drawn(3, 2)), side(drawn(3, 2)))
    assert (found.value, found.parts) == (0.0, {"unclipped": -2e-13})


def test_a_positive_distance_has_no_further_parts() -> None:
    assert measure_fid(side(drawn(9, 3)), side(drawn(9, 3, 1))).parts == {}


def test_other_dims_are_refused_with_both_counts() -> None:
    with pytest.raises(UsageError, match="a has 3 dims, b has 4"):
        measure_fid(side(drawn(9, 3), "a"), side(drawn(9, 4), "b"))


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_pictures_are_refused_by_the_name_of_the_side(n: int) -> None:
    with pytest.raises(UsageError, match=f"fake has {n} picture.*a Fréchet distance needs 2"):
        measure_fid(side(drawn(9, 3)), side(drawn(n, 3), "fake"))
