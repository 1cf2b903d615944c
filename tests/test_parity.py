"""The whole command against the original programs' saved pixels, from their files to ours.

Golden inputs that the originals resized are not used: their resizing is not reproduced.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import i2ikit
from tests.conftest import GOLDEN, pixels


def golden(path: str) -> dict[str, Tensor]:
    return dict(load_file(GOLDEN / path / "golden.safetensors"))


def levels_off(made: Path, expected: Tensor) -> int:
    """Return the largest difference in levels; a value on a boundary may fall either way."""
    difference = pixels(made).astype(int) - expected.numpy().astype(int)
    return int(np.abs(difference).max())


@pytest.mark.parametrize(
    ("range", "golden_name"), [("fixed", "u8_plain"), ("official", "u8_saved")]
)
def test_munit(tmp_path: Path, range: Any, golden_name: str) -> None:  # noqa: A002
    expected = golden("munit/base")
    np.save(tmp_path / "z.npy", expected["style_rand"].numpy())
    i2ikit.translate(
        GOLDEN / "munit" / "inputs" / "one.png",
        tmp_path / "out",
        model="munit",
        checkpoint=GOLDEN / "munit" / "base" / "gen_00000001.pt",
        styles=tmp_path / "z.npy",
        range=range,
    )
    off = levels_off(tmp_path / "out" / "one_s02.png", expected[f"{golden_name}.a2b.one.rand2"])
    assert off <= 1


@pytest.mark.parametrize(
    ("range", "golden_name"), [("fixed", "u8_plain"), ("official", "u8_saved")]
)
@pytest.mark.parametrize("checkpoint", ["gen_00000001.pt", "gen_torch03_format.pt"])
def test_unit(tmp_path: Path, range: Any, golden_name: str, checkpoint: str) -> None:  # noqa: A002
    i2ikit.translate(
        GOLDEN / "unit" / "inputs" / "one.png",
        tmp_path / "out",
        model="unit",
        checkpoint=GOLDEN / "unit" / "base" / checkpoint,
        range=range,
    )
    expected = golden("unit/base")[f"{golden_name}.a2b.one"]
    assert levels_off(tmp_path / "out" / "one.png", expected) <= 1


@pytest.mark.parametrize(
    ("fixture", "options"),
    [("global_a", {}), ("local_a", {}), ("local_b", {}), ("global_a", {"label_nc": 5})],
)
def test_pix2pixhd_from_the_original_folders(
    tmp_path: Path, fixture: str, options: dict[str, Any]
) -> None:
    i2ikit.translate(
        GOLDEN / "pix2pixhd" / "data",
        tmp_path / "out",
        model="pix2pixhd",
        checkpoint=GOLDEN / "pix2pixhd" / fixture,
        options=options,
        range="official",
    )
    expected = golden(f"pix2pixhd/{fixture}")["img0.saved_uint8"]
    assert levels_off(tmp_path / "out" / "cat.png", expected) <= 1


def test_pix2pixhd_guided_by_the_real_picture(tmp_path: Path) -> None:
    data = GOLDEN / "pix2pixhd" / "data"
    i2ikit.translate(
        data,
        tmp_path / "out",
        model="pix2pixhd",
        checkpoint=GOLDEN / "pix2pixhd" / "feat_instance",
        options={"label_nc": 5},
        style_from=f"matched:{data / 'test_img'}",
        range="official",
    )
    expected = golden("pix2pixhd/feat_instance")["encoded.img0.saved_uint8"]
    assert levels_off(tmp_path / "out" / "cat.png", expected) <= 1


def test_pix2pixhd_draws_a_cluster_an_instance_which_can_be_asked_for_again(tmp_path: Path) -> None:
    wanted: dict[str, Any] = {
        "model": "pix2pixhd",
        "checkpoint": GOLDEN / "pix2pixhd" / "feat_instance",
        "options": {"label_nc": 5},
    }
    data = GOLDEN / "pix2pixhd" / "data"
    i2ikit.translate(data, tmp_path / "one", style_sample=2, **wanted)
    used = tmp_path / "one" / ".i2ikit" / "styles.jsonl"
    i2ikit.translate(data, tmp_path / "two", styles=used, **wanted)
    for name in ("cat_s00.png", "cat_s01.png", "coffee_s01.png"):
        assert np.array_equal(pixels(tmp_path / "one" / name), pixels(tmp_path / "two" / name))
    assert not np.array_equal(
        pixels(tmp_path / "one" / "cat_s00.png"), pixels(tmp_path / "one" / "cat_s01.png")
    )


def test_pix2pixhd_takes_a_style_from_another_picture(tmp_path: Path) -> None:
    data = GOLDEN / "pix2pixhd" / "data"
    summary = i2ikit.translate(
        data,
        tmp_path / "out",
        model="pix2pixhd",
        checkpoint=GOLDEN / "pix2pixhd" / "feat_instance",
        options={"label_nc": 5},
        style_from=str(data / "train_img"),
        fields={"reference.instance": str(data / "train_inst")},
    )
    assert (summary.num_inputs, summary.num_outputs) == (2, 16)


@pytest.fixture
def edges(tmp_path: Path) -> Path:
    """Return a folder with the A half of a BicycleGAN pair."""
    with Image.open(GOLDEN / "bicyclegan" / "data128" / "val" / "cat.png") as pair:
        half = pair.convert("RGB").crop((0, 0, pair.width // 2, pair.height))
    (tmp_path / "in").mkdir()
    half.save(tmp_path / "in" / "cat.png")
    return tmp_path / "in"


def test_bicyclegan(edges: Path, tmp_path: Path) -> None:
    expected = golden("bicyclegan/all_unet128")
    np.save(tmp_path / "z.npy", expected["plain.img0.z_used"].numpy())
    i2ikit.translate(
        edges,
        tmp_path / "out",
        model="bicyclegan",
        checkpoint=GOLDEN / "bicyclegan" / "all_unet128",
        styles=tmp_path / "z.npy",
        range="official",
    )
    made = tmp_path / "out" / "cat_s01.png"
    assert levels_off(made, expected["plain.img0.fake1_saved_uint8"]) <= 1


def test_bicyclegan_takes_a_style_from_a_picture(edges: Path, tmp_path: Path) -> None:
    photos = shutil.copytree(edges, tmp_path / "photos")
    summary = i2ikit.translate(
        edges,
        tmp_path / "out",
        model="bicyclegan",
        checkpoint=GOLDEN / "bicyclegan" / "all_unet128",
        style_from=f"matched:{photos}",
    )
    assert summary.num_failed == 0
