"""torchvision's and timm's networks, with weights drawn at random."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models

from i2ikit.errors import CheckpointError, UsageError
from i2ikit.evaluate import Compute, backbones, fd
from i2ikit.evaluate.backbones import open_dinov2, open_timm, open_torchvision
from i2ikit.evaluate.space import FeatureSpace

#: The network, its features' length, and the layer that they go into.
CLASSIFIERS = [
    ("resnet18", 512, "fc"),
    ("convnext_tiny", 768, "classifier.2"),
    ("densenet121", 1024, "classifier"),
    ("efficientnet_b0", 1280, "classifier.1"),
    ("googlenet", 1024, "fc"),
    ("mnasnet0_5", 1280, "classifier.1"),
    ("swin_t", 768, "head"),
]
LARGE = [
    ("resnet50", 2048, "fc"),
    ("inception_v3", 2048, "fc"),
    ("vgg16", 4096, "classifier.6"),
    ("vit_b_16", 768, "heads.head"),
]
TIMM = ["resnet18", "vit_tiny_patch16_224", "levit_128s", "convnext_atto"]


def picture(height: int = 90, width: int = 120) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)


def run(network: nn.Module, x: Tensor) -> Tensor:
    with torch.inference_mode():
        features: Tensor = network(x)
    return features


def classifier(name: str) -> nn.Module:
    """A classifier as torchvision builds it for its weights, but with random ones."""
    facts = {"transform_input": True, "aux_logits": True, "init_weights": False}
    chosen = facts if name in ("googlenet", "inception_v3") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = models.get_model(name, weights=None, **chosen).eval()
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:  # a pass sets their statistics, so that activations don't fade away
            norm.momentum = 1.0
            norm.train()
        if norms:
            run(network, torch.rand(2, 3, 128, 128))
    return network.eval()


def saved(network: nn.Module, path: Path) -> Path:
    torch.save(dict(network.state_dict()), path)
    return path


def open_tv(name: str, weights: Path | None = None, dims: int | None = None) -> FeatureSpace:
    return open_torchvision(argument=name, dims=dims, weights=weights, convention="")


@pytest.mark.parametrize(
    ("name", "length", "last"),
    [*CLASSIFIERS, *(pytest.param(*row, marks=pytest.mark.slow) for row in LARGE)],
)
def test_features_are_what_goes_into_the_last_layer(
    tmp_path: Path, name: str, length: int, last: str
) -> None:
    whole = classifier(name)
    seen: list[Tensor] = []
    whole.get_submodule(last).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    space = open_tv(name, saved(whole, tmp_path / "weights.pth"))
    x = space.prepare(picture())[None]
    features = run(space.network, x)
    for batch in (x, x.flip(1)):
        run(whole, batch)
    assert features.shape == (1, length) == (1, space.dims)
    torch.testing.assert_close(features, seen[0])
    assert not torch.allclose(
        seen[0], seen[1], rtol=1e-2
    )  # as random networks go, this one sees the picture


def test_a_picture_is_brought_to_a_classifier_as_its_weights_say(tmp_path: Path) -> None:
    space = open_tv("resnet18", saved(classifier("resnet18"), tmp_path / "weights.pth"))
    own = models.ResNet18_Weights.DEFAULT.transforms()
    assert torch.equal(space.prepare(picture()), own(Image.fromarray(picture())))
    assert "shorter side to 256, Pillow bilinear" in space.resize
    assert "middle 224×224" in space.resize


def test_opening_draws_nothing_from_the_global_generator(tmp_path: Path) -> None:
    path = saved(classifier("resnet18"), tmp_path / "weights.pth")
    before = torch.get_rng_state()
    open_tv("resnet18", path)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_is_found_by_the_name_and_digits_of_its_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    path = tmp_path / f"net-{digest[:8]}.pth"
    path.write_bytes(b"weights")
    monkeypatch.setenv("I2IKIT_WEIGHTS", str(tmp_path))
    found = backbones._find(f"https://example.org/a/{path.name}", None, "torchvision:net")
    assert (found.path, found.sha256, found.is_official) == (path, digest, True)


def test_another_file_under_the_official_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "resnet18-f37072fd.pth").write_bytes(b"cut short")
    monkeypatch.setenv("I2IKIT_WEIGHTS", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"not the official file: .*not f37072fd"):
        open_tv("resnet18")


def test_a_missing_file_is_named_with_its_address() -> None:
    with pytest.raises(
        CheckpointError,
        match=r"resnet50-11ad3fa6\.pth is not on .*https://\S*resnet50-11ad3fa6\.pth.*--weights",
    ):
        open_tv("resnet50")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet500", "unknown features 'torchvision:resnet500' .*did you mean 'resnet50'"),
        ("fcn_resnet50", "unknown features 'torchvision:fcn_resnet50'"),
        ("?", r"unknown features 'torchvision:\?' \(see torchvision.models.list_models"),
        ("", "need the name of a network .*torchvision:resnet50"),
        ("squeezenet1_1", "squeezenet1_1' can't be taken: it doesn't end in a linear layer"),
    ],
)
def test_a_name_that_is_no_classifier_is_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_tv(name)


def test_other_dims_are_refused_before_weights_are_looked_for() -> None:
    with pytest.raises(UsageError, match="--dims 64: features 'torchvision:resnet18' have 512"):
        open_tv("resnet18", dims=64)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = saved(classifier("resnet18"), tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="does not fit the network"):
        open_tv("mnasnet0_5", path)


def test_old_names_of_densenets_layers_and_missing_counters_are_read(tmp_path: Path) -> None:
    values = classifier("densenet121").state_dict()
    old = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
        for name, value in values.items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save(old, tmp_path / "old.pth")
    torch.save(dict(values), tmp_path / "new.pth")
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    first, second = (open_tv("densenet121", tmp_path / f"{n}.pth") for n in ("old", "new"))
    assert torch.equal(run(first.network, x), run(second.network, x))


def test_a_distance_is_measured_in_a_networks_features(tmp_path: Path) -> None:
    path = saved(classifier("resnet18"), tmp_path / "weights.pth")
    sides = ([picture(40, 40), picture(50, 30)], [picture(60, 60), picture(30, 30)])
    compute = Compute(cache=False, workers=0)
    result = fd(*sides, features="torchvision:resnet18", weights=path, compute=compute)
    assert np.isfinite(result.value)
    assert result.card["features"] == "torchvision:resnet18"


@pytest.mark.parametrize("open_it", [open_torchvision, open_timm, open_dinov2])
def test_a_convention_is_refused(open_it: Any) -> None:
    if open_it is not open_torchvision:
        pytest.importorskip("timm")
    name = "" if open_it is open_dinov2 else "resnet18"
    with pytest.raises(UsageError, match="no convention 'clean-fid'"):
        open_it(argument=name, dims=None, weights=Path("x.pth"), convention="clean-fid")


@pytest.mark.parametrize("open_it", [open_timm, open_dinov2])
def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, open_it: Any) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(CheckpointError, match=r"timm is not installed .*'i2ikit\[timm\]'"):
        open_it(argument="", dims=None, weights=Path("x.pth"), convention="")


def bicubic(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic kernel with a = -3/4."""
    d, a = np.abs(distance), -0.75
    near = ((a + 2) * d - (a + 3)) * d**2 + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def test_positions_are_resized_with_dinov2s_offset_and_no_antialiasing() -> None:
    """Target t lies at source (t + 1/2) 37 / 16.1 - 1/2, between four sources a direction."""
    grid = np.random.RandomState(0).standard_normal((37, 37))
    place = (np.arange(16) + 0.5) * 37 / 16.1 - 0.5
    weights = np.zeros((16, 37))
    for step in range(-1, 3):
        source = np.floor(place).astype(int) + step
        np.add.at(weights, (np.arange(16), source.clip(0, 36)), bicubic(place - source))
    positions = np.concatenate([[-7.0], grid.ravel()])[None, :, None]
    resized = backbones._resample(torch.from_numpy(positions).float())
    assert resized[0, 0, 0] == -7
    expected = (weights @ grid @ weights.T).ravel()
    np.testing.assert_allclose(resized[0, 1:, 0].numpy(), expected, atol=1e-4)


