"""Outputs against true pictures by their pixels, and how far outputs and truths lie apart."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import i2ikit
from i2ikit.data.images import Pixels
from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.evaluate import pixelwise
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.likeness import l1, psnr, ssim
from i2ikit.evaluate.pixelwise import pixels as measure
from tests.conftest import pixels
from tests.evaluate.conftest import random_pixels, write

STOP = Compute(on_error="stop")


def read(sides: tuple[Path, Path], styles_of_1: str = "012") -> list[list[Pixels]]:
    """Return the true picture of each input of `translated`, then its outputs."""
    truth, out = sides
    return [
        [pixels(truth / f"{name}.png"), *(pixels(out / f"{name}_s0{i}.png") for i in styles)]
        for name, styles in (("x/0", "012"), ("1", styles_of_1))
    ]


def test_one_output_an_input_has_a_distance_psnr_and_ssim() -> None:
    a, b, c, d = (random_pixels(seed) for seed in range(4))
    found = measure([a, b], [c, d])
    assert found.metric == "l1"
    assert found.value == pytest.approx((l1(a, c) + l1(b, d)) / 2)
    assert found.parts == {
        "psnr": pytest.approx((psnr(a, c) + psnr(b, d)) / 2),
        "ssim": pytest.approx((ssim(a, c) + ssim(b, d)) / 2),
    }


def test_of_several_outputs_there_are_a_mean_and_a_best(translated: tuple[Path, Path]) -> None:
    found, groups = measure(*translated), read(translated)
    assert found.value == pytest.approx(np.mean([[l1(t, o) for o in out] for t, *out in groups]))
    best = {
        "best": np.mean([min(l1(t, o) for o in out) for t, *out in groups]),
        "psnr_best": np.mean([max(psnr(t, o) for o in out) for t, *out in groups]),
        "ssim_best": np.mean([max(ssim(t, o) for o in out) for t, *out in groups]),
    }
    assert {name: found.parts[name] for name in best} == pytest.approx(best)
    told = found.card["protocol"]
    assert (told["inputs"], told["outputs"]) == (2, 6)


def test_the_spread_of_outputs_stands_beside_that_of_truths(translated: tuple[Path, Path]) -> None:
    found, groups = measure(*translated), read(translated)
    expected = np.mean([[l1(a, b) for a, b in combinations(out, 2)] for _, *out in groups])
    assert found.parts["spread"] == pytest.approx(expected)
    assert found.parts["spread_of_truth"] == pytest.approx(l1(groups[0][0], groups[1][0]))
    assert found.card["protocol"]["spread_of_truth_is"] == "L1 over 1 pair of 2 true pictures"


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fakes: None) -> tuple[Path, Path]:
    """Return five pictures and two translations of each, where three may be held."""
    monkeypatch.setattr(pixelwise, "_MOST_HELD", 3)
    truth = write(tmp_path / "true", *(f"{place}.png" for place in range(5)))
    i2ikit.translate(truth, tmp_path / "out", model="tint", style_sample=2)
    return truth, tmp_path / "out"


def test_of_many_truths_some_are_drawn(many: tuple[Path, Path]) -> None:
    found = measure(*many)
    told = found.card["protocol"]["spread_of_truth_is"]
    assert told == "L1 over 3 pairs of 3 true pictures, drawn with seed 0"
    truths = [pixels(path) for path in sorted(many[0].iterdir())]
    means = [
        np.mean([l1(a, b) for a, b in combinations(three, 2)]) for three in combinations(truths, 3)
    ]
    assert any(found.parts["spread_of_truth"] == pytest.approx(mean) for mean in means)


@pytest.mark.parametrize("compute", [Compute(workers=0), Compute(workers=3)])
def test_workers_change_nothing(many: tuple[Path, Path], compute: Compute) -> None:
    assert measure(*many, compute=compute).parts == measure(*many).parts


def test_truths_of_other_sizes_are_not_compared(tmp_path: Path, fakes: None) -> None:
    truth = write(tmp_path / "true", "a.png", "b.png")
    write(tmp_path / "true", "c.png", size=(32, 48))
    i2ikit.translate(truth, tmp_path / "out", model="tint", style_sample=2)
    found = measure(truth, tmp_path / "out")
    a, b = (pixels(truth / name) for name in ("a.png", "b.png"))
    assert found.parts["spread_of_truth"] == pytest.approx(l1(a, b))
    assert found.card["protocol"]["inputs"] == 3


def test_outputs_of_a_tar_are_paired_by_their_source(tmp_path: Path, fakes: None) -> None:
    truth = write(tmp_path / "true", "a.png", "b.png")
    i2ikit.translate(truth, f"wds:{tmp_path}/tars", model="tint", style_sample=2)
    i2ikit.translate(truth, tmp_path / "out", model="tint", style_sample=2)
    assert measure(truth, tmp_path / "tars").parts == measure(truth, tmp_path / "out").parts


def test_sizes_must_agree() -> None:
    message = "picture 1 is 32x40, others of its input 32x32: L1 compares pictures of one size"
    sides = [random_pixels(0), random_pixels(1)], [random_pixels(2), random_pixels(3, height=40)]
    with pytest.raises(SampleError, match=message):
        measure(*sides, compute=STOP)
    assert measure(*sides).card["generated"]["failed"] == [message]


def test_pictures_smaller_than_the_window_are_left_out() -> None:
    small = random_pixels(0, 10, 10)
    found = measure([random_pixels(0), small], [random_pixels(1), small])
    message = "picture 1 is 10x10: SSIM takes pictures of 11 pixels a side or more"
    assert [found.card[side]["failed"] for side in ("real", "generated")] == [[message], [message]]
    assert found.card["protocol"]["inputs"] == 1


def test_an_output_that_is_damaged_is_left_out(translated: tuple[Path, Path]) -> None:
    truth, out = translated
    (out / "1_s01.png").write_bytes(b"no picture")
    found, groups = measure(truth, out), read(translated, "02")
    means = [np.mean([l1(t, o) for o in rest]) for t, *rest in groups]
    assert found.value == pytest.approx(np.mean(means))
    assert len(found.card["generated"]["failed"]) == 1
    with pytest.raises(SampleError, match=r"1_s01\.png holds no picture"):
        measure(truth, out, compute=STOP)


def test_what_has_no_partner_is_named(tmp_path: Path) -> None:
    truth, made = write(tmp_path / "true", "a.png", "b.png"), write(tmp_path / "made", "a.png")
    with pytest.raises(UsageError, match=r"1 of the 2 keys in .*true have no partner .*: 'b'"):
        measure(truth, made, compute=STOP)
    assert "'b' of" in measure(truth, made).card["generated"]["failed"][0]


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    truth, made = write(tmp_path / "true", "a.png"), write(tmp_path / "made", "a.png")
    (truth / "a.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"no pair of .*made can be measured: .*a\.png holds no"):
        measure(truth, made)


def test_an_interval_holds_the_value() -> None:
    truth, made = ([random_pixels(seed + k) for seed in range(6)] for k in (0, 100))
    found = measure(truth, made, interval=True)
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
    assert "bootstrap" in found.card["protocol"]["interval"]
