"""Clusters of features from outside: what is read, what is written, and what is refused."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import i2ikit.features
from i2ikit.data.samples import Sample
from i2ikit.errors import (
    I2IError,
    ModelError,
    PluginError,
    RunError,
    SampleError,
    SourceError,
    UsageError,
)
from i2ikit.loading import resolve_model
from i2ikit.progress import Progress
from i2ikit.translation.references import load_example
from tests.conftest import picture, pixels
from tests.fakes import Palette

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    folder.mkdir()
    save_file({"gain": torch.ones(1)}, folder / "gain.safetensors")
    return folder


def cluster(source: object, checkpoint: Path, **more: Any) -> i2ikit.features.ClusterSummary:
    asked = {"model": "palette", "checkpoint": checkpoint, **more}
    return i2ikit.features.cluster(str(source), **asked)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_writes_a_file_beside_the_weights(pictures: Path, checkpoint: Path) -> None:
    """Of a folder or of the file itself; pictures come in order, and progress is told."""
    told: list[Progress] = []
    made = cluster(pictures, checkpoint, num_clusters=3, on_progress=told.append)
    assert made == i2ikit.features.ClusterSummary(
        checkpoint / "palette_003.safetensors", 5, {"colour": 3}
    )
    assert names(checkpoint) == ["gain.safetensors", "palette_003.safetensors"]
    assert told == [Progress(done, 5, 0, 0) for done in range(1, 6)]
    means = [pixels(pictures / f"a/{index}.png").mean((0, 1)) / 255 * 2 - 1 for index in (0, 1)]
    assert np.allclose(load_file(made.path)["colour"][:2], means, atol=1e-5)
    beside = cluster(pictures, checkpoint / "gain.safetensors", num_clusters=3, restart=True)
    assert beside.path == made.path


def test_pictures_are_resized_as_in_training(
    pictures: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`size` is the shorter side; the model is told what else was asked for."""
    sizes: list[tuple[int, ...]] = []
    told: list[tuple[int, int]] = []

    def note(
        self: Palette, examples: Iterable[Mapping[str, Tensor]], num_clusters: int, seed: int
    ) -> dict[str, Tensor]:
        sizes.extend(tuple(example["image"].shape) for example in examples)
        told.append((num_clusters, seed))
        return {"colour": torch.zeros(1, 3)}

    monkeypatch.setattr(Palette, "cluster_features", note)
    cluster(pictures, checkpoint)
    cluster(pictures, checkpoint, size=16, num_clusters=2, seed=7, restart=True)
    assert sizes == [(1, 3, 8, 12)] * 5 + [(1, 3, 16, 24)] * 5
    assert told == [(10, 0), (2, 7)]


