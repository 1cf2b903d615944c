"""Other people's networks as feature spaces: torchvision's classifiers, timm's networks, DINOv2.

Each is taken without its last layer, with the preprocessing that its weights are published with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from i2ikit.checkpoints import check_fit, hash_file, read_state_dict
from i2ikit.data.images import Pixels
from i2ikit.errors import CheckpointError, UsageError, did_you_mean
from i2ikit.evaluate.space import FeatureSpace
from i2ikit.evaluate.weights import Found, find_weights, missing_extra
from i2ikit.hookspecs import WeightsFile

#: The architecture of DINOv2 ViT-L/14 in timm, the side of its pictures, and patches along it.
_DINOV2 = "vit_large_patch14_dinov2.lvd142m"
_DINOV2_SIDE = 224
_DINOV2_GRID = _DINOV2_SIDE // 14

_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def open_torchvision(
    *, argument: str, dims: int | None, weights: Path | None, convention: str
) -> FeatureSpace:
    """Return the feature space of a classifier: what goes into its last linear layer.

    Raises:
        UsageError: no such classifier, one that doesn't end in a linear layer, wrong dims, or a
            convention.
        CheckpointError: the weights are not there, damaged, or don't fit.
    """
    from torchvision import models

    name = f"torchvision:{argument}"
    _refuse_convention(name, convention)
    _check_known(name, models.list_models(module=models), "torchvision.models.list_models()")
    official = getattr(models.get_model_weights(argument), "DEFAULT", None)
    if official is None:
        raise UsageError(f"features '{name}' have no published weights to take")
    transform = official.transforms()
    with torch.random.fork_rng(devices=[]):  # first values are drawn, and replaced
        network = models.get_model(argument, weights=None, **_facts(argument, transform))
    last, layer = _last_linear(network, name)
    _check_dims(name, dims, layer.in_features)
    found = _find(official.url, weights, name)
    values = read_state_dict(found.path)
    if argument.startswith("densenet"):  # files of 2017: "norm.1" is "norm1" today
        values = {re.sub(r"\.(norm|conv)\.(\d)\.", r".\1\2.", n): v for n, v in values.items()}
    _load(network, values, found.path)
    parent, _, leaf = last.rpartition(".")
    setattr(network.get_submodule(parent), leaf, nn.Identity())
    prepare = partial(_by_transform, transform=transform)
    return _space(name, layer.in_features, network, prepare, _describe(transform), found)


def _describe(transform: Any) -> str:
    """Return in words what torchvision's `ImageClassification` does."""
    crop = transform.crop_size[0]
    return (
        f"torchvision's own: shorter side to {transform.resize_size[0]}, Pillow "
        f"{transform.interpolation.value}, antialiased, middle {crop}×{crop}; "
        f"{_describe_range(transform.mean, transform.std)}"
    )


def _facts(name: str, transform: Any) -> dict[str, Any]:
    """Return what torchvision's own builder sets when it is asked for the weights."""
    if name in ("googlenet", "inception_v3"):
        return {"transform_input": True, "aux_logits": True, "init_weights": False}
    if name.startswith("vit_"):
        return {"image_size": transform.crop_size[0]}
    return {}


