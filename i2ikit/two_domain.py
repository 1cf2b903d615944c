"""What models share that have, for each of two domains, a content encoder and a decoder.

The networks, their options, and the reading of a checkpoint that holds both domains' generators.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import Field
from torch import Tensor, nn

from i2ikit.checkpoints import drop_running_statistics, read_tensors
from i2ikit.errors import CheckpointError, OptionError
from i2ikit.model import RGB, Grey, InputKind, SizeRule
from i2ikit.nn import (
    Activation,
    ConvBlock,
    InstanceNorm,
    LayerNorm,
    Padding,
    ResidualBlocks,
    Upsample2xConv5x5,
    conv2d,
)
from i2ikit.options import Options


class TwoDomainOptions(Options):
    """The shape of a content encoder and a decoder; read off the weights but for the last two."""

    input_dim: int = Field(3, ge=1, le=3, description="channels of the source domain's pictures")
    output_dim: int = Field(3, ge=1, le=3, description="channels of the target domain's pictures")
    dim: int = Field(64, ge=1, le=1024, description="channels of the first layer")
    n_downsample: int = Field(2, ge=0, le=8, description="how often the encoder halves the picture")
    n_res: int = Field(
        4, ge=1, le=64, description="residual blocks in the encoder, and the decoder"
    )
    activ: Activation = Field("relu", description="activation; weights only tell 'prelu'")
    pad_type: Padding = Field("reflect", description="what convolutions see beyond the border")


class ContentEncoder(nn.Module):
    """Picture to content code: a stem, strided convolutions, residual blocks; instance norm.

    (B, input_dim, H, W) in [-1, 1] to (B, dim 2^n, H / 2^n, W / 2^n); odd sides are floored.
    """

    def __init__(self, options: TwoDomainOptions) -> None:
        super().__init__()
        dim, activ, pad = options.dim, options.activ, options.pad_type
        stem = conv2d(options.input_dim, dim, 7, pad)
        layers: list[nn.Module] = [ConvBlock(stem, InstanceNorm(), activ)]
        for _ in range(options.n_downsample):
            conv = conv2d(dim, 2 * dim, 4, pad, stride=2)
            layers.append(ConvBlock(conv, InstanceNorm(), activ))
            dim *= 2
        layers.append(ResidualBlocks(options.n_res, dim, activ, pad))
        self.model = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Return the content code."""
        content: Tensor = self.model(image)
        return content


