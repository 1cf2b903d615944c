"""Draws depend on seed and key alone: a larger set keeps the choice of a smaller one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from i2ikit.errors import UsageError
from i2ikit.feed.candidates import Candidate, Mix, Origin
from i2ikit.feed.drawing import choose_mix, choose_styles, draw


def translations(num_sources: int, num_styles: int = 4) -> list[Candidate]:
    return [
        Candidate("translated", f"k{key}", f"k{key}_s{style:02d}.png", style, "cat")
        for key in range(num_sources)
        for style in range(num_styles)
    ]


def others(origin: Origin, count: int) -> list[Candidate]:
    return [Candidate(origin, f"k{key}", f"k{key}", None, "cat") for key in range(count)]


def names(candidates: list[Candidate]) -> set[tuple[str, str]]:
    return {(one.origin, one.name) for one in candidates}


def test_a_draw_is_uniform_and_its_own() -> None:
    drawn = [draw(0, "x", key) for key in range(2000)]
    assert abs(sum(drawn) / 2000 - 0.5) < 0.03
    assert 0 <= min(drawn) < max(drawn) < 1
    assert draw(0, "x", 1) != draw(1, "x", 1)


def test_two_drawn_styles_are_among_the_three() -> None:
    two, three = (names(choose_styles(translations(9), count, 0)) for count in (2, 3))
    assert (len(two), len(three)) == (18, 27)
    assert two < three


def test_a_style_an_epoch_shows_each_source_once() -> None:
    chosen = choose_styles(translations(9), "epoch", 0)
    shown = Counter((one.source_key, one.epoch) for one in chosen)
    assert set(shown.values()) == {1}
    assert {one.epoch for one in chosen} == {0, 1, 2, 3}
    assert len({one.style_index for one in chosen if one.epoch == 0}) > 1


@pytest.mark.parametrize(
    ("mix", "counts"),
    [
        ({"translated": 1}, {"translated": 40}),
        ({"translated": 2, "original": 1}, {"translated": 20, "original": 10}),
        (
            {"translated": 1, "original": 1, "target": 0.5},
            {"translated": 10, "original": 10, "target": 5},
        ),
        ({"original": 3, "target": 1}, {"original": 10, "target": 3}),
    ],
)
def test_a_mix_is_the_largest_with_its_ratios(mix: Any, counts: dict[str, int]) -> None:
    given = [*translations(10), *others("original", 10), *others("target", 7)]
    mixed = choose_mix(given, mix, "all", 0)
    assert Counter(one.origin for one in mixed) == counts
    assert len(names(mixed)) == len(mixed)


def test_each_split_has_the_ratios() -> None:
    given = [*translations(6, 2), *others("original", 6)]
    halves = [replace(one, split="val" if one.source_key in "k0 k1" else "train") for one in given]
    mixed = choose_mix(halves, {"translated": 1, "original": 1}, "all", 0)
    assert Counter((one.split, one.origin) for one in mixed) == {
        ("train", "translated"): 4,
        ("train", "original"): 4,
        ("val", "translated"): 2,
        ("val", "original"): 2,
    }


def test_a_larger_set_keeps_most_of_the_choice() -> None:
    mix: Mix = {"translated": 1, "original": 1}
    few, many = (
        names(choose_mix([*translations(n), *others("original", n)], mix, "all", 0))
        for n in (50, 60)
    )
    assert len(few & many) > 0.8 * len(few)


def test_a_mix_of_styles_by_epoch_takes_sources_whole() -> None:
    given = [*choose_styles(translations(10), "epoch", 0), *others("target", 5)]
    mixed = choose_mix(given, {"translated": 1, "target": 1}, "epoch", 0)
    assert Counter(one.epoch for one in mixed) == {None: 5, 0: 5, 1: 5, 2: 5, 3: 5}


def test_an_origin_without_pictures_is_refused() -> None:
    with pytest.raises(UsageError, match="no target pictures are left to mix into the split"):
        choose_mix(translations(2), {"translated": 1, "target": 1}, "all", 0)
