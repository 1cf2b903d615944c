"""Outputs that repeat themselves."""

from __future__ import annotations

import numpy as np
import pytest

from i2ikit.feed.checks import repeats
from i2ikit.feed.checks.repeats import count_repeats, thumbnail
from tests.feed.scenes import scene, translated


def count(outputs: list[np.ndarray], sources: list[np.ndarray], inputs: list[int]) -> list[int]:
    made, read = (np.stack([thumbnail(one) for one in side]) for side in (outputs, sources))
    return [int(n) for block in count_repeats(made, read, np.array(inputs)) for n in block]


SOURCES = [scene(seed) for seed in range(6)]


def test_different_outputs_are_no_repeats() -> None:
    assert count([translated(source) for source in SOURCES], SOURCES, [0, 1, 2, 3, 4, 5]) == [0] * 6


def test_the_same_output_of_other_inputs_counts_each_input() -> None:
    same = [translated(SOURCES[0], seed=noise) for noise in range(4)]
    outputs = [*same, translated(SOURCES[4]), translated(SOURCES[5])]
    assert count(outputs, SOURCES, [0, 1, 2, 3, 4, 5]) == [3, 3, 3, 3, 0, 0]


def test_styles_of_one_input_may_be_alike_and_count_once_for_others() -> None:
    sources = [SOURCES[0], SOURCES[0], SOURCES[1]]
    assert count([SOURCES[3]] * 3, sources, [0, 0, 1]) == [1, 1, 1]


def test_like_sources_may_have_like_outputs() -> None:
    assert count([SOURCES[3]] * 3, [SOURCES[0]] * 3, [0, 1, 2]) == [0, 0, 0]


def test_large_sets_are_compared_with_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "_MOST", 3)
    monkeypatch.setattr(repeats, "_BLOCK", 4)
    assert count([SOURCES[0]] * 6, SOURCES, [0, 1, 2, 3, 4, 5]) == [2, 3, 2, 3, 3, 2]
