import numpy as np
import pytest

from i2ikit.feed.scores import gap_closed, score


def test_the_gap_is_measured_from_the_source_to_the_oracle() -> None:
    assert gap_closed(0.6, 0.75, 0.9) == pytest.approx(0.5)
    assert gap_closed(0.6, 0.5, 0.9) == pytest.approx(-1 / 3)
    assert gap_closed(0.6, 0.96, 0.9) == pytest.approx(1.2)


def test_without_a_gap_none_is_closed() -> None:
    assert gap_closed(0.9, 0.95, 0.9) is None


def test_accuracy_is_the_share_of_pictures() -> None:
    found = score(
        "class", [np.array([[3, 1, 0], [4, 0, 0], [0, 0, 0]]), np.eye(3, dtype=int)[:, :]]
    )
    assert found.each == [3 / 8, 1.0]
    assert found.mean == pytest.approx((3 / 8 + 1) / 2)
    assert found.std == pytest.approx(5 / 8 / 2**0.5)


def test_classes_that_the_test_lacks_dont_count() -> None:
    found = score("class", [np.array([[3, 1, 0], [0, 0, 0], [0, 1, 1]])])
    assert found.classes == {0: 0.75, 2: 0.5}
    assert found.std is None


def test_mean_iou_is_over_the_classes_of_the_test() -> None:
    found = score("mask", [np.array([[6, 2, 2], [1, 4, 0], [0, 0, 0]])])
    assert found.classes == pytest.approx({0: 6 / 11, 1: 4 / 7})
    assert found.each == pytest.approx([(6 / 11 + 4 / 7) / 2])
