"""What a recipe says of itself: everything but its steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from i2ikit.errors import did_you_mean
from i2ikit.recipes.tree import Mistakes, Node


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(_Strict):
    """Where data or weights come from."""

    name: str = Field(description="what the recipe calls it")
    source: str = Field(description="where it is got: a URL, a command, a package")
    licence: str = Field("", description="under which terms")
    note: str = Field("", description="what else is to be known")


class Variable(_Strict):
    """A `${name}` of the steps."""

    default: str = Field(description="its value unless --var gives another")
    help: str = Field(description="what it is")


class Head(_Strict):
    """The keys of a recipe."""

    name: str = Field(description="equals the file's name")
    description: str = Field(description="what the experiment shows")
    paper: str = Field("", description="where it was published")
    data: tuple[Origin, ...] = Field((), description="data sets that it needs")
    weights: tuple[Origin, ...] = Field((), description="weights that it needs")
    vars: dict[str, Variable] = Field({}, description="what a user may change by --var")
    steps: dict[str, dict[str, Any]] = Field(min_length=1, description="commands, in order")

    @property
    def summary(self) -> str:
        """The description's first sentence."""
        first, dot, _ = " ".join(self.description.split()).partition(". ")
        return first + dot.strip()


_SENTENCES = {
    "missing": "is missing",
    "dict_type": "should have keys and values below it",
    "string_type": "should be a text",
    "tuple_type": "should be a list",
}
_BELOW: dict[Any, type[BaseModel]] = {"data": Origin, "weights": Origin, "vars": Variable}


def check_head(tree: Node, path: Path, mistakes: Mistakes) -> Head | None:
    """Return the keys of a recipe, or None with its mistakes noted."""
    name = tree.children.get("name")
    if name and name.value != path.stem:
        message = f"'{name.plain()}' is not the file's name"
        mistakes.add(name.place, "name", message, f"write {path.stem}")
    try:
        return Head.model_validate(tree.plain())
    except ValidationError as error:
        for problem in error.errors():
            _note(problem["type"], problem["loc"], problem["msg"], tree, mistakes)
        return None


def _note(
    kind: str, keys: tuple[int | str, ...], message: str, tree: Node, mistakes: Mistakes
) -> None:
    """Note one of pydantic's errors in our words."""
    where, node = ".".join(map(str, keys)), _find(tree, keys)
    if kind == "extra_forbidden":
        known = Head if len(keys) == 1 else _BELOW[keys[0]]
        hint = did_you_mean(str(keys[-1]), known.model_fields)
        mistakes.add(node.place, node.after(where), "unknown key", hint)
    elif kind in _SENTENCES:
        mistakes.add(node.place, where, _SENTENCES[kind])
    else:
        mistakes.add(node.place, where, message)


def _find(tree: Node, keys: tuple[int | str, ...]) -> Node:
    """Return the node at a path of keys, or the last that there is on the way."""
    node = tree
    for key in keys:
        if isinstance(key, int):
            node = node.listed[key]
        elif key in node.children:
            node = node.children[key]
    return node
