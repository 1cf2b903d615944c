"""Batches of a fixed size, as a GPU takes them; here on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import i2ikit
from i2ikit.translation import network
from tests.conftest import GOLDEN, picture, pixels
from tests.fakes import Echo

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Return a folder of 11 pictures of three sizes."""
    for index in range(11):
        path = tmp_path / "in" / f"{index:02d}.png"
        path.parent.mkdir(exist_ok=True)
        picture(*[(32, 24), (48, 32), (20, 20)][index % 3], seed=index).save(path)
    return tmp_path / "in"


@pytest.fixture
def fours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let four pictures of a size go through the network at once."""
    monkeypatch.setattr(network, "micro_batch", lambda job, height, width: 4)


MUNIT: dict[str, Any] = {
    "model": "munit",
    "checkpoint": GOLDEN / "munit" / "base" / "gen_00000001.pt",
}


@pytest.mark.parametrize("wanted", [{"model": "tint"}, MUNIT])
def test_batches_give_the_pictures_that_singles_give(
    mixed: Path, tmp_path: Path, wanted: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    i2ikit.translate(mixed, tmp_path / "singles", style_sample=2, **wanted)
    request.getfixturevalue("fours")
    summary = i2ikit.translate(mixed, tmp_path / "fours", style_sample=2, **wanted)
    assert summary.num_outputs == 22
    for path in (tmp_path / "singles").glob("*.png"):
        one, other = pixels(path).astype(int), pixels(tmp_path / "fours" / path.name).astype(int)
        assert np.abs(one - other).max() <= 1


@pytest.mark.usefixtures("fours")
def test_every_batch_has_the_same_size(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def encode(self: Echo, *, image: torch.Tensor) -> torch.Tensor:
        seen.append(len(image))
        return image

    monkeypatch.setattr(Echo, "encode", encode)
    i2ikit.translate(mixed, tmp_path / "out", model="echo")
    assert seen == [4, 4, 4]


@pytest.mark.usefixtures("fours")
def test_metadata_stays_in_the_order_of_the_plan(mixed: Path, tmp_path: Path) -> None:
    i2ikit.translate(mixed, tmp_path / "out", model="echo")
    lines = (tmp_path / "out" / "metadata.jsonl").read_text().splitlines()
    assert [line[15:17] for line in lines] == [f"{index:02d}" for index in range(11)]


@pytest.mark.usefixtures("fours")
def test_one_bad_picture_fails_alone(mixed: Path, tmp_path: Path) -> None:
    Image.new("RGB", (32, 24)).save(mixed / "03.png")
    summary = i2ikit.translate(mixed, tmp_path / "out", model="fragile")
    assert (summary.num_outputs, summary.num_failed) == (10, 1)
    assert "03.png" in summary.failures[0]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_gives_the_pictures_of_a_cpu(mixed: Path, tmp_path: Path, precision: Any) -> None:
    i2ikit.translate(mixed, tmp_path / "cpu", device="cpu", **MUNIT)
    i2ikit.translate(mixed, tmp_path / "gpu", device="cuda", precision=precision, **MUNIT)
    for path in (tmp_path / "cpu").glob("*.png"):
        one, other = pixels(path).astype(int), pixels(tmp_path / "gpu" / path.name).astype(int)
        assert np.abs(one - other).mean() <= 1