def test_a_picture_is_brought_to_dinov2_as_by_dgm_eval() -> None:
    resized = Image.fromarray(picture()).resize((224, 224), Image.Resampling.BICUBIC)
    expected = (np.asarray(resized) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    prepared = backbones._dinov2_transform()(Image.fromarray(picture()))
    np.testing.assert_allclose(prepared.numpy(), expected.transpose(2, 0, 1), atol=1e-5)


def make_timm(name: str) -> Any:
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model(name).eval()


def open_tm(name: str, weights: Path | None = None) -> FeatureSpace:
    return open_timm(argument=name, dims=None, weights=weights, convention="")


@pytest.mark.parametrize("name", TIMM)
def test_timms_features_are_pooled_with_or_without_a_last_layer_in_the_file(
    tmp_path: Path, name: str
) -> None:
    whole = make_timm(name)
    spaces = [open_tm(name, saved(whole, tmp_path / "whole.pth"))]
    whole.reset_classifier(0)
    spaces.append(open_tm(name, saved(whole, tmp_path / "headless.pth")))
    x = spaces[0].prepare(picture())[None]
    for space in spaces:
        features = run(space.network, x)
        assert features.shape == (1, space.dims)
        torch.testing.assert_close(features, run(whole, x))


def test_a_picture_is_brought_to_timms_network_by_its_own_config(tmp_path: Path) -> None:
    space = open_tm("resnet18", saved(make_timm("resnet18"), tmp_path / "weights.pth"))
    assert space.prepare(picture()).shape == (3, 224, 224)
    assert "224×224, Pillow bicubic, antialiased, center crop 0.95" in space.resize
    assert space.name == "timm:resnet18"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("resnet1800", UsageError, "unknown features 'timm:resnet1800' .*did you mean 'resnet1"),
        ("resnet18.nonsense", UsageError, "unknown features 'timm:resnet18.nonsense'"),
        ("", UsageError, "need the name of a network"),
        ("resnet18.a1_in1k", CheckpointError, r"https://\S*/resnet18_a1_0-d63eafa0.pth"),
        ("eva02_tiny_patch14_224.mim_in22k", CheckpointError, "huggingface.co.*--weights"),
    ],
)
def test_what_timm_or_this_machine_lacks_is_named(name: str, kind: type, message: str) -> None:
    pytest.importorskip("timm")
    with pytest.raises(kind, match=message):
        open_tm(name)


