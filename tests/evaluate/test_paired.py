"""Outputs against true pictures by LPIPS: the pairs, and the sets that have none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import i2ikit
from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.likeness import psnr, ssim
from i2ikit.evaluate.paired import lpips_pairs
from i2ikit.evaluate.results import Result
from tests.conftest import pixels
from tests.evaluate.conftest import IMAGES, random_pixels, write

CPU = Compute(device="cpu")


@pytest.fixture(scope="session")
def alex(backbones: dict[str, Path]) -> Path:
    return backbones["alex"]


def pairs(truth: Any, generated: Any, backbone: Path, **options: Any) -> Result:
    return lpips_pairs(truth, generated, backbone=backbone, **{"compute": CPU, **options})


def test_inputs_are_as_far_from_their_outputs_as_in_lpips(
    golden: Any, alex: Path, tmp_path: Path
) -> None:
    for name in ("in0", "in1"):
        (tmp_path / "true").mkdir(exist_ok=True)
        (tmp_path / "made").mkdir(exist_ok=True)
        shutil.copy(IMAGES / f"styles/{name}.png", tmp_path / "true")
        shutil.copy(IMAGES / f"styles/{name}_style3.png", tmp_path / f"made/{name}.png")
    found = pairs(tmp_path / "true", tmp_path / "made", alex)
    known = golden["lpips"]["alex"]["input_to_style"]
    expected = (known["in0_style3.png"] + known["in1_style3.png"]) / 2
    assert found.value == pytest.approx(expected, rel=1e-4)
    files = [[tmp_path / side / f"in{i}.png" for side in ("true", "made")] for i in (0, 1)]
    arrays = [[pixels(path) for path in pair] for pair in files]
    assert found.parts == {
        "psnr": pytest.approx(np.mean([psnr(*pair) for pair in arrays])),
        "ssim": pytest.approx(np.mean([ssim(*pair) for pair in arrays])),
    }


def test_of_several_outputs_there_are_a_mean_and_a_best(
    translated: tuple[Path, Path], alex: Path
) -> None:
    truth, out = translated
    found = pairs(truth, out, alex)
    names = ("x/0", "1")
    each = [
        [
            pairs([pixels(truth / f"{n}.png")], [pixels(out / f"{n}_s0{i}.png")], alex)
            for i in range(3)
        ]
        for n in names
    ]
    assert found.value == pytest.approx(np.mean([[r.value for r in row] for row in each]), rel=1e-6)
    best = {
        "best": np.mean([min(r.value for r in row) for row in each]),
        "psnr_best": np.mean([max(r.parts["psnr"] for r in row) for row in each]),
        "ssim_best": np.mean([max(r.parts["ssim"] for r in row) for row in each]),
    }
    assert {name: found.parts[name] for name in best} == pytest.approx(best, rel=1e-6)
    told = found.card["protocol"]
    assert (told["inputs"], told["outputs"]) == (2, 6)


def test_identical_pairs_are_left_out_of_psnr(alex: Path) -> None:
    a, b, c = (random_pixels(seed) for seed in range(3))
    found = pairs([a, b], [a, c], alex)
    assert found.parts["psnr"] == pytest.approx(psnr(b, c))
    assert found.card["protocol"]["identical"] == "1 pair, left out of PSNR"
    same = pairs([a, b], [a, b], alex)
    assert same.value == 0
    assert "psnr" not in same.parts


def test_what_has_no_partner_is_named(tmp_path: Path, alex: Path) -> None:
    truth = write(tmp_path / "true", *(f"{place}.png" for place in range(8)))
    made = write(tmp_path / "made", "0.jpg")
    stop = Compute(device="cpu", on_error="stop")
    with pytest.raises(UsageError, match=r"7 of the 8 keys in .*true have .*: '1', .*'5', …") as e:
        pairs(truth, made, alex, compute=stop)
    assert "'6'" not in str(e.value)
    with pytest.raises(UsageError, match=r"7 of the 8 keys in .*true have no partner in .*made"):
        pairs(made, truth, alex, compute=stop)
    skipped = pairs(truth, made, alex).card
    assert skipped["protocol"]["inputs"] == 1
    assert len(skipped["generated"]["failed"]) == 7
    assert "'1' of" in skipped["generated"]["failed"][0]


def test_sets_without_a_pair_are_refused(tmp_path: Path, alex: Path) -> None:
    truth, made = write(tmp_path / "true", "a.png"), write(tmp_path / "made", "b.png")
    with pytest.raises(UsageError, match=r"1 of the 1 key in .* have no partner"):
        pairs(truth, made, alex)


def test_an_input_has_one_truth(tmp_path: Path, alex: Path) -> None:
    truth = write(tmp_path / "true", "a.png", "a.jpg")
    with pytest.raises(UsageError, match=r"2 true pictures for 'a': .*a\.jpg and .*a\.png"):
        pairs(truth, write(tmp_path / "made", "a.png"), alex)


def test_sizes_must_agree(alex: Path) -> None:
    message = r"picture 1 is 32x40, others of its input 32x32: LPIPS compares pictures of one size"
    sides = [random_pixels(0), random_pixels(1)], [random_pixels(2), random_pixels(3, height=40)]
    with pytest.raises(SampleError, match=message):
        pairs(*sides, alex, compute=Compute(device="cpu", on_error="stop"))
    found = pairs(*sides, alex)
    assert found.card["protocol"]["inputs"] == 1
    assert found.card["generated"]["failed"] == [message]


@pytest.mark.parametrize("side", ["true", "made"])
def test_pairs_with_a_damaged_picture_are_left_out(tmp_path: Path, alex: Path, side: str) -> None:
    truth = write(tmp_path / "true", "0.png", "1.png")
    made = write(tmp_path / "made", "1.png", "0.png")
    expected = pairs([pixels(truth / "0.png")], [pixels(made / "0.png")], alex).value
    (tmp_path / side / "1.png").write_bytes(b"no picture")
    found = pairs(truth, made, alex)
    assert found.value == pytest.approx(expected, rel=1e-6)
    failed = {name: found.card[name]["failed"] for name in ("real", "generated")}
    assert [len(failed["real"]), len(failed["generated"])] == [side == "true", side == "made"]
    with pytest.raises(SampleError, match=r"1\.png holds no picture"):
        pairs(truth, made, alex, compute=Compute(device="cpu", on_error="stop"))


def test_nothing_readable_is_an_error(tmp_path: Path, alex: Path) -> None:
    truth, made = write(tmp_path / "true", "0.png"), write(tmp_path / "made", "0.png")
    (made / "0.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"no pair of .*made can be measured: .*0\.png holds no"):
        pairs(truth, made, alex)


@pytest.mark.usefixtures("fakes")
def test_a_tar_that_breaks_off_is_the_reason_told(tmp_path: Path, alex: Path) -> None:
    truth = write(tmp_path / "true", *(f"{place}.png" for place in range(4)))
    i2ikit.translate(truth, f"wds:{tmp_path}/out", model="echo")
    (tar,) = (tmp_path / "out").glob("*.tar")
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    with pytest.raises(SourceError, match=tar.name):
        pairs(truth, tar, alex)


def test_mixed_file_types_are_warned_of(tmp_path: Path, alex: Path) -> None:
    truth, made = write(tmp_path / "true", "0.png"), write(tmp_path / "made", "0.jpg")
    found = pairs(truth, made, alex)
    assert any("mix file types" in line for line in found.warnings)


def test_an_interval_holds_the_value(alex: Path) -> None:
    truth, made = ([random_pixels(seed + k) for seed in range(6)] for k in (0, 100))
    found = pairs(truth, made, alex, interval=True)
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]


def test_the_card_says_how_it_was_measured(alex: Path) -> None:
    found = pairs([random_pixels(0)], [random_pixels(1)], alex, version="0.0")
    assert (found.metric, found.card["lpips_version"]) == ("lpips-pairs", "0.0")
    assert found.card["real"]["n"] == found.card["generated"]["n"] == 1
    assert "11×11" in found.card["protocol"]["ssim_is"]
