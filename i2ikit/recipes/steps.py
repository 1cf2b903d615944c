"""From what a recipe says of a step to the command line that does it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from i2ikit.errors import did_you_mean
from i2ikit.recipes.tree import Mistakes, Node
from i2ikit.recipes.vocabulary import Command, Parameter, Vocabulary

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Step:
    """A step whose command line is known.

    Attributes:
        name: in the recipe.
        argv: the command line, after `i2ikit`.
        places: what it reads: texts that may be paths, `DIR:SUFFIX`, `PICTURES=LABELS`, URLs or
            plain values.
        needs: those of them that must be there before it starts.
        outputs: files and folders that it writes; the last is what it prints.
    """

    name: str
    argv: tuple[str, ...]
    places: tuple[str, ...]
    needs: tuple[str, ...]
    outputs: tuple[Path, ...]


def find_command(
    name: str, node: Node, vocabulary: Vocabulary, mistakes: Mistakes
) -> Command | None:
    """Return the command of a step; None, with the mistake noted, if there is none."""
    if not _NAME.fullmatch(name):
        hint = "use letters, digits, - and _"
        mistakes.add(node.place, f"steps.{name}", f"'{name}' can't name a step", hint)
    given = node.children.get("command")
    asked = name if given is None else str(given.plain())
    if asked in vocabulary:
        return vocabulary[asked]
    place, path = (given or node).place, f"steps.{name}.command" if given else f"steps.{name}"
    hint = did_you_mean(asked, vocabulary)
    if given is None:
        hint += " (without the key 'command', a step's name is its command)"
    mistakes.add(place, path, f"unknown command '{asked}'", hint)
    return None


def make_step(
    name: str, node: Node, command: Command, folder: Path, mistakes: Mistakes
) -> Step | None:
    """Return the step; None, with mistakes noted, if it isn't one that the command takes.

    Args:
        name: of the step.
        node: its parameters, `${…}` replaced.
        command: what it does.
        folder: where what it prints is kept.
        mistakes: to add to.
    """
    before = len(mistakes.found)
    path, given = f"steps.{name}", {k: n for k, n in node.children.items() if k != "command"}
    known = {parameter.name: parameter for parameter in command.parameters}
    for key, child in given.items():
        if key not in known:
            message, hint = f"`{command.name}` has no such parameter", did_you_mean(key, known)
            mistakes.add(child.place, child.after(f"{path}.{key}"), message, hint)
    for key, parameter in known.items():
        if key in given:
            _check(parameter, given[key], f"{path}.{key}", mistakes)
        elif parameter.is_required:
            mistakes.add(node.place, path, f"`{command.name}` needs '{key}'")
    if len(mistakes.found) > before:
        return None
    texts = {key: list(_texts(child)) for key, child in given.items()}
    read = [key for key in texts if known[key].is_input]
    return Step(
        name,
        (*command.name.split(), *_arrange(texts, known.values())),
        places=tuple(
            _place(known[key], t) for key in read for t in texts[key] if _may_be_path(known[key], t)
        ),
        needs=tuple(t for key in read for t in texts[key] if _must_be_there(known[key])),
        outputs=(*_outputs(texts, known.values()), folder / f"{name}.out"),
    )


def _check(parameter: Parameter, node: Node, path: str, mistakes: Mistakes) -> None:
    """Note what a parameter can't be."""
    if parameter.form == "named":
        if not node.children:
            mistakes.add(node.place, path, "should have names and values below it")
        return
    values = node.listed if parameter.form == "many" and node.listed else (node,)
    for value in values:
        if not isinstance(value.value, str):
            mistakes.add(value.place, path, f"should be a single value, not {value.plain()}")
        elif "${" in value.value:
            continue  # a variable that is unknown: that mistake is noted
        elif problem := parameter.problem(value.value):
            mistakes.add(value.place, path, f"'{value.value}' {problem}")


def _must_be_there(parameter: Parameter) -> bool:
    """Tell the places that are arguments; what a flag names may be found elsewhere, by its name."""
    return parameter.kind == "place" and not parameter.flag


def _may_be_path(parameter: Parameter, text: str) -> bool:
    """Tell a place, or an option such as `vgg=weights/vgg16.pth`, from plain values."""
    is_option = parameter.form == "named" and ("/" in text or "." in text)
    return parameter.kind == "place" or is_option


def _place(parameter: Parameter, text: str) -> str:
    """Return what a text says of a place: all of it, or what follows the name."""
    return text.partition("=")[2] if parameter.form == "named" else text


def _texts(node: Node) -> Iterator[str]:
    """Yield a parameter's values as the command line has them."""
    if isinstance(node.value, str):
        yield node.value
    elif isinstance(node.value, Mapping):
        for name, child in node.value.items():
            plain = child.plain()
            yield f"{name}={plain if isinstance(plain, str) else json.dumps(plain)}"
    else:
        yield from (str(child.plain()) for child in node.listed)


def _arrange(texts: Mapping[str, list[str]], parameters: Iterable[Parameter]) -> list[str]:
    """Return the words of a command line: flags as the recipe has them, then arguments."""
    known = {parameter.name: parameter for parameter in parameters}
    given = [(known[key], text) for key, values in texts.items() for text in values]
    flags = [word for p, text in given if p.flag for word in p.words(text)]
    arguments = [t for p in known.values() if not p.flag for t in texts.get(p.name, [])]
    guard = ["--"] if any(text.startswith("-") for text in arguments) else []
    return [*flags, *guard, *arguments]


def _outputs(texts: Mapping[str, list[str]], parameters: Iterable[Parameter]) -> list[Path]:
    written = [text for p in parameters if p.is_output for text in texts.get(p.name, [])]
    return [Path(text.removeprefix("wds:")) for text in written]
