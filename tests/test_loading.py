"""From a name to a model; what a plugin does wrong is said with its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import i2ikit
from i2ikit.describe import describe_model
from i2ikit.errors import CheckpointError, ModelError, PluginError, UsageError
from i2ikit.hookspecs import ModelEntry
from i2ikit.loading import load_model, resolve_model

Module = Callable[[str, str], None]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Callable[..., None]) -> Module:
    """Return a function that installs a plugin of one model, `strange`, made of code."""

    def write(name: str, code: str) -> None:
        head = "from i2ikit import Model, ModelEntry, Options, hookimpl\n"
        hook = "@hookimpl\ndef i2ikit_models():\n"
        entry = f"    return [ModelEntry('strange', model='{name}:Strange')]\n"
        (tmp_path / f"{name}.py").write_text(f"{head}{code}\n{hook}{entry}")
        monkeypatch.syspath_prepend(tmp_path)
        install("strange-package", strange=name)

    return write


@pytest.mark.usefixtures("fakes")
def test_a_model_without_weights_needs_no_checkpoint() -> None:
    assert not load_model("echo").training
    assert load_model("tint", options={"strength": "0.25"}).options.strength == 0.25


@pytest.mark.usefixtures("fakes")
def test_plain_weights_are_read_by_the_models_own_names(tmp_path: Path) -> None:
    save_file({"gain": torch.tensor([2.0])}, tmp_path / "w.safetensors")
    assert load_model("one-way", tmp_path / "w.safetensors").state_dict()["gain"].item() == 2
    save_file({"pain": torch.tensor([2.0])}, tmp_path / "v.safetensors")
    with pytest.raises(CheckpointError, match=r"1 missing \(gain\); 1 unexpected \(pain\)"):
        load_model("one-way", tmp_path / "v.safetensors")


def test_weights_are_asked_for() -> None:
    for name in ("munit", "unit", "pix2pixhd", "bicyclegan"):
        with pytest.raises(UsageError, match="needs weights"):
            load_model(name, blocked=["demo-weights"])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("s1", "class Strange(Model):\n    def __init__(self, options):\n        1 / 0"),
        (
            "s2",
            "class Strange(Model):\n    read_checkpoint = classmethod(lambda *given: 1 / 0)",
        ),
    ],
)
def test_what_a_plugin_raises_names_its_model(
    module: Module, tmp_path: Path, name: str, code: str
) -> None:
    module(name, code)
    torch.save({"w": torch.ones(1)}, tmp_path / "w.pt")
    with pytest.raises(ModelError, match="model 'strange' failed: ZeroDivisionError"):
        load_model("strange", tmp_path / "w.pt")


def test_what_is_no_model_is_refused(module: Module) -> None:
    module("s3", "class Strange:\n    pass")
    with pytest.raises(PluginError, match=r"s3:Strange is no i2ikit\.Model"):
        load_model("strange")


def test_an_entry_must_name_the_models_own_options() -> None:
    entry = ModelEntry("x", model="tests.fakes:Tint", options="i2ikit.options:NoOptions")
    with pytest.raises(PluginError, match="is not the model's Options"):
        resolve_model(entry)


def test_options_are_described_though_the_entry_leaves_them_out() -> None:
    entry = ModelEntry("x", model="tests.fakes:Tint")
    assert [option["name"] for option in describe_model(entry)["options"]] == ["strength"]


def test_public_names_are_these() -> None:
    assert set(i2ikit.__all__) <= set(dir(i2ikit))
    assert all(getattr(i2ikit, name) is not None for name in i2ikit.__all__)
    promised = (
        "RGB Checkpoint CheckpointEntry CheckpointFiles FeatureSpace Features FeaturesEntry Grey"
        " I2IError InstanceMap LabelMap Measured MetricEntry Model ModelEntry NoOptions Options"
        " RunSummary SizeRule TrainSummary Training Update WeightsFile audit evaluate features feed"
        " hookimpl load_model train translate"
    )
    assert " ".join(i2ikit.__all__) == promised


def test_public_names_of_evaluation_are_these() -> None:
    names = i2ikit.evaluate.__all__
    assert set(names) <= set(dir(i2ikit.evaluate))
    assert all(getattr(i2ikit.evaluate, name) is not None for name in names)
    promised = (
        "Compute Result Statistics conditional_inception_score fd fid fid_infinity"
        " inception_score kid label_consistency load_statistics lpips_diversity lpips_pairs measure"
        " merge_statistics pixels precision_recall psnr save_statistics ssim statistics"
    )
    assert " ".join(names) == promised


def test_public_names_of_feeds_are_these() -> None:
    names = i2ikit.feed.__all__
    assert set(names) <= set(dir(i2ikit.feed))
    assert all(getattr(i2ikit.feed, name) is not None for name in names)
    promised = (
        "Checked FeedPicture FeedSummary GateSummary Limits TranslateOnTheFly adaptation build"
        " check dataset gate measure_pixels"
    )
    assert " ".join(names) == promised
