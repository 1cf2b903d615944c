"""Levels alone: saturated, of one colour, copied."""

from __future__ import annotations

import numpy as np
import pytest

from i2ikit.feed.checks.pixelwise import change, contrast, saturated
from tests.feed.scenes import scene, translated

SOURCE = scene(0)
GOOD = translated(SOURCE)


def test_only_pixels_of_extremes_alone_are_saturated() -> None:
    half = GOOD.copy()
    half[:32] = (0, 255, 255)
    half[32:, :, 0] = 0
    assert saturated(half, SOURCE) == pytest.approx(0.5, abs=0.01)


def test_extremes_of_the_source_may_stay() -> None:
    source = SOURCE.copy()
    source[:32] = 255
    assert saturated(source, source) == 0


def test_contrast_is_a_part_of_the_sources() -> None:
    assert contrast(SOURCE, SOURCE) == 1
    assert contrast(GOOD, SOURCE) == pytest.approx(0.7, abs=0.05)
    assert contrast(np.full_like(SOURCE, 90), SOURCE) < 0.1


def test_a_flat_source_may_stay_flat() -> None:
    assert contrast(np.full_like(SOURCE, 90), np.full_like(SOURCE, 7)) == 1


def test_change_is_in_levels_and_sees_new_colours() -> None:
    assert change(SOURCE, SOURCE) == 0
    assert change(SOURCE + np.uint8(3), SOURCE) == 3
    assert change(GOOD, SOURCE) > 20