def test_few_pictures_are_loaded_ahead(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are."""
    (tmp_path / "in").mkdir()
    for index in range(40):
        picture(seed=index).save(tmp_path / "in" / f"{index}.png")
    loaded: list[str] = []

    def load(model: i2ikit.Model, sample: Sample, *more: Any) -> dict[str, Tensor]:
        loaded.append(sample.key)
        return load_example(model, sample, *more)

    monkeypatch.setattr(i2ikit.features, "load_example", load)
    monkeypatch.setattr(i2ikit.features, "default_workers", lambda: 2)

    def count(
        self: Palette, examples: Iterable[Mapping[str, Tensor]], num_clusters: int, seed: int
    ) -> dict[str, Tensor]:
        for used, _ in enumerate(examples):
            assert len(loaded) - used <= 6
        return {"colour": torch.zeros(1, 3)}

    monkeypatch.setattr(Palette, "cluster_features", count)
    assert cluster(tmp_path / "in", checkpoint).num_pictures == 40


def test_clusters_that_are_there_are_only_replaced_if_asked(
    pictures: Path, checkpoint: Path
) -> None:
    """Whatever their number, and whoever wrote them; there is one set after it."""
    (checkpoint / "palette_010.npy").write_bytes(b"original")
    with pytest.raises(RunError, match=r"palette_010\.npy is there already .--restart replaces it"):
        cluster(pictures, checkpoint, num_clusters=2)
    cluster(pictures, checkpoint, num_clusters=2, restart=True)
    cluster(pictures, checkpoint, num_clusters=4, restart=True)
    assert names(checkpoint) == ["gain.safetensors", "palette_004.safetensors"]


def test_a_picture_that_can_not_be_read_stops_it(pictures: Path, checkpoint: Path) -> None:
    """With its name; the clusters that were there stay."""
    cluster(pictures, checkpoint)
    before = (checkpoint / "palette_010.safetensors").read_bytes()
    (pictures / "b" / "3.png").write_bytes(b"no picture")
    with pytest.raises(SampleError, match=r"'b/3': .*3\.png"):
        cluster(pictures, checkpoint, restart=True)
    assert names(checkpoint) == ["gain.safetensors", "palette_010.safetensors"]
    assert (checkpoint / "palette_010.safetensors").read_bytes() == before


def test_a_full_disk_leaves_what_was_there(
    pictures: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing half written."""
    cluster(pictures, checkpoint, num_clusters=2)

    def fail(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(i2ikit.features, "save_file", fail)
    with pytest.raises(RunError, match=r"palette_003.* can't be written: No space left on device"):
        cluster(pictures, checkpoint, num_clusters=3, restart=True)
    assert names(checkpoint) == ["gain.safetensors", "palette_002.safetensors"]


def test_a_closed_folder_is_named_before_the_first_picture(
    pictures: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *given: False)
    told: list[Progress] = []
    with pytest.raises(RunError, match="trained can't be written"):
        cluster(pictures, checkpoint, on_progress=told.append)
    assert told == []


def test_what_a_model_raises_is_a_sentence(
    pictures: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Palette, "cluster_features", lambda *given: 1 / 0)
    with pytest.raises(ModelError, match="model 'palette' failed: ZeroDivisionError"):
        cluster(pictures, checkpoint)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"num_clusters": 0}, UsageError, "--num-clusters 0 is less than 1"),
        ({"seed": -1}, UsageError, "--seed -1 is less than 0"),
        ({"size": 0}, UsageError, "--size 0 is less than 1"),
        (
            {"model": "tint"},
            UsageError,
            "'tint' draws no styles from .* .those that do: palette, pix2pix",
        ),
        ({"model": "nothing"}, UsageError, "unknown model 'nothing'"),
        (
            {"fields": {"label": "x"}},
            UsageError,
            "--field label is of no use .the encoder takes im",
        ),
        ({"options": {"size": 3}}, UsageError, "unknown option -o size"),
        ({"checkpoint": "nowhere"}, I2IError, "nowhere does not exist .clusters are put beside"),
        ({"source": "nowhere"}, SourceError, "nowhere does not exist"),
    ],
)
def test_what_makes_no_sense_is_refused(
    pictures: Path, checkpoint: Path, given: dict[str, Any], kind: type[I2IError], message: str
) -> None:
    asked = {"source": pictures, "checkpoint": checkpoint, **given}
    with pytest.raises(kind, match=message):
        cluster(**asked)
    assert names(checkpoint) == ["gain.safetensors"]


def test_an_empty_set_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    """A folder, and a tar that is empty, which only reading tells."""
    (tmp_path / "in").mkdir()
    with pytest.raises(SourceError, match=r"no pictures in .*in: it is empty"):
        cluster(tmp_path / "in", checkpoint)
    url = f"memory://{tmp_path.name}/x.tar"
    with fsspec.open(url, "wb") as file, tarfile.open(fileobj=file, mode="w"):
        pass
    with pytest.raises(SourceError, match=r"x\.tar holds no pictures"):
        cluster(url, checkpoint)


def test_broken_plugins_are_passed_over_where_models_are_named(
    pictures: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of another model can't hide the answer."""

    def strict(entry: i2ikit.ModelEntry) -> type[i2ikit.Model]:
        if entry.name in broken:
            raise PluginError("broken")
        return resolve_model(entry)

    broken = {"pix2pixhd"}
    monkeypatch.setattr(i2ikit.features, "resolve_model", strict)
    with pytest.raises(UsageError, match="those that do: palette"):
        cluster(pictures, checkpoint, model="tint")
    broken.add("palette")
    with pytest.raises(UsageError, match="those that do: none"):
        cluster(pictures, checkpoint, model="tint")
