"""Settings files of the original programs, as `i2ikit train --settings` takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from i2ikit.errors import I2IError, OptionError, UsageError
from i2ikit.options import make_options
from i2ikit.plugins import discover
from i2ikit.training.request import Request, make_training
from i2ikit_bicyclegan.training import BicycleGanTraining
from i2ikit_munit.training import MunitTraining
from i2ikit_pix2pixhd.training import Pix2PixHDTraining
from i2ikit_unit.training import UnitTraining

YAML = """
lr: 0.0002
recon_x_w: 5
gen: {dim: 4, mlp_dim: 8, style_dim: 2, activ: lrelu, n_downsample: 1, n_res: 1, pad_type: zero}
dis: {dim: 4, n_layer: 2, num_scales: 1}
new_size: 64
"""
BICYCLE = """
----------------- Options ---------------
                    netG: unet_128                      \t[default: unet_256]
                    netE: resnet_128                    \t[default: resnet_256]
                     ngf: 8                             \t[default: 64]
                      nz: 4                             \t[default: 8]
               lambda_L1: 3.5                           \t[default: 10.0]
             use_dropout: True                          \t[default: False]
              some_thing: else
----------------- End -------------------
"""
HD = """
------------ Options -------------
feat_num: 3
instance_feat: {features}
label_nc: 5
load_pretrain: /their/machine
n_downsample_E: 2
n_local_enhancers: 1
netG: global
ndf: 8
ngf: 4
niter_fix_global: 10
no_instance: False
-------------- End ----------------
"""


@pytest.mark.parametrize("training", [MunitTraining, UnitTraining])
def test_the_yaml_of_munit_and_unit(training: Any, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(YAML)
    options = make_options(training.Options, {}, hints=training.read_settings(tmp_path / "c.yaml"))
    assert (options.dim, options.activ, options.n_res, options.pad_type) == (4, "lrelu", 1, "zero")
    assert (options.dis_dim, options.num_scales, options.recon_x_w, options.lr) == (4, 1, 5, 2e-4)


def test_the_opt_txt_of_bicyclegan(tmp_path: Path) -> None:
    (tmp_path / "opt.txt").write_text(BICYCLE)
    stated = BicycleGanTraining.read_settings(tmp_path / "opt.txt")
    options = make_options(BicycleGanTraining.Options, {}, hints=stated)
    assert (options.levels, options.encoder, options.ngf) == (7, "resnet_128", 8)
    assert (options.nz, options.lambda_L1, options.use_dropout) == (4, 3.5, True)


@pytest.mark.parametrize(("features", "feat_num"), [(True, 3), (False, 0)])
def test_the_opt_txt_of_pix2pixhd(tmp_path: Path, features: bool, feat_num: int) -> None:
    (tmp_path / "opt.txt").write_text(HD.format(features=features))
    stated = Pix2PixHDTraining.read_settings(tmp_path / "opt.txt")
    options = make_options(Pix2PixHDTraining.Options, {}, hints=stated)
    assert (options.feat_num, options.label_nc, options.ngf, options.ndf) == (feat_num, 5, 4, 8)
    assert (options.n_local_enhancers, options.n_downsample_encoder) == (0, 2)
    assert (options.load_pretrain, options.niter_fix_global) == ("", 0)


def make(model: str, **more: Any) -> Any:
    return make_training(discover(), Request(model=model, a="", b="", output=Path(), **more))


def test_an_option_wins_over_the_file_and_the_file_over_the_size(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(YAML)
    tiny = {"size": 32, "settings_file": tmp_path / "c.yaml"}
    assert make("munit", **tiny).options.num_scales == 1
    assert make("munit", **tiny, options={"num_scales": 2}).options.num_scales == 2
    small = {"dim": 4, "mlp_dim": 8, "n_res": 1, "dis_dim": 4}
    assert make("munit", size=32, options=small).options.num_scales == 2
    assert make("munit", size=256, options=small).options.num_scales == 3


@pytest.mark.parametrize("size", [64, 128, 256])
def test_bicyclegans_depth_follows_the_size(size: int) -> None:
    training = make("bicyclegan", size=size, options={"ngf": 2, "nef": 2, "ndf": 2})
    assert training.size.fixed == (size, size)


@pytest.mark.parametrize(
    ("training", "text", "error", "words"),
    [
        (MunitTraining, "recon_y_w: 3", OptionError, "did you mean 'recon_x_w'"),
        (MunitTraining, "[1", UsageError, "can't be read as YAML"),
        (BicycleGanTraining, "nothing", UsageError, "holds no settings"),
        (Pix2PixHDTraining, "nothing", UsageError, "holds no settings"),
    ],
)
def test_other_files_are_refused(
    training: Any, text: str, error: type[I2IError], words: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(error, match=words):
        training.read_settings(tmp_path / "file")
