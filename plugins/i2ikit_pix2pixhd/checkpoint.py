"""Reads the original program's checkpoints: `*_net_G.pth`, and what lies beside it.

Beside the generator may lie the encoder (`*_net_E.pth` of the same epoch), the feature clusters
(`features_clustered_*.npy`) and the training's settings (`opt.txt`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2ikit.checkpoints import drop_running_statistics, read_tensors
from i2ikit.errors import CheckpointError
from i2ikit.model import Checkpoint
from i2ikit_pix2pixhd.clusters import FILES, pack_clusters, read_clusters

Weights = dict[str, Tensor]

SUFFIXES = (".safetensors", ".pth")
GENERATOR = "a pix2pixHD generator"
ENCODER = "a pix2pixHD encoder"


@dataclass(frozen=True)
class Files:
    """The files of one checkpoint."""

    generator: Path
    encoder: Path | None
    clusters: Path | None
    settings: Path | None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a generator file or an original checkpoint folder, with all that lies beside.

    Raises:
        CheckpointError: no such file, or one that is something else; the message says what.
    """
    files = find_files(path)
    weights = _read_network(files.generator, GENERATOR)
    options = {"feat_num": 0} | _generator_options(weights, files.generator)
    named = {f"generator.{name}": value for name, value in weights.items()}
    if files.encoder:
        weights = _read_network(files.encoder, ENCODER)
        options |= _encoder_options(weights, files.encoder)
        named |= {f"encoder.{name}": value for name, value in weights.items()}
    if files.clusters:
        named["clusters"], counts = pack_clusters(read_clusters(files.clusters))
        options["num_clusters"] = counts
        options["feat_num"] = _common_length(named["clusters"].shape[2], options, files)
    hints = read_settings(files.settings) if files.settings else {}
    _check_features(options, hints, files)
    read = (files.generator, files.encoder, files.clusters)
    return Checkpoint(named, options, hints, tuple(file for file in read if file))


def find_files(path: Path) -> Files:
    """Return the generator at `path` (a file, or a folder's latest) and what belongs to it.

    Raises:
        CheckpointError: a folder without a generator, or with several files of clusters.
    """
    generator = _latest(path) if path.is_dir() else path
    folder, epoch = generator.parent, generator.stem.removesuffix("_net_G")
    encoders = [folder / f"{epoch}_net_E{suffix}" for suffix in SUFFIXES]
    clusters = {
        file.stem: file
        for suffix in (".npy", ".safetensors")  # the second, plain data, replaces the first
        for file in folder.glob(FILES + suffix)
    }
    if len(clusters) > 1:
        raise CheckpointError(
            f"{folder} holds several sets of clusters:"
            f" {', '.join(sorted(file.name for file in clusters.values()))}",
            hint="keep the one to use beside the weights, and move the others away",
        )
    settings = folder / "opt.txt"
    return Files(
        generator,
        next((file for file in encoders if file.is_file()), None),
        next(iter(clusters.values()), None),
        settings if settings.is_file() else None,
    )


def _latest(folder: Path) -> Path:
    files = {
        file.stem: file
        for suffix in (".pth", ".safetensors")
        for file in folder.glob(f"*_net_G{suffix}")
    }
    if "latest_net_G" in files:
        return files["latest_net_G"]
    epochs = [stem for stem in files if stem.removesuffix("_net_G").isdecimal()]
    if not epochs:
        raise CheckpointError(
            f"{folder} holds no latest_net_G.pth and no <epoch>_net_G.pth",
            hint="--checkpoint takes an original checkpoint folder, or the generator's file",
        )
    return files[max(epochs, key=lambda stem: int(stem.removesuffix("_net_G")))]


def read_settings(path: Path) -> dict[str, Any]:
    """Return what an `opt.txt` says of the options that weights can't tell."""
    found = dict(re.findall(r"^\s*(\w+): (\S+)", path.read_text(errors="replace"), re.MULTILINE))
    flags = ("no_instance", "label_feat", "instance_feat")
    settings: dict[str, Any] = {
        name: found[name] == "True" for name in flags if found.get(name) in ("True", "False")
    }
    if found.get("label_nc", "").isdecimal():
        settings["label_nc"] = int(found["label_nc"])
    return settings


def _read_network(path: Path, wanted: str) -> Weights:
    data = read_tensors(path)
    kind = _kind(data)
    if kind != wanted:
        raise CheckpointError(
            f"{path} holds {kind}, not {wanted}",
            hint="the generator is *_net_G.pth, the encoder *_net_E.pth beside it",
        )
    return _modernised(data)


