"""What a user changes in a recipe without touching its file: `--set` and `--var`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from i2ikit.errors import did_you_mean
from i2ikit.recipes.tree import Mistakes, Node, parse_value

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
#: Variables that every recipe has: its own folder, and the folder of what it makes.
RECIPE, OUT = "recipe", "out"


def apply_sets(tree: Node, sets: Sequence[str], mistakes: Mistakes) -> Node:
    """Return the tree with `steps.STEP.PARAMETER[.NAME]=VALUE` put in.

    The step must be there; what a step can say is checked with all the rest.
    """
    for text in sets:
        place = f"--set {text}"
        path, equals, value = text.partition("=")
        keys = path.split(".", 3)
        steps = tree.children.get("steps", Node("", "")).children
        if not equals or len(keys) < 3 or keys[0] != "steps":
            hint = "write --set steps.STEP.PARAMETER=VALUE; --var changes a variable"
            mistakes.add(place, "", f"'{path}' names no parameter of a step", hint)
        elif keys[1] not in steps:
            hint = did_you_mean(keys[1], steps)
            mistakes.add(place, f"steps.{keys[1]}", f"there is no step '{keys[1]}'", hint)
        else:
            tree = _put(tree, keys, parse_value(value, place, mistakes))
    return tree


def _put(node: Node, keys: Sequence[str], new: Node) -> Node:
    """Return the node with another value at a path of keys; what is no mapping there goes."""
    if not keys:
        return new
    first, *rest = keys
    below = node.children.get(first, Node({}, new.place))
    return Node({**node.children, first: _put(below, rest, new)}, node.place)


def find_variables(
    tree: Node, path: Path, given: Sequence[str], mistakes: Mistakes
) -> dict[str, str]:
    """Return the value of each variable: given, or its default, which may use those before it."""
    declared = tree.children.get("vars", Node("", "")).children
    names = [OUT, *declared]
    chosen = _parse_given(given, names, mistakes)
    values = {RECIPE: str(path.parent)}
    defaults = {OUT: Node(f"runs/{path.stem}", "")}
    for name, node in declared.items():
        if name in (RECIPE, OUT):
            mistakes.add(node.place, f"vars.{name}", "it is there without being declared")
        elif "default" in node.children:
            defaults[name] = node.children["default"]
    for name, default in defaults.items():
        known = substitute(default, values, f"vars.{name}.default", mistakes)
        values[name] = chosen.get(name, str(known.value))
    if "://" in values[OUT]:
        mistakes.add(f"--var out={values[OUT]}", "", "a recipe's out is a local folder")
    return values


def _parse_given(given: Sequence[str], names: Sequence[str], mistakes: Mistakes) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            mistakes.add(f"--var {text}", "", f"'{text}' has no value", "write --var name=value")
        elif name not in names:
            hint = did_you_mean(name, names)
            mistakes.add(f"--var {text}", "", f"there is no variable '{name}'", hint)
        else:
            chosen[name] = value
    return chosen


def substitute(node: Node, values: Mapping[str, str], path: str, mistakes: Mistakes) -> Node:
    """Return the node with each `${name}` in its texts replaced."""
    if not isinstance(node.value, str):
        inside = {
            key: substitute(child, values, f"{path}.{key}", mistakes)
            for key, child in node.children.items()
        }
        listed = tuple(substitute(child, values, path, mistakes) for child in node.listed)
        return Node(listed or inside, node.place)
    for name in _VARIABLE.findall(node.value):
        if name not in values:
            hint = did_you_mean(name, values)
            mistakes.add(node.place, path, f"unknown variable ${{{name}}}", hint)
    replaced = _VARIABLE.sub(lambda match: values.get(match[1], match[0]), node.value)
    return Node(replaced, node.place)
