"""From a model's name to a network ready to translate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from i2ikit.checkpoints import digest, load_strictly
from i2ikit.errors import CheckpointError, PluginError, UsageError, did_you_mean
from i2ikit.hookspecs import CheckpointEntry, ModelEntry
from i2ikit.model import Direction, Model
from i2ikit.nn import fold
from i2ikit.options import make_options
from i2ikit.plugins import Catalogue, blaming, discover, locate, resolve


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
        checkpoint: a file, the original program's folder, or a name that `i2ikit checkpoints`
            lists; None for the model's default checkpoint, or a model without weights.
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
    catalogue = discover(blocked)
    model_class = resolve_model(catalogue.find(ModelEntry, name))
    if direction not in model_class.directions:
        raise UsageError(
            f"model '{name}' can't translate {direction}",
            hint=f"it goes {' or '.join(model_class.directions)}",
        )
    given = options or {}
    path, entry = _find(catalogue, name, checkpoint)
    if path is None:
        return Loaded(_weightless(name, model_class, given), "")
    with blaming(f"model '{name}'"):
        read = model_class.read_checkpoint(path, direction)
        chosen = make_options(
            model_class.Options, given, certain=read.options, hints=read.hints, where=str(path)
        )
        model = model_class(chosen)
    load_strictly(model, read.weights, str(path))
    found = digest(read.files)
    if entry and found != entry.sha256:
        raise CheckpointError(
            f"checkpoint '{entry.name}' is not what its package states: its SHA-256 is"
            f" {found[:12]}…, not {entry.sha256[:12]}…",
            hint="install the package again",
        )
    return Loaded(_ready(model), found)


def _find(
    catalogue: Catalogue, model: str, given: str | Path | None
) -> tuple[Path | None, CheckpointEntry | None]:
    """Return where the weights are, and the entry if a plugin offers them by name."""
    if given is None:
        entry = catalogue.default_checkpoint(model)
        return (locate(entry.place), entry) if entry else (None, None)
    if Path(given).exists():
        return Path(given), None
    offered = [entry for entry, _ in catalogue.offered(CheckpointEntry)]
    named = [entry.name for entry in offered if entry.model == model]
    if str(given) not in named:
        hint = _nearest(given, named)
        if others := [entry.model for entry in offered if entry.name == str(given)]:
            raise CheckpointError(
                f"checkpoint '{given}' is one of model '{others[0]}', not of '{model}'",
                hint=hint,
            )
        raise CheckpointError(f"checkpoint {given} does not exist", hint=hint)
    entry = catalogue.find(CheckpointEntry, str(given))
    return locate(entry.place), entry


def place_of(checkpoint: str | Path, *, blocked: Iterable[str] = ()) -> Path:
    """Return where the weights are that a path or a name means, of whatever model.

    Raises:
        CheckpointError: it is neither.
        PluginError: two packages offer the name.
    """
    if Path(checkpoint).exists():
        return Path(checkpoint)
    catalogue = discover(blocked)
    named = [entry.name for entry, _ in catalogue.offered(CheckpointEntry)]
    if str(checkpoint) not in named:
        raise CheckpointError(
            f"checkpoint {checkpoint} does not exist", hint=_nearest(checkpoint, named)
        )
    return locate(catalogue.find(CheckpointEntry, str(checkpoint)).place)


def _nearest(given: str | Path, named: list[str]) -> str:
    return did_you_mean(str(given), named) if named else ""


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