def _last_linear(network: nn.Module, name: str) -> tuple[str, nn.Linear]:
    """Return the linear layer that ends a classifier, and what it is called."""
    named = [(n, layer) for n, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not named:
        raise UsageError(
            f"features '{name}' can't be taken: it doesn't end in a linear layer",
            hint="torchvision:resnet50 does",
        )
    return named[-1]


def open_timm(
    *, argument: str, dims: int | None, weights: Path | None, convention: str
) -> FeatureSpace:
    """Return the feature space of one of timm's networks: its pooled features.

    Raises:
        UsageError: no such network, one without pooled features, wrong dims, or a convention.
        CheckpointError: timm isn't installed, or the weights are not there, damaged, or don't fit.
    """
    timm, name = _import_timm(), f"timm:{argument}"
    _refuse_convention(name, convention)
    known = {*timm.list_models(), *timm.list_models(pretrained=True)}
    _check_known(name, known, "timm.list_models()")
    with torch.random.fork_rng(devices=[]):  # first values are drawn, and replaced
        network = timm.create_model(argument, pretrained=False)
    published = network.pretrained_cfg
    repository = published.get("hf_hub_id") or ""
    found = _find(published.get("url") or "", weights, name, repository)
    _load_timm(network, read_state_dict(found.path), found.path)
    config = timm.data.resolve_model_data_config(network)
    length = _measure(network, config["input_size"], name)
    _check_dims(name, dims, length)
    transform = timm.data.create_transform(**config, is_training=False)
    height, width = config["input_size"][1:]
    resize = (
        f"timm's own: {height}×{width}, Pillow {config['interpolation']}, antialiased, "
        f"{config['crop_mode']} crop {config['crop_pct']:g}; "
        f"{_describe_range(config['mean'], config['std'])}"
    )
    prepare = partial(_by_transform, transform=transform)
    return _space(name, length, network, prepare, resize, found)


def _import_timm() -> Any:
    try:
        import timm
    except ImportError:
        raise missing_extra("timm", "i2ikit[timm]") from None
    return timm


def _load_timm(network: Any, values: Mapping[str, Tensor], path: Path) -> None:
    """Drop the last layer and load weights, in timm's layout or that of a ViT's authors."""
    from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

    whole = network.state_dict().keys()
    network.reset_classifier(0)
    last = whole - network.state_dict().keys()
    values = {name: value for name, value in values.items() if name not in last}
    if isinstance(network, VisionTransformer):
        try:
            values = checkpoint_filter_fn(values, network)
        except Exception as error:  # on foreign files it raises whatever it runs into
            raise CheckpointError(f"{path} does not fit the network: {error}") from None
    _load(network, values, path)


def _measure(network: nn.Module, size: tuple[int, int, int], name: str) -> int:
    """Return the length of a network's features."""
    with torch.inference_mode():
        features = network(torch.zeros(1, *size))
    if not isinstance(features, Tensor) or features.ndim != 2:
        raise UsageError(f"features '{name}' can't be taken: the network doesn't pool them")
    return features.shape[1]


def open_dinov2(*, argument: str, dims: int | None, weights: Path, convention: str) -> FeatureSpace:
    """Return the feature space "dinov2", that of FD-DINOv2: class tokens of DINOv2 ViT-L/14.

    As Stein et al. 2023 (arXiv:2306.04675) and their program dgm-eval take them.

    Raises:
        UsageError: an argument, wrong dims, or a convention.
        CheckpointError: timm isn't installed, or the weights are damaged or don't fit.
    """
    timm = _import_timm()
    if argument:
        raise UsageError(f"features 'dinov2' take no argument '{argument}'")
    _refuse_convention("dinov2", convention)
    with torch.device("meta"):
        network = timm.create_model(_DINOV2, pretrained=False, img_size=_DINOV2_SIDE)
    _check_dims("dinov2", dims, network.num_features)
    values = read_state_dict(weights)
    if "pos_embed" in values:
        values["pos_embed"] = _resample(values["pos_embed"])
    _load_timm(network, values, weights)
    resize = (
        f"Pillow bicubic to {_DINOV2_SIDE}×{_DINOV2_SIDE}, antialiased, 8 bits; "
        f"{_describe_range(_IMAGENET_MEAN, _IMAGENET_DEVIATION)}"
    )
    prepare = partial(_by_transform, transform=_dinov2_transform())
    found = Found(weights, hash_file(weights), None)
    return _space("dinov2", network.num_features, network, prepare, resize, found)


def _resample(positions: Tensor) -> Tensor:
    """Resize position embeddings, (1, 1 + n², C) to (1, 1 + 16², C), as DINOv2's own code does.

    That is bicubic without antialiasing, with 16.1 for 16 in the scale (`interpolate_offset` in
    https://github.com/facebookresearch/dinov2, Apache-2.0). timm would smooth and not shift them.
    """
    side = math.isqrt(positions.shape[1] - 1)
    if side == _DINOV2_GRID or side**2 != positions.shape[1] - 1:
        return positions
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, C, n, n)
    scale = (_DINOV2_GRID + 0.1) / side
    grid = F.interpolate(grid.float(), scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)


