"""Precision, recall, density and coverage: which is which, the formulas, and the goldens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from i2ikit.errors import UsageError
from i2ikit.evaluate.features import Measured
from i2ikit.evaluate.manifold import ManifoldOptions, measure_precision_recall
from tests.evaluate.test_frechet import drawn, side

FOUR = ("precision", "recall", "density", "coverage")


def measured(real: np.ndarray, fake: np.ndarray, k: int | None = None) -> Measured:
    return measure_precision_recall(side(real), side(fake), ManifoldOptions(k=k))


@pytest.mark.parametrize("k", [3, 5])
def test_goldens_are_met_exactly(golden: Any, rows: dict[str, np.ndarray], k: int) -> None:
    found = measured(rows["real_2048"], rows["fake_2048"], k)
    expected = golden["inception"]["prdc_2048"][f"k{k}"]
    assert found.parts == pytest.approx(expected, rel=1e-12)
    assert found.value == found.parts["precision"]


def test_without_k_each_pair_has_its_papers(golden: Any, rows: dict[str, np.ndarray]) -> None:
    found = measured(rows["real_2048"], rows["fake_2048"])
    near, far = (golden["inception"]["prdc_2048"][name] for name in ("k3", "k5"))
    expected = {**near, "density": far["density"], "coverage": far["coverage"]}
    assert found.parts == pytest.approx(expected, rel=1e-12)
    assert found.card == {"k": "3 (precision, recall), 5 (density, coverage)"}


def written_out(real: np.ndarray, fake: np.ndarray, k: int) -> dict[str, float]:
    """Return the four by their definitions, point by point."""

    def radius(rows: np.ndarray, place: int) -> float:
        return float(
            np.sort(np.linalg.norm(np.delete(rows, place, 0) - rows[place], axis=1))[k - 1]
        )

    real_radii = np.array([radius(real, place) for place in range(len(real))])
    fake_radii = np.array([radius(fake, place) for place in range(len(fake))])
    gaps = np.array([[np.linalg.norm(r - f) for f in fake] for r in real])
    in_real = gaps <= real_radii[:, None]
    values = (
        in_real.any(axis=0).mean(),
        (gaps <= fake_radii).any(axis=1).mean(),
        in_real.sum(axis=0).mean() / k,
        in_real.any(axis=1).mean(),
    )
    return {name: float(value) for name, value in zip(FOUR, values, strict=True)}


def overlapping(offset: float = 0) -> tuple[np.ndarray, np.ndarray]:
    rows = drawn(53, 3).astype(float)
    return rows[:31] + offset, 1.1 * rows[31:] + offset


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("offset", [0, 1000])
def test_they_are_the_formulas(k: int, offset: float) -> None:
    real, fake = overlapping(offset)
    expected = written_out(real, fake, k)
    assert 0 < min(expected.values()) < max(expected.values())
    assert measured(real, fake, k).parts == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("block", [1, 7, 31])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    whole = measured(*overlapping()).parts
    monkeypatch.setattr("i2ikit.evaluate.manifold._BLOCK", block)
    assert measured(*overlapping()).parts == pytest.approx(whole, rel=1e-12)


def test_a_model_that_knows_one_corner_is_precise_and_recalls_little() -> None:
    real = np.random.default_rng(0).uniform(0, 1, (400, 2))
    corner = real[(real < 0.3).all(axis=1)]
    parts = measured(real, corner + 1e-6).parts
    assert parts["precision"] == 1
    assert parts["recall"] < 0.2
    assert parts["coverage"] < 0.3
    turned = measured(corner + 1e-6, real).parts
    assert (turned["precision"], turned["recall"]) == (parts["recall"], parts["precision"])


def test_a_set_reaches_all_of_itself() -> None:
    parts = measured(drawn(30, 4), drawn(30, 4), 2).parts
    assert (parts["precision"], parts["recall"], parts["coverage"]) == (1, 1, 1)
    assert parts["density"] == pytest.approx(1.5)  # each ball holds its centre and k others


def test_sets_far_apart_share_nothing() -> None:
    parts = measured(drawn(30, 4), drawn(30, 4) + 1000).parts
    assert parts == dict.fromkeys(FOUR, 0.0)


def test_equal_pictures_have_balls_of_no_size() -> None:
    same = np.full((9, 4), 0.1, np.float32)
    assert measured(same, same, 2).parts["precision"] == 1
    assert measured(same, same + 0.01, 2).parts["precision"] == 0


@pytest.mark.parametrize(
    ("real", "fake", "k", "message"),
    [
        (5, 9, None, "real has 5 pictures: precision and recall with k = 5 needs 6"),
        (9, 3, None, "fake has 3 pictures: precision and recall with k = 3 needs 4"),
        (9, 7, 7, "fake has 7 pictures: precision and recall with k = 7 needs 8"),
    ],
)
def test_too_few_pictures_have_no_kth_neighbour(
    real: int, fake: int, k: int | None, message: str
) -> None:
    sides = side(drawn(real, 3), "real"), side(drawn(fake, 3), "fake")
    with pytest.raises(UsageError, match=message):
        measure_precision_recall(*sides, ManifoldOptions(k=k))


def test_copies_of_real_pictures_are_all_recalled_and_covered() -> None:
    """Each has five equals at distance 0, which rounding must not push out of its ball."""
    real = np.repeat(np.random.default_rng(5).normal(3, 1, (50, 64)), 6, axis=0)
    found = measure_precision_recall(side(real), side(real.copy()), ManifoldOptions())
    assert found.parts["precision"] == found.parts["recall"] == found.parts["coverage"] == 1
