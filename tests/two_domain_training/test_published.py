"""The original program's YAML: read as options, written, and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2ikit.errors import UsageError
from i2ikit.options import make_options
from i2ikit.two_domain_training.published import read_yaml, write_yaml
from i2ikit_munit.training import MunitTrainingOptions
from tests.conftest import GOLDEN

YAML = """
# logger options
image_save_iter: 10000
image_display_iter: 500
display_size: 16
snapshot_save_iter: 10000
log_iter: 10
# optimization options
max_iter: 1000000
batch_size: 1
weight_decay: 0.0001
beta1: 0.5
beta2: 0.999
init: kaiming
lr: 0.0001
lr_policy: step
step_size: 100000
gamma: 0.5
gan_w: 1
recon_x_w: 10
recon_s_w: 1
recon_c_w: 1
recon_x_cyc_w: 10
vgg_w: 1
gen:
  dim: 64
  mlp_dim: 256
  style_dim: 8
  activ: relu
  n_downsample: 2
  n_res: 4
  pad_type: reflect
dis:
  dim: 32
  norm: none
  activ: lrelu
  n_layer: 4
  gan_type: lsgan
  num_scales: 3
  pad_type: zero
# data options
input_dim_a: 3
input_dim_b: 1
num_workers: 8
new_size: 512
crop_image_height: 512
crop_image_width: 512
data_root: ./datasets/synthia2cityscape/
data_list_train_a: ./lists/train_a.txt
"""


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    (tmp_path / "synthia.yaml").write_text(YAML)
    return tmp_path / "synthia.yaml"


def test_published_settings_are_options(yaml_file: Path) -> None:
    found = read_yaml(yaml_file, MunitTrainingOptions)
    options = make_options(MunitTrainingOptions, found.options)
    changed = {"recon_x_cyc_w": 10, "vgg_w": 1, "dis_dim": 32, "dis_pad_type": "zero"}
    assert options == MunitTrainingOptions.model_validate({**changed, "output_dim": 1})
    assert found.options["dim"] == 64
    assert found.loop == {
        "image_save_iter": 10_000,
        "snapshot_save_iter": 10_000,
        "max_iter": 1_000_000,
        "batch_size": 1,
        "num_workers": 8,
        "new_size": 512,
        "crop_image_height": 512,
        "crop_image_width": 512,
    }


@pytest.mark.parametrize("name", ["base", "variant"])
def test_settings_of_the_golden_files_are_read(name: str) -> None:
    found = read_yaml(GOLDEN / "munit" / name / "config.yaml", MunitTrainingOptions)
    assert make_options(MunitTrainingOptions, found.options).dis_dim == 6


def test_written_settings_are_read_back(tmp_path: Path) -> None:
    given = {"dis_norm": "sn", "lr": 1e-5, "output_dim": 1, "activ": "selu", "vgg": "here.pth"}
    options = MunitTrainingOptions.model_validate(given)
    (tmp_path / "config.yaml").write_text(write_yaml(options))
    found = read_yaml(tmp_path / "config.yaml", MunitTrainingOptions)
    assert make_options(MunitTrainingOptions, {**found.options, "vgg": "here.pth"}) == options
    assert found.loop == {}
    assert "here.pth" not in write_yaml(options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recon_xw: 1", r"unknown setting recon_xw.*'recon_x_w'"),
        ("gen: {width: 3}", r"unknown setting gen\.width"),
        ("gen: {dis_dim: 3}", r"unknown setting gen\.dis_dim"),
        ("dis: 3", "dis is no block of settings, but 3"),
        ("[1, 2]", "holds no settings, but a list"),
        ("gen: [", "can't be read as YAML"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_yaml(tmp_path / "x.yaml", MunitTrainingOptions)
