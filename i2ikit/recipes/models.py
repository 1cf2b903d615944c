"""Whether a step's model exists, and has the options that the step gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from i2ikit.errors import I2IError, did_you_mean
from i2ikit.hookspecs import ModelEntry
from i2ikit.options import Options
from i2ikit.plugins import Catalogue, resolve
from i2ikit.recipes.tree import Mistakes, Node
from i2ikit.recipes.vocabulary import Command


def check_model(
    name: str, node: Node, command: Command, catalogue: Catalogue, mistakes: Mistakes
) -> None:
    """Note a model that there isn't, and options that it doesn't take.

    A model's modules are imported only if the step gives options.

    Args:
        name: of the step.
        node: its parameters, `${…}` replaced.
        command: what it does.
        catalogue: of the plugins.
        mistakes: to add to.
    """
    model, given = node.children.get("model"), node.children.get("option")
    if not command.options_of or model is None:
        return
    try:
        entry = catalogue.find(ModelEntry, str(model.plain()))
        options = _options(entry, command) if given and given.children else None
    except I2IError as error:
        mistakes.add(model.place, f"steps.{name}.model", error.message, error.hint)
        return
    if given and options:
        _check_options(f"steps.{name}.option", given, options, node, mistakes)


def _options(entry: ModelEntry, command: Command) -> type[Options] | None:
    if command.options_of == "training":
        return resolve(entry.training).Options if entry.training else None
    found: type[Options] = resolve(entry.model).Options
    return found


def _check_options(
    path: str, given: Node, options: type[Options], step: Node, mistakes: Mistakes
) -> None:
    """Note unknown options and values out of bounds.

    What options say together is the command's to judge: it knows the checkpoint, the size, or a
    settings file.
    """
    named = {key.replace("-", "_"): child for key, child in given.children.items()}
    for key, child in named.items():
        if key not in options.model_fields:
            hint = did_you_mean(key, options.model_fields)
            message = f"model '{step.children['model'].plain()}' has no such option"
            mistakes.add(child.place, child.after(f"{path}.{key}"), message, hint)
    known = {key: child for key, child in named.items() if key in options.model_fields}
    for key, message in _problems(options, {key: child.plain() for key, child in known.items()}):
        mistakes.add(known[key].place, known[key].after(f"{path}.{key}"), message)


def _problems(options: type[Options], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the options whose own bounds are broken, and pydantic's words."""
    try:
        options.model_validate(values)
    except ValidationError as error:
        found = [(str(p["loc"][0]), p["msg"]) for p in error.errors() if p["loc"]]
        return [(key, message) for key, message in found if key in values]
    return []
