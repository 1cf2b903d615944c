"""Limits and the sentences for what breaks them."""

from __future__ import annotations

from i2ikit.feed import Limits


def test_what_lies_beyond_is_named_with_its_value() -> None:
    measures = {"saturated": 0.934, "contrast": 0.5, "structure": 0.01}
    assert Limits(max_saturated=0.5).reasons(measures) == [
        "saturated 0.934 > 0.5",
        "structure 0.01 < 0.06",
    ]


def test_a_shift_is_named_with_its_direction() -> None:
    measures = {"shift": 5.0, "shift_x": -5.0, "shift_y": 1.0}
    assert Limits().reasons(measures) == ["shift 5 > 2, by (-5, 1)"]


def test_the_limit_itself_is_good() -> None:
    assert Limits().broken({"repeats": 2, "agreement": 0.5}) == []
    assert [str(limit) for limit in Limits().broken({"repeats": 3})] == ["repeats > 2"]


def test_what_was_not_measured_breaks_nothing() -> None:
    assert Limits().reasons({}) == []
