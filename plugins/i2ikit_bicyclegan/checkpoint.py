"""Reading BicycleGAN checkpoints: which files, what they are, what their shapes say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2ikit.checkpoints import part_of, read_state_dict, read_tensors
from i2ikit.errors import CheckpointError
from i2ikit.model import Checkpoint

SUFFIXES = (".pth", ".pt", ".safetensors")
Weights = Mapping[str, Tensor]

#: By where z is added: level 1's way down, and its way up for each kind of upsampling.
LEVEL_1 = {
    "all": ("model.down.0.weight", "model.up.1.weight", "model.up.3.weight"),
    "input": ("model.model.0.weight", "model.model.3.weight", "model.model.5.weight"),
}


def read(path: Path) -> Checkpoint:
    """Read a generator with the encoder and the `opt.txt` beside it, if they are there.

    A file whose names begin with `generator.` and `encoder.` holds both networks.

    Raises:
        CheckpointError: no generator of a BicycleGAN; the message says what it is.
    """
    path = find_generator(path)
    generator = _read_weights(path)
    beside = _find_encoder(path)
    if any(name.startswith("generator.") for name in generator):
        encoder, beside = part_of(generator, "encoder."), None
        generator = part_of(generator, "generator.")
    else:
        encoder = _read_weights(beside) if beside else {}
    named = {f"generator.{name}": value for name, value in _modern(generator).items()}
    named |= {f"encoder.{name}": value for name, value in _modern(encoder).items()}
    return Checkpoint(
        weights=named,
        options=infer_options(generator, encoder, path),
        hints=read_opt_txt(path.with_name("opt.txt")),
        files=[path, beside] if beside else [path],
    )


def find_generator(path: Path) -> Path:
    """Return the generator's file: `path`, or in a folder the latest, else the highest epoch.

    Raises:
        CheckpointError: a folder without such files.
    """
    if not path.is_dir():
        return path
    found = {
        file.name.partition("_net_G.")[0]: file
        for suffix in SUFFIXES
        for file in path.glob(f"*_net_G{suffix}")
    }
    epochs = [epoch for epoch in found if epoch.isdecimal()]
    if "latest" in found:
        return found["latest"]
    if epochs:
        return found[max(epochs, key=int)]
    names = ", ".join(sorted(file.name for file in found.values())) or "no *_net_G file at all"
    raise CheckpointError(
        f"{path} has no latest_net_G.pth and no numbered one", hint=f"there is {names}"
    )


def _find_encoder(generator: Path) -> Path | None:
    if "_net_G." not in generator.name:
        return None
    stem = generator.name.rpartition("_net_G.")[0] + "_net_E"
    suffixes = (generator.suffix, *SUFFIXES)
    beside = (generator.with_name(stem + suffix) for suffix in suffixes)
    return next((file for file in beside if file.is_file()), None)


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        weights = read_state_dict(path)
    except CheckpointError:
        _refuse_nested(path, read_tensors(path))
        raise
    if all(name.startswith("module.") for name in weights):  # saved from a DataParallel
        weights = part_of(weights, "module.")
    return weights


def _refuse_nested(path: Path, data: object) -> None:
    names = set(data) if isinstance(data, Mapping) else set()
    if "param_groups" in names or names == {"gen", "dis"}:
        raise CheckpointError(f"{path} holds an optimizer's state, not a generator")
    if names == {"a", "b"}:
        raise CheckpointError(
            f"{path} holds 'a' and 'b': it is a MUNIT or UNIT checkpoint, not a BicycleGAN's",
            hint="--model munit or --model unit",
        )


def _modern(weights: Weights) -> dict[str, Tensor]:
    """Return the weights as torch names them now, whichever torch saved them.

    Before 0.4 instance norms kept running statistics, which were never used, and batch norms did
    not count their batches.
    """
    modern = {
        name: value
        for name, value in weights.items()
        if not _is_statistic(name) or _owner(name) + ".weight" in weights
    }
    for name in weights:
        if name.endswith(".running_mean") and name in modern:
            modern.setdefault(_owner(name) + ".num_batches_tracked", torch.tensor(0))
    return modern


def _is_statistic(name: str) -> bool:
    return name.endswith((".running_mean", ".running_var", ".num_batches_tracked"))


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def infer_options(generator: Weights, encoder: Weights, path: Path) -> dict[str, Any]:
    """Return the options that the names and shapes of the weights prove.

    Raises:
        CheckpointError: they are another network's, incomplete, or don't belong together.
    """
    _refuse_other_networks(generator, path)
    options = _infer_generator(generator, str(path))
    read_off = _infer_encoder(encoder, f"the style encoder of {path}")
    if "nz" in options and read_off.get("nz", options["nz"]) != options["nz"]:
        raise CheckpointError(
            f"{path} takes styles of {options['nz']} numbers, but its style encoder makes"
            f" {read_off['nz']}"
        )
    options |= read_off
    if norm := _generator_norm(generator) or _encoder_norm(encoder):
        options["norm"] = norm
    if "nz" in options:
        options["input_nc"] = _image_channels(options.pop("first_inputs"), options["nz"], path)
    return options


def _image_channels(first_inputs: int, nz: int, path: Path) -> int:
    if nz < 0 or first_inputs - nz not in (1, 3):
        raise CheckpointError(
            f"{path}: the first convolution takes {first_inputs} channels, which leaves"
            f" {first_inputs - nz} beside a style of {nz}; it should be 1 or 3"
        )
    return first_inputs - nz


def _refuse_other_networks(weights: Weights, path: Path) -> None:
    if any(first in weights for first, *_ in LEVEL_1.values()):
        return
    if any(name.startswith("model_0.") for name in weights):
        what = "a BicycleGAN discriminator"
    elif "fc.0.weight" in weights and "fcVar.0.weight" in weights:
        what = "a BicycleGAN style encoder (net_E)"
    else:
        what = f"something else (its first name is '{next(iter(weights), '')}')"
    raise CheckpointError(
        f"{path} is not a BicycleGAN generator but {what}", hint="give latest_net_G.pth"
    )


def _infer_generator(weights: Weights, where: str) -> dict[str, Any]:
    """Level 1 tells most; how many inputs the next level has beside its own width tells nz."""
    where_add = "all" if "model.down.0.weight" in weights else "input"
    first, basic, bilinear = LEVEL_1[where_add]
    is_bilinear = bilinear in weights
    ngf, first_inputs, *_ = _shape(first, weights, where)
    last = _shape(bilinear if is_bilinear else basic, weights, where)
    outputs = last[0] if is_bilinear else last[1]
    if outputs != 3:
        raise CheckpointError(f"{where} makes pictures of {outputs} channels, not 3")
    options = {
        "where_add": where_add,
        "upsample": "bilinear" if is_bilinear else "basic",
        "levels": _count_levels(weights, where),
        "ngf": ngf,
        "first_inputs": first_inputs,
    }
    if where_add == "all":
        options["nz"] = _shape("model.submodule.down.1.weight", weights, where)[1] - ngf
    return options


def _count_levels(weights: Weights, where: str) -> int:
    """Count how deep the longest name nests; where z enters at the input, level 1 does too."""
    if "model.down.0.weight" in weights:
        levels = 1 + max(name.count("submodule.") for name in weights)
    else:
        levels = max(name.count(".model.") for name in weights)
    if levels < 5:
        raise CheckpointError(f"{where} has {levels} levels, and a BicycleGAN generator at least 5")
    return levels


def _infer_encoder(weights: Weights, where: str) -> dict[str, Any]:
    if not weights:
        return {"encoder": "none"}
    blocks = sum(bool(re.fullmatch(r"conv\.\d+\.shortcut\.1\.weight", name)) for name in weights)
    plain = [name for name in weights if re.fullmatch(r"conv\.\d+\.weight", name)]
    convs = sum(weights[name].dim() == 4 for name in plain)
    kinds = {
        (2, 1): "resnet_64",
        (3, 1): "resnet_128",
        (4, 1): "resnet_256",
        (0, 4): "conv_128",
        (0, 5): "conv_256",
    }
    if (blocks, convs) not in kinds:
        raise CheckpointError(
            f"{where} has {blocks} blocks and {convs} plain convolutions, which is none of"
            f" {', '.join(kinds.values())}"
        )
    return {
        "encoder": kinds[blocks, convs],
        "nef": _shape("conv.0.weight", weights, where)[0],
        "nz": _shape("fc.0.weight", weights, where, dims=2)[0],
    }


def _generator_norm(weights: Weights) -> str | None:
    """Tell by the statistics; where z enters at the input, a norm also moves the next level."""
    if norm := _norm_of_statistics(weights):
        return norm
    if "model.down.0.weight" in weights:
        return None
    has_none = any(name.startswith("model.model.1.model.2.model.") for name in weights)
    return "none" if has_none else "instance"


def _encoder_norm(weights: Weights) -> str | None:
    if norm := _norm_of_statistics(weights):
        return norm
    without = ("conv.1.conv.1.weight", "conv.4.weight")  # of a residual, of a plain encoder
    if any(name in weights for name in without):
        return "none"
    return "instance" if weights else None


def _norm_of_statistics(weights: Weights) -> str | None:
    """Running statistics belong to batch norms, or, without weights, to old instance norms."""
    for name in weights:
        if name.endswith(".running_mean"):
            return "batch" if _owner(name) + ".weight" in weights else "instance"
    return None


def _shape(name: str, weights: Weights, where: str, dims: int = 4) -> list[int]:
    if name not in weights:
        raise CheckpointError(f"{where} has no '{name}': its weights are incomplete")
    shape = list(weights[name].shape)
    if len(shape) != dims:
        raise CheckpointError(f"{where}: '{name}' has {len(shape)} dimensions, not {dims}")
    return shape


def read_opt_txt(path: Path) -> dict[str, str]:
    """Return the values that the original program's list of options states, by name.

    Its lines read `name: value`, with `[default: x]` after a tab where the value differs.
    """
    if not path.is_file():
        return {}
    text = path.read_text("utf-8", errors="replace")
    lines = (line.partition("\t[default:")[0] for line in text.splitlines())
    pairs = (line.partition(": ") for line in lines)
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}
