"""The program's commands as plain data, for recipes: read off the functions behind them."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.models import ParameterInfo

from i2ikit.recipes import Command, Parameter, Vocabulary
from i2ikit.recipes.vocabulary import Form, Kind

#: A recipe is no step of a recipe.
_NO_STEPS = {"run", "recipes"}
#: What leaves a command's work undone, in part or all of it; a step is done or not.
_NO_PARAMETERS = {"plan", "shard", "time-limit"}
#: Commands that read what another one has written to OUT.
_READ_OUT = {"audit", "eval lpips", "eval cis", "feed check"}
#: What a command reads and adds to.
_CHANGED = {("features cluster", "checkpoint")}
#: Whose options a command's `option` sets.
_OPTIONS_OF: dict[str, Literal["model", "training"]] = {
    "translate": "model",
    "features cluster": "model",
    "train": "training",
}
_OUTPUTS = {"out", "output", "feed", "report"}
#: In a metavar, these say that the value is a place.
_PLACES = ("DIR", "FILE", "IMAGES", "LABELS", "PATH", "REF", "SET")


def read_vocabulary(app: typer.Typer) -> Vocabulary:
    """Return the commands of a program that can be steps, by name."""
    group = typer.main.get_command(app)
    return {command.name: command for command in _commands(app, group, "")}


def _commands(app: typer.Typer, group: Any, prefix: str) -> Iterator[Command]:
    functions = {
        info.name or getattr(info.callback, "__name__", "").replace("_", "-"): info.callback
        for info in app.registered_commands
    }
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            below = next(info.typer_instance for info in app.registered_groups if info.name == name)
            yield from _commands(below, command, f"{prefix}{name} ") if below else ()
        elif name not in _NO_STEPS and (function := functions[name]):
            yield _command(f"{prefix}{name}", command, function)


def _command(name: str, command: TyperCommand, function: Callable[..., Any]) -> Command:
    hints = get_type_hints(function, include_extras=True)
    found = [
        _parameter(name, parameter, hints[str(parameter.name)])
        for parameter in command.params
        if isinstance(parameter, (TyperArgument, TyperOption))
    ]
    kept = tuple(parameter for parameter in found if parameter.name not in _NO_PARAMETERS)
    return Command(name, kept, _OPTIONS_OF.get(name, ""))


def _parameter(command: str, parameter: TyperArgument | TyperOption, hint: Any) -> Parameter:
    kind, choices, bounds = _read_hint(hint)
    is_argument = isinstance(parameter, TyperArgument)
    flag = "" if is_argument else max(parameter.opts, key=len)
    metavar = parameter.metavar or ""
    name = _name(parameter, flag)
    is_output = name in _OUTPUTS and command not in _READ_OUT
    is_place = metavar and (is_argument or any(word in metavar for word in _PLACES))
    return Parameter(
        name=name,
        flag=flag,
        off_flag=max(parameter.secondary_opts, key=len, default=""),
        kind="place" if kind == "text" and is_place and not choices else kind,
        form=_form(parameter, metavar),
        choices=choices,
        minimum=bounds[0],
        maximum=bounds[1],
        is_required=parameter.required,
        is_input=not is_output,
        is_output=is_output or (command, name) in _CHANGED,
    )


def _name(parameter: TyperArgument | TyperOption, flag: str) -> str:
    """Return what a user types: a long flag, or the word that the help shows for an argument."""
    if flag.startswith("--"):
        return flag.removeprefix("--")
    if not flag and parameter.metavar:
        return parameter.metavar.lower()
    return str(parameter.name).replace("_", "-")


def _form(parameter: TyperArgument | TyperOption, metavar: str) -> Form:
    if "=" in metavar:
        return "named"
    is_repeated = parameter.nargs == -1 or getattr(parameter, "multiple", False)
    return "many" if is_repeated else "one"


def _read_hint(
    hint: Any,
) -> tuple[Kind, tuple[str, ...], tuple[float | None, float | None]]:
    """Return what an annotation says of a value: its kind, its choices, its bounds."""
    bounds: tuple[float | None, float | None] = (None, None)
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        infos = [info for info in rest if isinstance(info, ParameterInfo)]
        bounds = next(((info.min, info.max) for info in infos), bounds)
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    if get_origin(hint) is list:
        (hint,) = get_args(hint)
    if get_origin(hint) is Literal:
        return "text", get_args(hint), bounds
    kinds: dict[Any, Kind] = {bool: "bool", int: "int", float: "float", Path: "place"}
    return kinds.get(hint, "text"), (), bounds