class Decoder(nn.Module):
    """Content code to picture: residual blocks, then upsampling convolutions with LayerNorm.

    (B, dim 2^n, H, W) to (B, output_dim, H 2^n, W 2^n) in [-1, 1]. A style makes the residual
    blocks' norms adaptive; without one they are instance norms.
    """

    def __init__(self, options: TwoDomainOptions) -> None:
        super().__init__()
        activ, pad = options.activ, options.pad_type
        dim = options.dim * 2**options.n_downsample
        layers: list[nn.Module] = [ResidualBlocks(options.n_res, dim, activ, pad)]
        for _ in range(options.n_downsample):
            conv = Upsample2xConv5x5(dim, dim // 2, pad)
            dim //= 2
            # published names count the upsampling as a layer; here it belongs to the convolution
            layers += [nn.Identity(), ConvBlock(conv, LayerNorm(dim), activ)]
        last = conv2d(dim, options.output_dim, 7, pad)
        self.model = nn.Sequential(*layers, ConvBlock(last, activation="tanh"))

    def first_conv(self, content: Tensor) -> Tensor:
        """Return the first convolution of the content, the same for every style."""
        return cast("ResidualBlocks", self.model[0]).first_conv(content)

    def forward(
        self, content: Tensor, style: Tensor | None = None, convolved: Tensor | None = None
    ) -> Tensor:
        """Return pictures, one per content.

        Args:
            content: (B, C, H, W).
            style: (B, n_res, 2, 2, C): block, norm, shift and scale, channel.
            convolved: `first_conv(content)`, if there already.
        """
        image: Tensor = self.model[1:](self.model[0](content, style, convolved))
        return image


def picture(channels: int) -> InputKind:
    """Return the kind of picture that has so many channels.

    Raises:
        OptionError: neither 1 nor 3.
    """
    if channels not in (1, 3):
        raise OptionError(f"pictures have 1 or 3 channels, the network {channels}")
    return Grey() if channels == 1 else RGB()


def size_rule(options: TwoDomainOptions) -> SizeRule:
    """Return the sizes that come back as they went in.

    The content code must have two pixels a side, and the picture four, for reflection.
    """
    factor: int = 2**options.n_downsample
    return SizeRule(multiple_of=factor, minimum=max(2 * factor, 4))


@dataclass(frozen=True)
class Generators:
    """Both domains' generators as a file holds them.

    Attributes:
        path: the file read.
        weights: by domain, "a" and "b": tensors by name, without running statistics.
        hints: the `gen` block of the settings file that training leaves beside its checkpoints.
    """

    path: Path
    weights: Mapping[str, Mapping[str, Tensor]]
    hints: Mapping[str, Any]

    def pick(self, direction: str, source: str, target: tuple[str, ...]) -> dict[str, Tensor]:
        """Return the source domain's tensors under `source` and the target's under `target`."""
        first, _, second = direction.partition("2")
        return {
            **{name: v for name, v in self.weights[first].items() if name.startswith(source)},
            **{name: v for name, v in self.weights[second].items() if name.startswith(target)},
        }


def read_generators(path: Path) -> Generators:
    """Read `gen_XXXXXXXX.pt`, the newest one of a folder, or a .safetensors of `a.` and `b.` names.

    Raises:
        CheckpointError: another file; the message says which, where it is known.
    """
    if path.is_dir():
        path = _newest(path)
    data = read_tensors(path)
    if path.suffix == ".safetensors":
        data = _nest(data)
    if isinstance(data, Mapping) and set(data) == {"gen", "dis"}:
        raise CheckpointError(f"{path} is the state of the optimizers", hint=_GENERATOR)
    if not isinstance(data, Mapping) or set(data) != {"a", "b"}:
        raise CheckpointError(f"{path} holds no generators 'a' and 'b', but {_names(data)}")
    for domain, weights in data.items():
        if not isinstance(weights, Mapping) or not all(map(_is_named_tensor, weights.items())):
            raise CheckpointError(f"{path}: '{domain}' holds something else than named tensors")
        if any(name.startswith("cnns.") for name in weights):
            raise CheckpointError(f"{path} holds discriminators", hint=_GENERATOR)
    weights = {domain: drop_running_statistics(data[domain]) for domain in data}
    return Generators(path, weights, _read_hints(path))


_GENERATOR = "the generators are in gen_XXXXXXXX.pt"


def _newest(folder: Path) -> Path:
    found = [
        path
        for place in (folder, folder / "checkpoints")
        for path in place.glob("gen_[0-9]*")
        if path.suffix in (".pt", ".safetensors")
    ]
    if not found:
        raise CheckpointError(f"no gen_XXXXXXXX.pt or .safetensors in {folder}")
    return max(found, key=lambda path: path.name)


def _nest(data: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    nested: dict[str, dict[str, Tensor]] = {}
    for name, value in data.items():
        domain, _, rest = name.partition(".")
        nested.setdefault(domain, {})[rest] = value
    return nested


def _is_named_tensor(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _names(data: object) -> str:
    if not isinstance(data, Mapping):
        return f"a {type(data).__name__}"
    return ", ".join(repr(name) for name in list(data)[:3]) + (", …" if len(data) > 3 else "")


def _read_hints(path: Path) -> Mapping[str, Any]:
    """Return the `gen` block of config.yaml beside the file, or above a `checkpoints` folder."""
    for folder in path.absolute().parents[:2]:
        file = folder / "config.yaml"
        if file.is_file():
            return _gen_block(file)
        if folder.name != "checkpoints":
            break
    return {}


def _gen_block(file: Path) -> Mapping[str, Any]:
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{file} can't be read as YAML: {reason}", hint="mend or move it"
        ) from None
    block = settings.get("gen") if isinstance(settings, dict) else None
    return block if isinstance(block, dict) else {}


def infer_options(weights: Mapping[str, Tensor], encoder: str, path: Path) -> dict[str, Any]:
    """Return what the shapes prove of `TwoDomainOptions`; `encoder` is the encoder's name.

    Raises:
        CheckpointError: tensors that tell are missing or malformed.
    """
    dim, input_dim = shape_of(weights, f"{encoder}.model.0.conv.weight", path)[:2]
    convs = rf"{encoder}\.model\.\d+\.conv\.weight"
    n_downsample = sum(1 for name in weights if re.fullmatch(convs, name)) - 1
    residual = f"{encoder}.model.{n_downsample + 1}.model"
    shape_of(weights, f"{residual}.0.model.0.conv.weight", path)
    blocks = {name.split(".")[4] for name in weights if name.startswith(f"{residual}.")}
    options: dict[str, Any] = {
        "input_dim": input_dim,
        "output_dim": shape_of(weights, f"dec.model.{2 * n_downsample + 1}.conv.weight", path)[0],
        "dim": dim,
        "n_downsample": n_downsample,
        "n_res": len(blocks),
    }
    if any(name.endswith(".activation.weight") for name in weights):
        options["activ"] = "prelu"
    return options


def shape_of(weights: Mapping[str, Tensor], name: str, path: Path) -> tuple[int, ...]:
    """Return the shape of a layer's weight.

    Raises:
        CheckpointError: it is missing, or has fewer than two dimensions.
    """
    if name not in weights:
        raise CheckpointError(f"{path} has no {name}", hint="it may be damaged, or another model's")
    shape = tuple(weights[name].shape)
    if len(shape) < 2:
        raise CheckpointError(f"{path}: {name} is {shape}, not a layer's weight")
    return shape
