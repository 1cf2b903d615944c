"""Files as the original program has them: settings in YAML, and a folder of generators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from i2ikit.errors import OptionError, UsageError, did_you_mean
from i2ikit.training.contract import CheckpointFiles, Tensors
from i2ikit.two_domain_training.options import TwoDomainTrainingOptions

#: The YAML's blocks: their names of options.
_GEN = ("dim", "mlp_dim", "style_dim", "activ", "n_downsample", "n_res", "pad_type")
_BLOCKS: Mapping[str, Mapping[str, str]] = {
    "gen": {name: name for name in _GEN},
    "dis": {
        **{name: f"dis_{name}" for name in ("dim", "norm", "activ", "pad_type")},
        **{name: name for name in ("n_layer", "num_scales", "gan_type")},
    },
}
#: Names outside of the blocks that are others here; all others are the same.
_RENAMED = {"input_dim_a": "input_dim", "input_dim_b": "output_dim"}
#: What the loop decides, not the training.
_LOOP = {
    *("max_iter", "batch_size", "num_workers", "snapshot_save_iter", "image_save_iter"),
    *("new_size", "new_size_a", "new_size_b", "crop_image_height", "crop_image_width"),
}
#: What nothing reads: of the original program's displays, its paths, and what it doesn't read.
_UNREAD = {"image_display_iter", "display_size", "log_iter", "recon_h_w", "mlp_dim", "style_dim"}
_PATHS = "data_"


@dataclass(frozen=True)
class Settings:
    """What a YAML file of the original program says.

    Attributes:
        options: of the training, by option name, as written.
        loop: sizes, numbers of steps and pictures, by the file's names: "new_size", "max_iter" …
    """

    options: Mapping[str, Any]
    loop: Mapping[str, Any]


def read_yaml(path: Path, options: type[TwoDomainTrainingOptions]) -> Settings:
    """Read the settings of a training, whose values are not checked yet.

    Raises:
        UsageError: the file can't be read as YAML, or holds no settings.
        OptionError: a setting that this training has not.
    """
    found: dict[str, Any] = {}
    loop: dict[str, Any] = {}
    for written, name, value in _flatten(_load(path), path):
        if name in options.model_fields:
            found[name] = value
        elif name in _LOOP:
            loop[name] = value
        elif name not in _UNREAD and not name.startswith(_PATHS):
            known = {*options.model_fields, *_LOOP}
            raise OptionError(f"{path}: unknown setting {written}", hint=did_you_mean(name, known))
    return Settings(found, loop)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path} can't be read as YAML: {reason}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path} holds no settings, but a {type(data).__name__}")
    return data


def _flatten(settings: Mapping[str, Any], path: Path) -> list[tuple[str, str, Any]]:
    """Return each setting as the file names it, as an option is named, and its value."""
    rows = []
    for key, value in settings.items():
        if key not in _BLOCKS:
            rows.append((str(key), _RENAMED.get(key, str(key)), value))
            continue
        if not isinstance(value, dict):
            raise UsageError(f"{path}: {key} is no block of settings, but {value!r}")
        names = _BLOCKS[key]
        rows += [
            (f"{key}.{n}", names.get(n, f"{key}.{n}"), setting) for n, setting in value.items()
        ]
    return rows


def write_yaml(options: TwoDomainTrainingOptions) -> str:
    """Return the text that `read_yaml` reads back; without the path of VGG16, a machine's own."""
    values = options.model_dump(exclude={"vgg"})
    blocks = {
        block: {name: values.pop(option) for name, option in names.items() if option in values}
        for block, names in _BLOCKS.items()
    }
    written = {option: name for name, option in _RENAMED.items()}
    top = {written.get(name, name): value for name, value in values.items()}
    return yaml.safe_dump({**top, **blocks}, sort_keys=False)


def generator_files(
    step: int, a: Tensors, b: Tensors, options: TwoDomainTrainingOptions
) -> CheckpointFiles:
    """Return the folder that `read_generators` reads: `gen_XXXXXXXX.pt` and its settings.

    Args:
        step: how many steps were done.
        a: the weights of domain A's generator, by published name.
        b: those of B's.
        options: of the training.
    """
    return CheckpointFiles(
        tensors={f"gen_{step:08d}": {"a": a, "b": b}},
        texts={"config.yaml": write_yaml(options)},
        suffix=".pt",
    )
