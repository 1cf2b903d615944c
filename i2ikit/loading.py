"""From a model's name to a network ready to translate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from i2ikit.checkpoints import digest, load_strictly
from i2ikit.errors import CheckpointError, PluginError, UsageError
from i2ikit.hookspecs import ModelEntry
from i2ikit.model import Direction, Model
from i2ikit.nn import fold
from i2ikit.options import make_options
from i2ikit.plugins import blaming, discover, resolve


@dataclass(frozen=True)
class Loaded:
    """A model, and what a run records of its checkpoint.

    Attributes:
        model: in eval mode, on the CPU, weights folded.
        digest: SHA-256 over the files of the checkpoint; "" for a model without weights.
    """

    model: Model
    digest: str


def load_model(
    name: str,
    checkpoint: str | Path | None = None,
    direction: Direction = "a2b",
    device: str | torch.device = "cpu",
    options: Mapping[str, Any] | None = None,
    *,
    blocked: Iterable[str] = (),
) -> Model:
    """Return a model with its weights, in eval mode on `device`.

    Args:
        name: as `i2ikit models` lists it.
        checkpoint: a file, or the original program's folder; None for a model without weights.
        direction: "a2b" or "b2a".
        device: where to put it.
        options: the model's own settings, as `-o name=value` gives them.
        blocked: plugins not to import.

    Raises:
        UsageError: no such model or direction.
        CheckpointError: the weights can't be read or don't fit.
        OptionError: an option is unknown, out of bounds or contradicts the weights.
        PluginError: the plugin is broken or clashes with another.
    """
    loaded = load(name, checkpoint, direction, options=options, blocked=blocked)
    return loaded.model.to(device)


def load(
    name: str,
    checkpoint: str | Path | None,
    direction: Direction = "a2b",
    *,
    options: Mapping[str, Any] | None = None,
    blocked: Iterable[str] = (),
) -> Loaded:
    """Do what `load_model` does, on the CPU, and keep what a run records of the checkpoint."""
    model_class = resolve_model(discover(blocked).find(ModelEntry, name))
    if direction not in model_class.directions:
        raise UsageError(
            f"model '{name}' can't translate {direction}",
            hint=f"it goes {' or '.join(model_class.directions)}",
        )
    given = options or {}
    if checkpoint is None:
        return Loaded(_weightless(name, model_class, given), "")
    path = Path(checkpoint)
    if not path.exists():
        raise CheckpointError(f"checkpoint {path} does not exist")
    with blaming(f"model '{name}'"):
        read = model_class.read_checkpoint(path, direction)
        chosen = make_options(
            model_class.Options, given, certain=read.options, hints=read.hints, where=str(path)
        )
        model = model_class(chosen)
    load_strictly(model, read.weights, str(path))
    return Loaded(_ready(model), digest(read.files))


def resolve_model(entry: ModelEntry) -> type[Model]:
    """Import the model that a plugin's entry names.

    Raises:
        PluginError: it can't be imported, is no model, or has other options than the entry says.
    """
    model_class = resolve(entry.model)
    if not (isinstance(model_class, type) and issubclass(model_class, Model)):
        raise PluginError(f"model '{entry.name}': {entry.model} is no i2ikit.Model")
    if entry.options and resolve(entry.options) is not model_class.Options:
        raise PluginError(f"model '{entry.name}': {entry.options} is not the model's Options")
    return model_class


def _weightless(name: str, model_class: type[Model], given: Mapping[str, Any]) -> Model:
    """Return a model that has no weights to load, such as a colour filter."""
    fields = model_class.Options.model_fields
    if not any(field.is_required() and key not in given for key, field in fields.items()):
        options = make_options(model_class.Options, given)
        with blaming(f"model '{name}'"), torch.device("meta"):
            has_weights = bool(model_class(options).state_dict())
        if not has_weights:
            return _ready(model_class(options))
    raise UsageError(f"model '{name}' needs weights", hint="give --checkpoint FILE_OR_FOLDER")


def _ready(model: Model) -> Model:
    model.eval().requires_grad_(False)
    fold(model)
    return model
