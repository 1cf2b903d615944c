"""Checkpoints that plugins offer by name, and packing one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from i2ikit.checkpoints import pack
from i2ikit.errors import CheckpointError, PluginError, RunError
from i2ikit.loading import load_model
from i2ikit.plugins import discover, locate
from tests.conftest import Offer


def gain(checkpoint: str | None) -> float:
    return float(load_model("one-way", checkpoint).state_dict()["gain"])


def test_a_name_stands_for_its_weights(offer: Offer) -> None:
    offer("mine")
    assert gain("mine-weights") == 2


def test_a_file_of_that_name_goes_first(
    offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer("here")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here-weights").mkdir()
    with pytest.raises(CheckpointError, match="here-weights is a folder"):
        gain("here-weights")


def test_a_default_is_used_where_none_is_named(offer: Offer) -> None:
    offer("usual", is_default=True)
    assert gain(None) == 2


def test_two_defaults_are_refused(offer: Offer) -> None:
    offer("first", is_default=True)
    offer("second", is_default=True)
    with pytest.raises(PluginError, match="'first-weights' of first-package and 'second-weights'"):
        gain(None)


def test_a_wrong_name_gets_the_nearest(offer: Offer) -> None:
    offer("near")
    with pytest.raises(CheckpointError, match="does not exist") as caught:
        gain("near-weight")
    assert caught.value.hint == "did you mean 'near-weights'?"


def test_a_checkpoint_of_another_model_is_said_to_be_that(offer: Offer) -> None:
    offer("other")
    words = "'other-weights' is one of model 'one-way', not of 'echo'"
    with pytest.raises(CheckpointError, match=words):
        load_model("echo", "other-weights")


def test_other_weights_than_stated_are_refused(offer: Offer) -> None:
    offer("changed", sha256="ab" * 32)
    with pytest.raises(CheckpointError, match="is not what its package states"):
        gain("changed-weights")


def test_places_in_packages_that_are_not_there() -> None:
    with pytest.raises(PluginError, match="no_such:x can't be found"):
        locate("no_such:x")


def test_an_entry_needs_a_place_within_a_package(offer: Offer) -> None:
    offer("bent", truth="pictures")
    (plugin,) = [plugin for plugin in discover().plugins if plugin.name == "bent"]
    assert plugin.problem == "checkpoint 'bent-weights' names 'pictures', not 'module:Name'"


def test_packing_halves_weights_and_keeps_the_rest(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    held = {"a": {"w": torch.tensor([1.0, 0.1]), "n": torch.tensor([70_000])}}
    torch.save(held, source / "gen.pt")
    (source / "opt.txt").write_text("ngf: 8")
    pack(source, tmp_path / "out")
    packed = load_file(tmp_path / "out" / "gen.safetensors")
    assert packed["a.w"].dtype == torch.float16
    assert packed["a.n"].tolist() == [70_000]
    assert (tmp_path / "out" / "opt.txt").read_text() == "ngf: 8"


def test_packing_refuses_what_half_precision_cannot_hold(tmp_path: Path) -> None:
    save_file({"w": torch.tensor([1e6])}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="w doesn't fit into half precision"):
        pack(tmp_path / "w.safetensors", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_packing_a_folder_is_all_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save_file({"w": torch.ones(1)}, tmp_path / "in" / "a.safetensors")
    save_file({"w": torch.tensor([1e6])}, tmp_path / "in" / "b.safetensors")
    with pytest.raises(CheckpointError, match="doesn't fit"):
        pack(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_packing_keeps_what_is_there(tmp_path: Path) -> None:
    save_file({"w": torch.ones(1)}, tmp_path / "w.safetensors")
    with pytest.raises(RunError, match="is there already"):
        pack(tmp_path / "w.safetensors", tmp_path / "w.safetensors")


def test_packing_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(CheckpointError, match="holds no"):
        pack(tmp_path / "in", tmp_path / "out")
