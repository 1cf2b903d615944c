"""A recipe's file as a tree that remembers its lines, and what is wrong in it.

Scalars stay as they are written: what `1e-4` or `010` means is a question of the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from i2ikit.errors import UsageError, counted

_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True)
class Node:
    """A value, and where it was written.

    Attributes:
        value: text, nodes, or nodes by key.
        place: `recipe.yaml:12`, or the flag that gave it.
    """

    value: Value
    place: str

    @property
    def children(self) -> Mapping[str, Node]:
        """The nodes of a mapping; none for anything else."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def listed(self) -> Sequence[Node]:
        """The nodes of a list; none for anything else."""
        return self.value if isinstance(self.value, tuple) else ()

    def after(self, path: str) -> str:
        """Return `path = value` of a text, else the path."""
        return f"{path} = {self.value}" if isinstance(self.value, str) else path

    def plain(self) -> Any:
        """Return texts, lists and dictionaries without their places."""
        if isinstance(self.value, str):
            return self.value
        if isinstance(self.value, tuple):
            return [child.plain() for child in self.listed]
        return {key: child.plain() for key, child in self.children.items()}


Value: TypeAlias = str | tuple[Node, ...] | Mapping[str, Node]


@dataclass
class Mistakes:
    """Everything that is wrong with a recipe, to be said at once."""

    found: list[tuple[str, str]] = field(default_factory=list)  # place, sentence

    def add(self, place: str, path: str, message: str, hint: str = "") -> None:
        """Note a mistake.

        Args:
            place: where it was written.
            path: of keys, with dots.
            message: what is wrong, with the value.
            hint: what to do.
        """
        sentence = ": ".join(filter(None, (place, path, message)))
        self.found.append((place, f"{sentence}; {hint}" if hint else sentence))

    def raise_any(self, what: str) -> None:
        """End here if there is any.

        Raises:
            UsageError: naming all of them.
        """
        told = [sentence for _, sentence in sorted(self.found, key=lambda pair: _order(pair[0]))]
        if len(told) == 1:
            raise UsageError(told[0])
        if told:
            lines = "".join(f"\n  {sentence}" for sentence in told)
            raise UsageError(f"{what} has {counted(len(told), 'mistake')}{lines}")


def _order(place: str) -> tuple[bool, int]:
    """Return what sorts places: lines of the file, then flags."""
    line = place.rpartition(":")[2]
    return place.startswith("--"), int(line) if line.isdecimal() else 0


def read_tree(path: Path, mistakes: Mistakes) -> Node:
    """Read a file; keys given twice are mistakes.

    Raises:
        UsageError: it can't be read, is no YAML, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"recipe {path} can't be read: {reason}") from None
    try:
        found = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UsageError(f"{path}{_line(error)} is no YAML: {_reason(error)}") from None
    if not isinstance(found, yaml.MappingNode):
        raise UsageError(f"{path} is no recipe: it holds no keys such as name, description, steps")
    return _convert(found, str(path), "", mistakes)


def parse_value(text: str, place: str, mistakes: Mistakes) -> Node:
    """Return a value of the command line, written as in YAML."""
    try:
        found = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mistakes.add(place, "", f"'{text}' is no YAML: {_reason(error)}")
        found = None
    if found is None:
        return Node("", place)
    converted = _convert(found, "", "", mistakes)
    return _at(converted, place)


def _at(node: Node, place: str) -> Node:
    """Return the node as written at this one place."""
    if isinstance(node.value, str):
        return Node(node.value, place)
    if node.children:
        return Node({key: _at(child, place) for key, child in node.children.items()}, place)
    return Node(tuple(_at(child, place) for child in node.listed), place)


def _convert(node: yaml.Node, file: str, path: str, mistakes: Mistakes, line: int = -1) -> Node:
    """Return a node of YAML as ours; a key's value is said to be where the key is."""
    place = f"{file}:{(node.start_mark.line if line < 0 else line) + 1}"
    if isinstance(node, yaml.SequenceNode):
        return Node(tuple(_convert(n, file, path, mistakes) for n in node.value), place)
    if not isinstance(node, yaml.MappingNode):
        return Node("" if node.tag == _NULL else str(node.value), place)
    children: dict[str, Node] = {}
    for key, value in node.value:
        here = f"{file}:{key.start_mark.line + 1}"
        name = str(key.value)
        below = f"{path}.{name}" if path else name
        if not isinstance(key, yaml.ScalarNode):
            mistakes.add(here, path, "a key must be a word")
        elif name in children:
            mistakes.add(here, below, "the key is there twice", f"see {children[name].place}")
        else:
            children[name] = _convert(value, file, below, mistakes, key.start_mark.line)
    return Node(children, place)


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _reason(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or " ".join(str(error).split()))