def _kind(data: object) -> str:
    """Return what a file holds, in words."""
    if not isinstance(data, Mapping):
        return f"a {type(data).__name__}"
    if set(data) == {"a", "b"}:
        return "a MUNIT or UNIT checkpoint"
    if {"gen", "dis"} <= set(data) or {"state", "param_groups"} <= set(data):
        return "an optimizer's state"
    for name, value in data.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            return f"something else ({name!r}: {type(value).__name__})"
    if any(re.match(r"(scale\d+_)?layer\d+\.", name) for name in data):
        return "a discriminator"
    if any(re.match(r"model\.\d+\.conv_block\.|model\d+_\d\.", name) for name in data):
        return GENERATOR
    stem = data.get("model.1.weight")
    if stem is None or stem.dim() != 4:
        return f"something else ({', '.join(list(data)[:3]) or 'nothing'})"
    return ENCODER if stem.shape[1] == 3 else GENERATOR


def _modernised(weights: Mapping[str, Tensor]) -> Weights:
    """Return the names that today's torch expects, of a file from any version."""
    if not _is_batch_norm(weights):
        return drop_running_statistics(weights)  # instance norm kept some, before torch 0.4
    counters = {  # batch norm had none, before torch 0.4.1
        name.replace("running_mean", "num_batches_tracked"): torch.tensor(0)
        for name in weights
        if name.endswith("running_mean")
    }
    return {**counters, **weights}


def _is_batch_norm(weights: Mapping[str, Tensor]) -> bool:
    means = [name for name in weights if name.endswith(".running_mean")]
    return any(name.replace("running_mean", "weight") in weights for name in means)


def _generator_options(weights: Weights, path: Path) -> dict[str, Any]:
    levels = [int(m[1]) for name in weights if (m := re.match(r"model(\d+)_1\.", name))]
    num_enhancers = max(levels, default=0)
    finest = f"model{num_enhancers}_1" if num_enhancers else "model"
    width, in_channels, *_ = _conv_shape(weights, f"{finest}.1.weight", path)
    return {
        "input_nc": in_channels,
        "ngf": width,
        "n_downsample_global": _num_downsamplings(weights),
        "n_blocks_global": _num_blocks(weights, "model"),
        "n_local_enhancers": num_enhancers,
        "upsample": _upsampling(weights),
        "norm": "batch" if _is_batch_norm(weights) else "instance",
    } | ({"n_blocks_local": _num_blocks(weights, "model1_2")} if num_enhancers else {})


def _encoder_options(weights: Weights, path: Path) -> dict[str, Any]:
    num_downsamplings = _num_downsamplings(weights)
    head = 6 * num_downsamplings + 5
    if f"model.{head}.weight" not in weights:
        last = list(weights)[-1]
        raise CheckpointError(
            f"{path} is an encoder of an older layout: it ends with {last}, not model.{head}.bias",
            hint="only encoders of the published program can be used",
        )
    return {
        "nef": _conv_shape(weights, "model.1.weight", path)[0],
        "n_downsample_encoder": num_downsamplings,
        "feat_num": _conv_shape(weights, f"model.{head}.weight", path)[0],
    }


def _num_downsamplings(weights: Weights) -> int:
    return len(_scalings(weights)) // 2


def _upsampling(weights: Weights) -> str:
    """Tell transposed convolutions, whose weights name the inputs first, from plain ones."""
    ups = _scalings(weights)[_num_downsamplings(weights) :]
    return "bilinear" if ups and ups[0].shape[0] < ups[0].shape[1] else "basic"


def _scalings(weights: Weights) -> list[Tensor]:
    """Return the 3×3 convolutions outside blocks, in order: one down and one up for each level."""
    named = {
        int(m[1]): w for n, w in weights.items() if (m := re.fullmatch(r"model\.(\d+)\.weight", n))
    }
    return [w for _, w in sorted(named.items()) if w.dim() == 4 and w.shape[-1] == 3]


def _num_blocks(weights: Weights, part: str) -> int:
    return sum(bool(re.fullmatch(rf"{part}\.\d+\.conv_block\.1\.weight", name)) for name in weights)


def _conv_shape(weights: Weights, name: str, path: Path) -> tuple[int, ...]:
    if name not in weights or weights[name].dim() != 4:
        raise CheckpointError(f"{path} is incomplete: no convolution {name}")
    return tuple(weights[name].shape)


def _common_length(length: int, options: Mapping[str, Any], files: Files) -> int:
    """Return the features of the clusters, which must be as many as the encoder's, if any."""
    if files.encoder and options["feat_num"] != length:
        raise CheckpointError(
            f"{files.encoder} makes {options['feat_num']} features, but the clusters beside it"
            f" have {length}",
            hint=f"{files.clusters} belongs to another checkpoint",
        )
    return length


def _check_features(options: Mapping[str, Any], hints: Mapping[str, Any], files: Files) -> None:
    asked = [name for name in ("instance_feat", "label_feat") if hints.get(name)]
    if asked and not options["feat_num"]:
        raise CheckpointError(
            f"{files.generator} was trained with --{asked[0]} (opt.txt), and no features are there",
            hint="put *_net_E.pth or features_clustered_010.npy beside it, or both",
        )
