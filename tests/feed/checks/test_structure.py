"""Edges: kept under other colours, moved, or of another picture."""

from __future__ import annotations

import numpy as np
import pytest

from i2ikit.feed.checks.structure import structure
from tests.feed.scenes import moved, scene, translated

SEEDS = range(8)


@pytest.mark.parametrize("seed", SEEDS)
def test_other_colours_keep_the_structure(seed: int) -> None:
    found = structure(translated(scene(seed)), scene(seed))
    assert found["structure"] > 0.5
    assert found["shift"] == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", [(5, 0), (0, -5), (-3, 4)])
def test_a_shift_is_found(seed: int, way: tuple[int, int]) -> None:
    found = structure(moved(translated(scene(seed)), *way), scene(seed))
    assert (found["shift_x"], found["shift_y"]) == way
    assert found["shift"] == max(map(abs, way))


def test_unrelated_pictures_do_not_agree() -> None:
    found = [structure(translated(scene(seed + 1)), scene(seed)) for seed in SEEDS]
    assert max(one["structure"] for one in found) < 0.25
    assert np.mean([one["structure"] for one in found]) < 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_is_not_called_a_shift(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert structure(noise, scene(seed))["shift"] == 0


def test_one_colour_has_no_structure() -> None:
    assert structure(np.full_like(scene(0), 9), scene(0))["structure"] == 0


def test_contrast_does_not_count() -> None:
    source = scene(3)
    faint = 100 + source // 4
    assert structure(faint, source)["structure"] > 0.8


def test_sources_without_edges_and_small_pictures_are_not_judged() -> None:
    flat = np.full((64, 64, 3), 50, np.uint8)
    assert structure(scene(0), flat) == {}
    assert structure(scene(0)[:20], scene(0)[:20]) == {}


def test_odd_sizes_are_taken() -> None:
    assert structure(scene(0)[:47, :61], scene(0)[:47, :61])["structure"] == pytest.approx(1)
