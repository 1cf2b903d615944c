"""What there is to know about a model before it has weights: its options and its facts."""

from __future__ import annotations

from typing import Any

import torch
from pydantic.fields import FieldInfo

from i2ikit.hookspecs import ModelEntry
from i2ikit.loading import resolve_model
from i2ikit.model import Grey, InputKind, InstanceMap, LabelMap, Model, SizeRule

_NAMES = {Grey: "grey picture", InstanceMap: "instance map"}


def describe_model(entry: ModelEntry) -> dict[str, Any]:
    """Return a model's entry, options and facts, ready for showing or JSON.

    Facts that depend on options are those of the defaults; a checkpoint's may differ.

    Raises:
        PluginError: the plugin's modules can't be imported.
    """
    model = _example(resolve_model(entry))
    return {
        "name": entry.name,
        "summary": entry.summary,
        "paper": entry.paper,
        "options": [_describe_option(name, f) for name, f in model.Options.model_fields.items()],
        "facts": _facts(model),
    }


def _example(model_class: type[Model]) -> Model | type[Model]:
    """Return a model with default options and no weights, or the class if options are needed."""
    fields = model_class.Options.model_fields.values()
    if any(field.is_required() for field in fields):
        return model_class
    try:
        with torch.device("meta"):
            return model_class(model_class.Options())
    except Exception:  # a model that fails without weights has its class's facts all the same
        return model_class


def _facts(model: Model | type[Model]) -> dict[str, str]:
    facts = {
        "directions": ", ".join(model.directions),
        "inputs": _inputs(model.inputs),
        "styles": _styles(model),
        "sizes": _size(model.size),
    }
    if model.reference_inputs:
        facts["examples"] = _inputs(model.reference_inputs)
        facts["examples"] += f", {_size(model.reference_size or model.size)}"
    return facts


def _inputs(inputs: Any) -> str:
    return ", ".join(f"{name} ({_kind(kind)})" for name, kind in inputs.items())


def _kind(kind: InputKind) -> str:
    if isinstance(kind, LabelMap):
        return f"label map of {kind.num_classes} classes"
    return _NAMES.get(type(kind), "picture")


def _styles(model: Model | type[Model]) -> str:
    ways = []
    if model.noise_shape:
        ways.append(f"drawn (--style-sample N; noise of shape {model.noise_shape})")
    if model.reference_inputs:
        ways.append("from example pictures (--style-from)")
    if model.noise_shape:
        listed = f", or choices of {', '.join(model.choice_fields)}" if model.choice_fields else ""
        ways.append(f"listed (--styles FILE{listed})")
    return "; ".join(ways) or "one output per input"


def _size(rule: SizeRule) -> str:
    if rule.fixed:
        return f"resized to {rule.fixed[1]}×{rule.fixed[0]}, and back"
    if rule.multiple_of == 1 and rule.minimum == 1:
        return "any size"
    needs = [f"multiples of {rule.multiple_of}"] if rule.multiple_of > 1 else []
    needs += [f"at least {rule.minimum}"] if rule.minimum > rule.multiple_of else []
    return f"any size; padded to {', '.join(needs)}, and cropped back"


def _describe_option(name: str, field: FieldInfo) -> dict[str, Any]:
    kind = field.annotation
    name_of_type = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
    return {
        "name": name,
        "type": name_of_type,
        "is_required": field.is_required(),
        "default": None if field.is_required() else field.get_default(call_default_factory=True),
        "bounds": ", ".join(_bounds(field)),
        "help": field.description or "",
    }


def _bounds(field: FieldInfo) -> list[str]:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "multiple of"}
    return [
        f"{sign} {getattr(bound, name)}"
        for bound in field.metadata
        for name, sign in signs.items()
        if getattr(bound, name, None) is not None
    ]
