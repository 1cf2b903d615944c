"""Noise depends on what it is for, and on nothing else."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from i2ikit.translation.noise import draw_noise


def test_these_numbers_are_a_promise() -> None:
    """A change here changes every translated data set."""
    drawn = draw_noise(0, "sample/a", 0, (4,))
    expected = torch.tensor(
        [-0.1488375961780548, 2.1501941680908203, 0.7214661240577698, -0.2058197259902954]
    )
    assert torch.equal(drawn, expected)


@given(st.integers(), st.text(), st.integers(0, 100))
def test_the_same_arguments_give_the_same_noise(seed: int, scope: str, index: int) -> None:
    assert torch.equal(draw_noise(seed, scope, index, (3,)), draw_noise(seed, scope, index, (3,)))


def test_any_other_argument_gives_other_noise() -> None:
    draws = [draw_noise(s, k, i, (2,)) for s in (0, 1) for k in ("a", "b") for i in (0, 1)]
    assert len({tuple(draw.tolist()) for draw in draws}) == 8


def test_it_is_standard_normal() -> None:
    drawn = draw_noise(1, "run", 0, (100_000,))
    assert drawn.dtype == torch.float32
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.02


def test_a_shorter_vector_is_the_start_of_a_longer_one() -> None:
    assert torch.equal(draw_noise(1, "x", 0, (8,))[:3], draw_noise(1, "x", 0, (3,)))
