"""LPIPS diversity: its pairs, the protocols of papers, and what it does with odd sets."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import i2ikit
from i2ikit.data.images import Pixels
from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.diversity import lpips_diversity
from i2ikit.evaluate.pairings import Pairing, parse_pairs
from i2ikit.evaluate.results import Result
from tests.conftest import picture, pixels
from tests.evaluate.conftest import IMAGES

CPU = Compute(device="cpu")


@pytest.fixture(scope="session")
def alex(backbones: dict[str, Path]) -> Path:
    return backbones["alex"]


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    """Return a folder with the five outputs of each of two inputs, in0/ and in1/."""
    for path in (IMAGES / "styles").glob("*_style*.png"):
        folder = tmp_path / "styles" / path.name.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.name)
    return tmp_path / "styles"


def group(count: int, side: int = 32, first: int = 0) -> list[Pixels]:
    return [np.array(picture(side, side, seed)) for seed in range(first, first + count)]


def diversity(outputs: Any, backbone: Path, **options: Any) -> Result:
    return lpips_diversity(outputs, backbone=backbone, **{"compute": CPU, **options})


@pytest.mark.parametrize("net", ["alex", "squeeze", "vgg"])
def test_a_folder_of_folders_has_the_known_diversity(
    golden: Any, backbones: dict[str, Path], styles: Path, net: str
) -> None:
    known, found = golden["lpips"][net]["diversity"], diversity(styles, backbones[net], net=net)
    assert found.value == pytest.approx(known["mean_over_inputs"], rel=1e-4)
    error = abs(known["in0"] - known["in1"]) / 2
    assert found.parts == {"standard_error": pytest.approx(error, rel=1e-4)}
    assert found.card["protocol"]["grouped_by"] == "folder"


@pytest.mark.parametrize("name", ["in0", "in1"])
def test_arrays_have_the_known_diversity(golden: Any, alex: Path, styles: Path, name: str) -> None:
    arrays = [pixels(path) for path in sorted((styles / name).iterdir())]
    found = diversity([arrays], alex)
    assert found.value == pytest.approx(golden["lpips"]["alex"]["diversity"][name], rel=1e-4)
    assert found.parts == {}


@pytest.mark.parametrize("batch_size", [1, 3, 5])
@pytest.mark.parametrize("workers", [0, 2])
def test_neither_batch_size_nor_workers_change_it(
    alex: Path, styles: Path, batch_size: int, workers: int
) -> None:
    compute = Compute(device="cpu", batch_size=batch_size, workers=workers)
    expected = diversity(styles, alex).value
    assert diversity(styles, alex, compute=compute).value == pytest.approx(expected, rel=1e-6)


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("prefix", ["", "wds:"])
def test_outputs_of_a_translation_are_compared_by_source(
    tmp_path: Path, alex: Path, prefix: str
) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(2):
        picture(32, 32, seed).save(tmp_path / "in" / f"{seed}.png")
    out = tmp_path / "out"
    i2ikit.translate(tmp_path / "in", f"{prefix}{out}", model="tint", style_sample=3)
    found = diversity(out, alex)
    assert found.value > 0
    told = found.card["protocol"]
    assert (told["inputs"], told["pairs_per_input"], told["grouped_by"]) == (2, 3, "source")


@pytest.mark.parametrize(
    ("pairs", "n", "expected"),
    [
        ("all", 4, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        ("consecutive", 4, [(0, 1), (1, 2), (2, 3)]),
        ("independent", 4, [(0, 1), (2, 3)]),
        ("independent", 5, [(0, 1), (2, 3)]),
        ("random:6", 4, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
    ],
)
def test_pairs_are_those_of_their_kind(pairs: str, n: int, expected: Sequence[Any]) -> None:
    chosen = parse_pairs(pairs).choose(n, "a", 0).tolist()
    assert sorted(map(tuple, chosen)) == expected


def test_drawn_pairs_depend_on_seed_and_input_alone() -> None:
    draws = [Pairing("random", 5).choose(20, *of).tolist() for of in (("a", 0), ("a", 1), ("b", 0))]
    assert draws[0] == Pairing("random", 5).choose(20, "a", 0).tolist()
    assert draws[0] != draws[1] != draws[2] != draws[0]
    assert all(len({*map(tuple, pairs)}) == 5 for pairs in draws)


@pytest.mark.parametrize("text", ["some", "random", "random:0", "random:-1", "random:x", "all:3"])
def test_other_pairs_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--pairs {text} is none of all, consecutive"):
        parse_pairs(text)


def test_no_more_pairs_are_drawn_than_there_are(alex: Path) -> None:
    message = r"--pairs random:4: the 3 outputs of '0' make 3 pairs"
    with pytest.raises(UsageError, match=message):
        diversity([group(3)], alex, pairs="random:4")


def test_the_mean_is_over_inputs_not_over_pairs(alex: Path) -> None:
    first, second = group(2), group(3, first=2)
    alone = [diversity([members], alex).value for members in (first, second)]
    assert diversity([first, second], alex).value == pytest.approx(np.mean(alone), rel=1e-6)


def test_pairs_are_compared_as_chosen(alex: Path) -> None:
    a, b, c = group(3)
    assert diversity([[a, a, b, b]], alex, pairs="independent").value == 0
    all_of_it = diversity([[a, b, c]], alex).value
    parts = [diversity([pair], alex).value for pair in ([a, b], [b, c], [a, c])]
    assert all_of_it == pytest.approx(np.mean(parts), rel=1e-6)
    consecutive = diversity([[a, b, c]], alex, pairs="consecutive").value
    assert consecutive == pytest.approx(np.mean(parts[:2]), rel=1e-6)


@pytest.mark.parametrize(
    ("protocol", "needed", "pairs", "version"),
    [("munit", 38, "independent", "0.1"), ("bicyclegan", 20, "consecutive", "0.0")],
)
def test_a_paper_has_19_pairs_of_the_first_outputs(
    alex: Path, protocol: str, needed: int, pairs: str, version: str
) -> None:
    outputs = group(needed + 2)
    found = diversity([outputs], alex, protocol=protocol)
    told = found.card["protocol"]
    assert (told["protocol"], told["pairs"], told["pairs_per_input"]) == (protocol, pairs, 19)
    assert (found.card["generated"]["n"], found.card["lpips_version"]) == (needed, version)
    same = diversity([outputs[:needed]], alex, pairs=pairs, version=version)
    assert found.value == pytest.approx(same.value, rel=1e-9)


@pytest.mark.parametrize(("protocol", "needed"), [("munit", 38), ("bicyclegan", 20)])
def test_too_few_outputs_for_a_protocol_are_refused(
    alex: Path, styles: Path, protocol: str, needed: int
) -> None:
    message = rf"takes {needed} outputs of each input, 'in0' has 5 .*--style-sample {needed}"
    with pytest.raises(UsageError, match=message):
        diversity(styles, alex, protocol=protocol)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "unit"}, r"unknown protocol 'unit' \(did you mean 'munit'\?\)"),
        ({"protocol": "munit", "pairs": "all"}, r"means --pairs independent, but --pairs all was"),
        ({"protocol": "munit", "net": "vgg"}, r"means --net alex, but --net vgg was given"),
        ({"protocol": "bicyclegan", "version": "0.1"}, r"means --lpips-version 0\.0, but"),
        ({"net": "alexnet"}, r"unknown network 'alexnet' of LPIPS \(did you mean 'alex'\?\)"),
        ({"version": "1"}, r"--lpips-version 1 is none of"),
    ],
)
def test_what_makes_no_sense_is_refused(alex: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        diversity([group(2)], alex, **options)


def test_munit_leaves_the_version_open(alex: Path) -> None:
    found = diversity([group(38)], alex, protocol="munit", version="0.0")
    assert found.card["lpips_version"] == "0.0"
    assert any("state no version" in line for line in found.warnings)


def test_outputs_of_two_sizes_are_named(alex: Path) -> None:
    message = "picture 2 of group 0 is 40x40, others of its input 32x32"
    outputs = [[*group(2), *group(1, side=40)]]
    with pytest.raises(SampleError, match=message):
        diversity(outputs, alex, compute=Compute(device="cpu", on_error="stop"))
    found = diversity(outputs, alex)
    assert found.value == pytest.approx(diversity([group(2)], alex).value, rel=1e-6)
    (failed,) = found.card["generated"]["failed"]
    assert failed.startswith(message)


def test_inputs_may_differ_in_size(alex: Path) -> None:
    found = diversity([group(2), group(2, side=40)], alex)
    assert any(line.startswith("sizes are 32x32, 40x40, in papers") for line in found.warnings)


def test_single_pictures_are_refused(alex: Path) -> None:
    with pytest.raises(UsageError, match=r"no group of arrays has two pictures: 2 pictures in 2"):
        diversity([group(1), group(1)], alex)


def test_an_input_with_one_output_is_left_out_and_told(alex: Path) -> None:
    found = diversity([group(2), group(1, first=2)], alex)
    assert found.value == pytest.approx(diversity([group(2)], alex).value, rel=1e-6)
    assert "1 of 2 inputs left out: without a pair that can be measured" in found.warnings


def test_pairs_with_a_damaged_picture_are_left_out(alex: Path, styles: Path) -> None:
    expected = diversity(styles, alex).value
    (styles / "in0/in0_style9.png").write_bytes(b"no picture")
    found = diversity(styles, alex)
    assert found.value == pytest.approx(expected, rel=1e-6)
    (failure,) = found.card["generated"]["failed"]
    assert "in0_style9.png holds no picture" in failure
    with pytest.raises(SampleError, match=r"in0_style9\.png holds no picture"):
        diversity(styles, alex, compute=Compute(device="cpu", on_error="stop"))


def test_nothing_readable_is_an_error(tmp_path: Path, alex: Path) -> None:
    (tmp_path / "x/a").mkdir(parents=True)
    for name in "bc":
        (tmp_path / f"x/a/{name}.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"no pair of .* can be measured: .*b\.png holds no"):
        diversity(tmp_path / "x", alex)


@pytest.mark.usefixtures("fakes")
def test_what_is_lost_with_a_tar_is_told(tmp_path: Path, alex: Path) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(4):
        picture(64, 64, seed).save(tmp_path / "in" / f"{seed}.png")
    i2ikit.translate(tmp_path / "in", f"wds:{tmp_path}/out", model="tint", style_sample=2)
    (tar,) = (tmp_path / "out").glob("*.tar")
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    found = diversity(tmp_path / "out", alex)
    assert 1 <= found.card["protocol"]["inputs"] < 4
    assert any(tar.name in failure for failure in found.card["generated"]["failed"])
    with pytest.raises(SampleError, match=tar.name):
        diversity(tmp_path / "out", alex, compute=Compute(device="cpu", on_error="stop"))


def test_jpeg_and_few_inputs_are_warned_of(tmp_path: Path, alex: Path) -> None:
    (tmp_path / "a").mkdir()
    picture(32, 32).save(tmp_path / "a/0.jpg")
    picture(32, 32).save(tmp_path / "a/1.png")
    warnings = diversity(tmp_path, alex).warnings
    assert "1 of 2 pictures are JPEG: its artefacts alone move LPIPS" in warnings
    assert "1 input: the protocols of papers have 100" in warnings


def test_an_interval_holds_the_value(alex: Path) -> None:
    groups = [group(2, first=2 * place) for place in range(6)]
    found = diversity(groups, alex, interval=True)
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
    assert diversity(groups, alex).interval is None


def test_the_card_says_how_it_was_measured(alex: Path) -> None:
    found = diversity([group(4)], alex, pairs="random:2", seed=7)
    assert found.metric == "lpips"
    assert found.card["protocol"] == {
        "inputs": 1,
        "pairs_per_input": 2,
        "pairs": "random",
        "seed": 7,
        "grouped_by": "caller",
    }
    assert (found.card["net"], found.card["range"], found.card["resize"]) == (
        "alex",
        "[-1, 1]",
        "none",
    )
    assert found.card["generated"]["n"] == 4
    assert found.card["versions"]["lpips"]