def facebook_vit(width: int, depth: int) -> dict[str, Tensor]:
    """A ViT/14 for 518×518 in the layout of DINOv2's files."""
    draws = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "mask_token": (1, width),
        "pos_embed": (1, 1370, width),
        "patch_embed.proj.weight": (width, 3, 14, 14),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for block in (f"blocks.{index}." for index in range(depth)):
        for name, outer, inner in (
            *(("attn.qkv", 3, 1), ("attn.proj", 1, 1)),
            *(("mlp.fc1", 4, 1), ("mlp.fc2", 1, 4)),
        ):
            shapes[f"{block}{name}.weight"] = (outer * width, inner * width)
            shapes[f"{block}{name}.bias"] = (outer * width,)
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[block + name] = (width,)
        shapes |= {f"{block}ls1.gamma": (width,), f"{block}ls2.gamma": (width,)}
    return {n: torch.randn(shape, generator=draws) * 0.05 for n, shape in shapes.items()}


def class_token(w: dict[str, Tensor], x: Tensor, depth: int, heads: int) -> Tensor:
    """A ViT's normed class token, written from the paper (arXiv:2010.11929, eq. 1 to 4)."""

    def linear(name: str, y: Tensor) -> Tensor:
        return F.linear(y, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(name: str, y: Tensor) -> Tensor:
        return F.layer_norm(y, y.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    kernel, bias = w["patch_embed.proj.weight"], w["patch_embed.proj.bias"]
    patches = F.conv2d(x, kernel, bias, stride=14).flatten(2).transpose(1, 2)
    y = torch.cat([w["cls_token"], patches], dim=1) + backbones._resample(w["pos_embed"])
    for block in (f"blocks.{index}." for index in range(depth)):
        parts = linear(f"{block}attn.qkv", norm(f"{block}norm1", y)).chunk(3, dim=-1)
        q, k, v = (part.reshape(1, 257, heads, -1).transpose(1, 2) for part in parts)
        seen = (q @ k.transpose(2, 3) * q.shape[-1] ** -0.5).softmax(-1) @ v
        mixed = linear(f"{block}attn.proj", seen.transpose(1, 2).flatten(2))
        y = y + w[f"{block}ls1.gamma"] * mixed
        wide = F.gelu(linear(f"{block}mlp.fc1", norm(f"{block}norm2", y)))
        y = y + w[f"{block}ls2.gamma"] * linear(f"{block}mlp.fc2", wide)
    return norm("norm", y)[:, 0]


@pytest.fixture
def small_dinov2(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Have the small DINOv2 opened, and return weights for it."""
    pytest.importorskip("timm")
    monkeypatch.setattr(backbones, "_DINOV2", "vit_small_patch14_dinov2.lvd142m")
    return facebook_vit(384, 12)


@pytest.mark.parametrize("layout", ["facebook", "timm"])
def test_dinov2s_features_are_its_class_tokens(
    tmp_path: Path, small_dinov2: dict[str, Tensor], layout: str
) -> None:
    dropped = "mask_token" if layout == "timm" else ""
    values = {name: value for name, value in small_dinov2.items() if name != dropped}
    torch.save(values, tmp_path / "dinov2.pth")
    space = open_dinov2(argument="", dims=384, weights=tmp_path / "dinov2.pth", convention="")
    x = space.prepare(picture())[None]
    expected = class_token(small_dinov2, x, depth=12, heads=6)
    torch.testing.assert_close(run(space.network, x), expected, rtol=1e-4, atol=1e-4)


def test_dinov2_takes_no_other_dims_and_no_argument(small_dinov2: dict[str, Tensor]) -> None:
    with pytest.raises(UsageError, match="--dims 768: features 'dinov2' have 384"):
        open_dinov2(argument="", dims=768, weights=Path("x.pth"), convention="")
    with pytest.raises(UsageError, match="take no argument 'small'"):
        open_dinov2(argument="small", dims=None, weights=Path("x.pth"), convention="")


def test_weights_that_are_not_dinov2s_are_refused(
    tmp_path: Path, small_dinov2: dict[str, Tensor]
) -> None:
    torch.save({"pos_embed": torch.zeros(1, 198, 384)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="does not fit the network"):
        open_dinov2(argument="", dims=None, weights=tmp_path / "other.pth", convention="")
