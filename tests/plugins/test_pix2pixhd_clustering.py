"""pix2pixHD's feature clusters: made as well as the original program's, and drawn from."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import i2ikit
from i2ikit.errors import CheckpointError, SourceError, UsageError
from i2ikit_pix2pixhd.clustering import class_rows, cluster_rows, k_means
from i2ikit_pix2pixhd.clusters import read_clusters
from i2ikit_pix2pixhd.features import pool
from tests.conftest import pixels
from tests.plugins.test_pix2pixhd import GOLDEN
from tests.plugins.test_pix2pixhd import load as load_golden
from tests.plugins.test_pix2pixhd_training import TINY

DATA = GOLDEN / "data"
TRAINING: dict[str, Any] = {"fields": {"instance": str(DATA / "train_inst")}, "model": "pix2pixhd"}


def golden_pairs() -> list[tuple[Tensor, Tensor]]:
    """The training pictures of the golden set, in the order of their names."""
    pairs = []
    for path in sorted((DATA / "train_img").iterdir()):
        image = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None] / 255 * 2 - 1
        ids = np.array(Image.open(DATA / "train_inst" / path.name))
        pairs.append((image, torch.from_numpy(ids).long()[None, None]))
    return pairs


@pytest.mark.parametrize("fixture", ["feat_instance", "feat_label_local"])
def test_rows_and_clusters_are_as_good_as_the_originals(fixture: str) -> None:
    """Rows in the original order; centres as many, and as near to their rows within 5 %."""
    expected = load_file(GOLDEN / fixture / "features_golden.safetensors")
    model = load_golden(GOLDEN / fixture, label_feat="label" in fixture)
    found = class_rows((pool(model.encoder(image), ids), ids) for image, ids in golden_pairs())
    clusters = cluster_rows(found, 10, seed=0)
    assert list(found) == list(clusters) == [0, 1, 2, 3, 4]
    for label, rows in found.items():
        assert torch.allclose(rows, expected[f"features.{label}"], atol=1e-5)
        large, centres = rows[rows[:, -1] > 0.5, :-1], expected[f"centers.{label}"]
        assert clusters[label].shape == centres.shape
        best, ours = (
            float(torch.cdist(large, c.double()).amin(1).square().sum())
            for c in (centres, clusters[label])
        )
        assert ours <= best * 1.05 + 1e-8


def test_k_means_finds_what_is_apart() -> None:
    """Also with equal rows, fewer than centres."""
    rng = torch.Generator().manual_seed(0)
    middles = torch.tensor([[0.0, 0], [10, 0], [0, 10]], dtype=torch.float64)
    rows = middles.repeat(20, 1) + torch.randn(60, 2, generator=rng).double() * 0.1
    centres = k_means(rows, 3, rng)
    assert float(torch.cdist(middles, centres).amin(1).max()) < 0.1
    equal = k_means(torch.ones(3, 2, dtype=torch.float64), 3, rng)
    assert torch.equal(equal, torch.ones(3, 2, dtype=torch.float64))


def test_of_a_picture_only_its_rows_are_kept() -> None:
    """The one before is gone when the next comes."""
    model, alive = load_golden(GOLDEN / "feat_instance"), list[weakref.ref[Tensor]]()

    def examples() -> Iterator[dict[str, Tensor]]:
        for image, ids in golden_pairs():
            assert all(tensor() is None for tensor in alive[:-2])
            example = {"image": image.clone(), "instance": ids.clone()}
            alive.extend(map(weakref.ref, example.values()))
            yield example

    centres = model.cluster_features(examples(), 3, seed=0)
    assert {name: tuple(values.shape) for name, values in centres.items()} == {
        str(label): (3, 3) for label in range(5)
    }


def test_instances_that_are_too_small_are_said(tmp_path: Path) -> None:
    for folder in ("photos", "instances"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (64, 64), "red").save(tmp_path / "photos" / "x.png")
    ids = (np.arange(64 * 64) // 64).reshape(64, 64).astype(np.uint8)
    Image.fromarray(ids).save(tmp_path / "instances" / "x.png")
    checkpoint = shutil.copytree(GOLDEN / "feat_instance", tmp_path / "checkpoint")
    with pytest.raises(SourceError, match="no instance covers more than 1/64 of its picture"):
        i2ikit.features.cluster(
            tmp_path / "photos",
            model="pix2pixhd",
            checkpoint=checkpoint,
            fields={"instance": str(tmp_path / "instances")},
            restart=True,
        )
    assert (checkpoint / "features_clustered_010.npy").exists()


def translate(output: Path, checkpoint: Path) -> None:
    i2ikit.translate(DATA, output, model="pix2pixhd", checkpoint=checkpoint, style_sample=4)


@pytest.mark.parametrize(
    ("layout", "suffix"), [("upstream", ".pth"), ("safetensors", ".safetensors")]
)
@pytest.mark.parametrize("given", [{}, {"label_feat": True}])
def test_a_trained_checkpoint_draws_styles_from_its_clusters(
    tmp_path: Path,
    layout: Literal["upstream", "safetensors"],
    suffix: str,
    given: dict[str, Any],
) -> None:
    """Four styles of an input differ; clusters are the same each time."""
    trained = i2ikit.train(
        "pix2pixhd",
        DATA / "train_label",
        DATA / "train_img",
        tmp_path / "trained",
        size=32,
        steps=3,
        sample_every=0,
        layout=layout,
        fields_a={"instance": str(DATA / "train_inst")},
        options={**TINY, "label_nc": 5, "feat_num": 3, **given},
    )
    assert (trained.checkpoint / f"latest_net_E{suffix}").exists()
    with pytest.raises(UsageError, match="make clusters to draw from: i2ikit features cluster"):
        translate(tmp_path / "out", trained.checkpoint)
    maps = {"label": str(DATA / "train_label")} if given else TRAINING["fields"]
    asked: dict[str, Any] = {"model": "pix2pixhd", "checkpoint": trained.checkpoint, "fields": maps}
    made = i2ikit.features.cluster(DATA / "train_img", num_clusters=4, size=32, **asked)
    assert made.path == trained.checkpoint / "features_clustered_004.safetensors"
    assert made.num_centres == dict.fromkeys("01234", 4)
    assert made.num_pictures == 8
    first = made.path.read_bytes()
    i2ikit.features.cluster(DATA / "train_img", num_clusters=4, size=32, restart=True, **asked)
    assert made.path.read_bytes() == first
    translate(tmp_path / "out", trained.checkpoint)
    styles = [pixels(tmp_path / "out" / f"cat_s{index:02}.png") for index in range(4)]
    assert not any(np.array_equal(styles[i], styles[j]) for i in range(4) for j in range(i))


def test_the_command_gives_the_centres_of_the_originals_rows(tmp_path: Path) -> None:
    """From files to a file; the original's own pickle goes, for two sets would be refused."""
    checkpoint = shutil.copytree(GOLDEN / "feat_instance", tmp_path / "checkpoint")
    made = i2ikit.features.cluster(
        DATA / "train_img", checkpoint=checkpoint, num_clusters=1, restart=True, **TRAINING
    )
    assert sorted(file.name for file in checkpoint.glob("features_clustered*")) == [made.path.name]
    expected = load_file(GOLDEN / "feat_instance" / "features_golden.safetensors")
    for label, centres in read_clusters(made.path).items():
        rows = expected[f"features.{label}"]
        mean = rows[rows[:, -1] > 0.5, :-1].mean(0, keepdim=True).float()
        assert torch.allclose(centres, mean, atol=1e-4)


def test_a_checkpoint_without_its_encoder_is_named(tmp_path: Path) -> None:
    """No features in the training, or a file that wasn't copied along."""
    with pytest.raises(UsageError, match="has no encoder, so there are no features to cluster"):
        i2ikit.features.cluster(DATA / "train_img", checkpoint=GOLDEN / "global_a", **TRAINING)
    shutil.copy(GOLDEN / "feat_instance" / "latest_net_G.pth", tmp_path)
    (tmp_path / "opt.txt").write_text("instance_feat: True\nlabel_nc: 5\n")
    with pytest.raises(CheckpointError, match=r"put \*_net_E\.pth .* beside it"):
        i2ikit.features.cluster(DATA / "train_img", checkpoint=tmp_path, **TRAINING)