def _dinov2_transform() -> Callable[[Image.Image], Tensor]:
    """Return what dgm-eval does to a picture; Pillow rounds to 8 bits after resizing."""
    from torchvision import transforms

    to_size = transforms.Resize((_DINOV2_SIDE, _DINOV2_SIDE), transforms.InterpolationMode.BICUBIC)
    to_range = transforms.Normalize(_IMAGENET_MEAN, _IMAGENET_DEVIATION)
    transform: Callable[[Image.Image], Tensor]
    transform = transforms.Compose([to_size, transforms.ToTensor(), to_range])
    return transform


def _by_transform(pixels: Pixels, transform: Callable[[Image.Image], Tensor]) -> Tensor:
    """Bring a picture to a network by the library's own transform, which resizes with Pillow."""
    return transform(Image.fromarray(pixels))


def _describe_range(mean: Collection[float], deviation: Collection[float]) -> str:
    shown = [", ".join(f"{value:g}" for value in values) for values in (mean, deviation)]
    return f"mean ({shown[0]}), deviation ({shown[1]})"


def _refuse_convention(name: str, convention: str) -> None:
    if convention:
        raise UsageError(
            f"features '{name}' have no convention '{convention}'", hint="only inception has"
        )


def _check_known(name: str, known: Collection[str], lister: str) -> None:
    library, _, argument = name.partition(":")
    if not argument:
        example = f"--features {library}:resnet50"
        raise UsageError(f"features '{library}' need the name of a network", hint=example)
    if argument not in known:
        hint = did_you_mean(argument, known)
        few = len(hint) < 100  # there are hundreds
        raise UsageError(f"unknown features '{name}'", hint=hint if few else f"see {lister}")


def _check_dims(name: str, dims: int | None, length: int) -> None:
    if dims not in (None, length):
        raise UsageError(f"--dims {dims}: features '{name}' have {length}")


def _find(url: str, given: Path | None, name: str, repository: str = "") -> Found:
    """Return the file of weights that is published at `url`, or the one given instead.

    Raises:
        CheckpointError: it is nowhere, or what goes by its name is another file.
    """
    file = PurePosixPath(url).name
    if not file and given is None:
        where = f"they are at https://huggingface.co/{repository}: " if repository else ""
        raise CheckpointError(
            f"the weights of '{name}' can't be found by a name", hint=f"{where}give --weights FILE"
        )
    digits = re.search(r"-([0-9a-f]{8,})\.\w+$", file)
    official = WeightsFile(file, sha256=digits[1] if digits else "")
    try:
        return find_weights(official, given=given)
    except CheckpointError as error:
        where = f"it is at {url}: " if url else ""
        raise CheckpointError(error.message, hint=where + error.hint) from None


def _load(network: nn.Module, values: Mapping[str, Tensor], path: Path) -> None:
    """Load every tensor, strictly, and leave the network in eval mode and float32."""
    own = network.state_dict()
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    zeros = {name: torch.zeros((), dtype=torch.long) for name in counters - values.keys()}
    values = {**values, **zeros}  # torch before 0.4.1 didn't count
    check_fit(network, values, str(path))
    own.update(values)  # not a new dict: torch keeps the layout's version with this one
    network.load_state_dict(own, assign=True)
    network.float().eval().requires_grad_(False)


def _space(
    name: str,
    dims: int,
    network: nn.Module,
    prepare: Callable[[Pixels], Tensor],
    resize: str,
    found: Found,
) -> FeatureSpace:
    return FeatureSpace(
        name=name,
        dims=dims,
        network=network,
        prepare=prepare,
        resize=resize,
        weights=found.path.name,
        digest=found.sha256,
        is_official=found.is_official,
    )
