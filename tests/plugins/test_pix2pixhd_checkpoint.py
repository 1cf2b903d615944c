"""Reading pix2pixHD's checkpoints: the files that belong together, and those that don't."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from i2ikit.errors import CheckpointError, OptionError
from i2ikit.model import Checkpoint
from i2ikit_pix2pixhd.clusters import read_clusters
from i2ikit_pix2pixhd.model import Pix2PixHD
from i2ikit_pix2pixhd.networks import UpsampledConv2d
from i2ikit_pix2pixhd.options import Pix2PixHDOptions
from tests.plugins.test_pix2pixhd import GOLDEN, load
from tests.plugins.test_pix2pixhd_clusters import save_clusters

Weights = dict[str, Tensor]


def read(path: Path) -> Checkpoint:
    return Pix2PixHD.read_checkpoint(path, "a2b")


def weights_of(fixture: str, network: str = "G") -> Weights:
    weights = torch.load(GOLDEN / fixture / f"latest_net_{network}.pth", weights_only=True)
    return dict(weights)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the checkpoint with encoder and clusters."""
    for file in ("latest_net_G.pth", "latest_net_E.pth", "features_clustered_010.npy"):
        shutil.copy(GOLDEN / "feat_instance" / file, tmp_path / file)
    return tmp_path


def test_a_folder_gives_all_that_belongs_together(folder: Path) -> None:
    """Every option but label_nc is read off the shapes."""
    checkpoint = read(folder)
    names = ["features_clustered_010.npy", "latest_net_E.pth", "latest_net_G.pth"]
    assert sorted(file.name for file in checkpoint.files) == names
    assert checkpoint.options == {
        "input_nc": 9,
        "ngf": 8,
        "n_downsample_global": 2,
        "n_blocks_global": 2,
        "n_local_enhancers": 0,
        "upsample": "basic",
        "norm": "instance",
        "nef": 4,
        "n_downsample_encoder": 2,
        "feat_num": 3,
        "num_clusters": (8, 8, 10, 10, 10),
    }


def test_options_of_local_enhancers_and_batch_norm() -> None:
    """The width is that of the finest level."""
    options = read(GOLDEN / "local_b").options
    assert (options["ngf"], options["n_local_enhancers"], options["n_blocks_local"]) == (2, 2, 1)
    assert (options["n_downsample_global"], options["n_blocks_global"]) == (2, 1)
    assert read(GOLDEN / "rgb_batchnorm").options["norm"] == "batch"


def test_the_generators_file_finds_the_encoder_of_its_epoch(folder: Path) -> None:
    """An encoder of another epoch doesn't belong to it."""
    assert "nef" in read(folder / "latest_net_G.pth").options
    shutil.copy(folder / "latest_net_G.pth", folder / "20_net_G.pth")
    assert "nef" not in read(folder / "20_net_G.pth").options


def test_without_latest_a_folder_gives_its_highest_epoch(tmp_path: Path) -> None:
    """By number, not by letters; latest goes before numbers."""
    for epoch in ("9", "10", "best"):
        shutil.copy(GOLDEN / "global_a" / "latest_net_G.pth", tmp_path / f"{epoch}_net_G.pth")
    assert [file.name for file in read(tmp_path).files] == ["10_net_G.pth"]
    shutil.copy(tmp_path / "9_net_G.pth", tmp_path / "latest_net_G.pth")
    assert [file.name for file in read(tmp_path).files] == ["latest_net_G.pth"]


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(CheckpointError, match=r"holds no latest_net_G\.pth"):
        read(tmp_path)


def test_safetensors_are_read_alike(folder: Path) -> None:
    """All three files may be plain data."""
    pickled = load(folder)
    centres = read_clusters(folder / "features_clustered_010.npy")
    for network in "GE":
        save_file(
            weights_of("feat_instance", network), folder / f"latest_net_{network}.safetensors"
        )
        (folder / f"latest_net_{network}.pth").unlink()
    (folder / "features_clustered_010.npy").unlink()
    named = {str(label): values for label, values in centres.items()}
    save_file(named, folder / "features_clustered_010.safetensors")
    plain = load(folder).state_dict()
    assert all(torch.equal(plain[name], value) for name, value in pickled.state_dict().items())


OPT = """------------ Options -------------
feat_num: 3
instance_feat: {feat}
label_nc: {label_nc}
netG: global
no_instance: {no_instance}
-------------- End ----------------
"""


@pytest.mark.parametrize(
    ("label_nc", "no_instance", "labels"), [("5", "False", 5), ("6", "True", 6), ("?", "", 5)]
)
def test_opt_txt_tells_how_the_channels_split(
    folder: Path, label_nc: str, no_instance: str, labels: int
) -> None:
    """What it says badly is passed over."""
    text = OPT.format(feat=True, label_nc=label_nc, no_instance=no_instance)
    (folder / "opt.txt").write_text(text)
    assert load(folder).options.num_labels == labels


def test_opt_txt_tells_whose_the_features_are(folder: Path) -> None:
    """By label instead of by instance."""
    (folder / "opt.txt").write_text("label_feat: True\nlabel_nc: 5\n")
    assert list(load(folder).reference_inputs or {}) == ["image", "label"]


def test_an_option_given_wins_over_opt_txt(folder: Path) -> None:
    """And must fit the weights."""
    (folder / "opt.txt").write_text(OPT.format(feat=True, label_nc=5, no_instance=False))
    assert load(folder, label_nc=6, no_instance=True).options.num_labels == 6
    with pytest.raises(OptionError, match="make 38 channels, but the weights take 9"):
        load(folder, label_nc=34)


