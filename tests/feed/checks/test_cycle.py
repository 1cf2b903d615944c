"""The way back: there and back is a difference of nothing, for a model that is exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import i2ikit
from i2ikit.errors import CheckpointError, UsageError
from i2ikit.feed import gate
from i2ikit.feed.checks.cycle import Cycle
from tests.conftest import GOLDEN
from tests.fakes import PaddedEcho, Tint
from tests.feed.scenes import read_lines, save, scene

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def negatives(tmp_path: Path) -> Path:
    """Return OUT of a model that goes both ways, and leave its checkpoint beside."""
    save_file({"gain": torch.ones(1)}, tmp_path / "w.safetensors")
    for seed in range(3):
        save(scene(seed), tmp_path / "in" / f"{seed}.png")
    i2ikit.translate(
        tmp_path / "in", tmp_path / "out", model="negative", checkpoint=tmp_path / "w.safetensors"
    )
    return tmp_path / "out"


def test_the_way_back_is_compared_with_the_source(negatives: Path, tmp_path: Path) -> None:
    save(scene(9), negatives / "1.png")
    summary = gate(negatives, tmp_path / "gate", cycle=tmp_path / "w.safetensors")
    lines = read_lines(tmp_path / "gate" / "report.jsonl")
    assert [row["measures"]["cycle"] for row in lines[::2]] == [0, 0]
    assert lines[1]["measures"]["cycle"] > 40
    assert "worst-cycle.png" in {path.name for path in summary.report.iterdir()}


def test_another_checkpoint_is_refused(negatives: Path, tmp_path: Path) -> None:
    save_file({"gain": torch.zeros(1)}, tmp_path / "v.safetensors")
    with pytest.raises(CheckpointError, match=r"v\.safetensors is not what was translated with"):
        gate(negatives, tmp_path / "gate", cycle=tmp_path / "v.safetensors")


def test_a_model_that_goes_one_way_is_refused(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    with pytest.raises(UsageError, match="can't translate b2a"):
        gate(tmp_path / "out", tmp_path / "gate", cycle="gen.pt")


def cycle(model: i2ikit.Model) -> Cycle:
    return Cycle(model.eval(), "fake", torch.device("cpu"), "fp32")


def test_the_style_is_the_sources_own() -> None:
    source = np.full((8, 8, 3), 200, np.uint8)
    output = np.zeros_like(source)
    assert cycle(Tint()).measure(output, source, "a") == pytest.approx(100, abs=0.5)


def test_sizes_are_made_legal_and_restored() -> None:
    assert cycle(PaddedEcho()).measure(scene(0)[:37, :41], scene(0)[:37, :41], "a") == 0


def test_munit_goes_back_with_the_sources_style(tmp_path: Path) -> None:
    checkpoint = GOLDEN / "munit" / "base" / "gen_00000001.pt"
    save(scene(0), tmp_path / "in" / "a.png")
    i2ikit.translate(tmp_path / "in", tmp_path / "out", model="munit", checkpoint=checkpoint)
    assert gate(tmp_path / "out", tmp_path / "gate", cycle=checkpoint).failures == ()
