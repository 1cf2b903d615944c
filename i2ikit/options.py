"""The settings of a model: what `-o name=value` may say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from i2ikit.errors import OptionError, did_you_mean


class Options(BaseModel):
    """Base of a model's options: a field each, with its help and bounds in `pydantic.Field`."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class NoOptions(Options):
    """A model without options."""


AnyOptions = TypeVar("AnyOptions", bound=Options)


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """Return `["a=1", "b=x"]` as `{"a": "1", "b": "x"}`; values in JSON brackets are parsed.

    Raises:
        OptionError: an assignment without `=`, or a name given twice.
    """
    given: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise OptionError(f"-o {text} has no value", hint="write -o name=value")
        if name in given:
            raise OptionError(f"-o {name} is given twice")
        given[name] = _parse_value(name, value)
    return given


def _parse_value(name: str, value: str) -> Any:
    if not value.startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise OptionError(f"-o {name}={value} is not valid JSON: {error}") from None


def make_options(
    options: type[AnyOptions],
    given: Mapping[str, Any],
    *,
    certain: Mapping[str, Any] | None = None,
    hints: Mapping[str, Any] | None = None,
    where: str = "the checkpoint",
) -> AnyOptions:
    """Check what was given against the fields and against what the weights say.

    Args:
        options: the model's class of options.
        given: what the user asked for.
        certain: facts read off the weights; contradicting one is an error.
        hints: what a settings file beside the weights says; `given` wins over it.
        where: what `certain` was read from, for messages.

    Raises:
        OptionError: an unknown name, a value out of bounds, or one that contradicts the weights.
    """
    certain, hints = certain or {}, hints or {}
    for name in given:
        if name not in options.model_fields:
            raise OptionError(f"unknown option -o {name}", hint=_known(name, options))
    known = {name: value for name, value in hints.items() if name in options.model_fields}
    try:
        asked = options.model_validate({**known, **certain, **given})
    except ValidationError as error:
        raise OptionError(_sentence(error, options)) from None
    for name, value in certain.items():
        if name in given and getattr(asked, name) != value:
            raise OptionError(
                f"{where}: {name} is {value} in the weights, but -o {name}={given[name]} was given",
                hint=f"leave out -o {name}",
            )
    return asked


def _known(name: str, options: type[Options]) -> str:
    if not options.model_fields:
        return "it has no options"
    return did_you_mean(name, options.model_fields)


def _sentence(error: ValidationError, options: type[Options]) -> str:
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        help_text = options.model_fields[name].description or ""
        return f"-o {name}=… is needed: {help_text}".rstrip(": ")
    asked = f"-o {name}={problem['input']}: " if name else ""
    return asked + problem["msg"].removeprefix("Value error, ")