def test_features_that_are_missing_are_asked_for(folder: Path) -> None:
    """opt.txt says that the generator was trained with them."""
    (folder / "opt.txt").write_text(OPT.format(feat=True, label_nc=5, no_instance=False))
    (folder / "latest_net_E.pth").unlink()
    assert load(folder).options.feat_num == 3  # clusters suffice
    (folder / "features_clustered_010.npy").unlink()
    with pytest.raises(CheckpointError, match=r"--instance_feat.*put \*_net_E.pth or features_cl"):
        read(folder)


def test_statistics_of_old_instance_norms_are_dropped(tmp_path: Path) -> None:
    """Files from before torch 0.4 hold them; they were never used."""
    weights = weights_of("global_a")
    extra = {"model.2.running_mean": torch.zeros(8), "model.2.running_var": torch.ones(8)}
    torch.save(weights | extra, tmp_path / "latest_net_G.pth")
    assert load(tmp_path).options.norm == "instance"


def test_batch_norms_of_old_files_lack_counters(tmp_path: Path) -> None:
    """They count nothing that translation needs."""
    weights = weights_of("rgb_batchnorm")
    old = {name: value for name, value in weights.items() if "num_batches" not in name}
    torch.save(old, tmp_path / "latest_net_G.pth")
    assert len(old) < len(weights)
    assert load(tmp_path).options.norm == "batch"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"a": {}, "b": {}}, "a MUNIT or UNIT checkpoint"),
        ({"gen": {}, "dis": {}}, "an optimizer's state"),
        ({"state": {}, "param_groups": []}, "an optimizer's state"),
        ({"scale0_layer0.0.weight": torch.zeros(1)}, "a discriminator"),
        ({"layer0.0.weight": torch.zeros(1)}, "a discriminator"),
        ({"features.0.weight": torch.zeros(1)}, "something else (features.0.weight)"),
        ({"model.1.weight": 3}, "something else ('model.1.weight': int)"),
        ([1], "a list"),
        ({}, "something else (nothing)"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: object, what: str) -> None:
    """The message says what the file holds."""
    torch.save(content, tmp_path / "latest_net_G.pth")
    with pytest.raises(CheckpointError) as error:
        read(tmp_path)
    assert f"latest_net_G.pth holds {what}, not a pix2pixHD generator" in str(error.value)


def test_an_encoder_given_as_generator_and_the_reverse(folder: Path) -> None:
    """Each is named."""
    with pytest.raises(CheckpointError, match="holds a pix2pixHD encoder, not a pix2pixHD gener"):
        read(folder / "latest_net_E.pth")
    shutil.copy(folder / "latest_net_G.pth", folder / "latest_net_E.pth")
    with pytest.raises(CheckpointError, match="holds a pix2pixHD generator, not a pix2pixHD enc"):
        read(folder)


def test_an_encoder_of_the_older_layout_is_refused(folder: Path) -> None:
    """Its last convolution sits one place earlier."""
    old = {n.replace("17.", "16."): w for n, w in weights_of("feat_instance", "E").items()}
    torch.save(old, folder / "latest_net_E.pth")
    with pytest.raises(CheckpointError, match=r"older layout: it ends with model\.16\.bias"):
        read(folder)


@pytest.mark.parametrize("fixture", ["global_a", "local_b", "rgb_batchnorm"])
def test_broken_weights_are_a_checkpoint_error(tmp_path: Path, fixture: str) -> None:
    """Whichever tensor is missing or misshapen; unknown names are listed."""
    weights = weights_of(fixture)
    needed = [name for name in weights if "num_batches" not in name]
    spoilt = [{n: w for n, w in weights.items() if n != name} for name in needed]
    spoilt += [weights | {name: torch.zeros(7)} for name in weights]
    for broken in [*spoilt, weights | {"model.99.weight": torch.zeros(1)}]:
        torch.save(broken, tmp_path / "latest_net_G.pth")
        with pytest.raises((CheckpointError, OptionError), match=r"model|channels"):
            load(tmp_path)


def test_clusters_that_do_not_belong_are_an_error(folder: Path) -> None:
    """Of another length than the encoder's features, or two sets at once."""
    save_clusters(folder / "features_clustered_010.npy", {0: np.zeros((2, 4))})
    with pytest.raises(CheckpointError, match=r"makes 3 features, but the clusters .* have 4"):
        read(folder)
    save_clusters(folder / "features_clustered_020.npy", {0: np.zeros((2, 3))})
    both = (
        r"several sets of clusters: features_clustered_010\.npy, features_clustered_020\.npy \(keep"
    )
    with pytest.raises(CheckpointError, match=both):
        read(folder)


@pytest.mark.parametrize("upsample", ["basic", "bilinear"])
@pytest.mark.parametrize("num_enhancers", [0, 1])
def test_how_pictures_grow_is_read_off_the_weights(
    tmp_path: Path, upsample: str, num_enhancers: int
) -> None:
    given = {"label_nc": 2, "ngf": 2, "n_downsample_global": 2, "n_blocks_global": 1}
    given |= {"n_local_enhancers": num_enhancers, "n_blocks_local": 1, "no_instance": True}
    model = Pix2PixHD(Pix2PixHDOptions.model_validate({**given, "upsample": upsample}))
    save_file(model.generator.state_dict(), tmp_path / "latest_net_G.safetensors")
    options = read(tmp_path).options
    assert options["upsample"] == upsample
    assert options["n_downsample_global"] == 2


def test_bilinear_upsampling_leaves_no_checkerboard() -> None:
    """Far from the borders, a plane of one value stays one of one value."""
    plane = torch.ones(1, 4, 16, 16)
    grown = UpsampledConv2d(4, 2)(plane)
    assert grown.shape == (1, 2, 32, 32)
    assert grown.std(dim=(2, 3)).max() < 1e-6
