"""From a name or a file to a recipe that can be run, or all of its mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from i2ikit.plugins import discover
from i2ikit.recipes.head import Head, check_head
from i2ikit.recipes.models import check_model
from i2ikit.recipes.overrides import OUT, apply_sets, find_variables, substitute
from i2ikit.recipes.shelf import find_recipe
from i2ikit.recipes.steps import Step, find_command, make_step
from i2ikit.recipes.tree import Mistakes, Node, read_tree
from i2ikit.recipes.vocabulary import Vocabulary


@dataclass(frozen=True)
class Recipe:
    """A recipe that is right, as far as can be told before it is run.

    Attributes:
        path: its file.
        head: what it says of itself.
        variables: values of its variables, `out` and `recipe` among them.
        steps: in order.
    """

    path: Path
    head: Head
    variables: Mapping[str, str]
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        return self.head.name

    @property
    def out(self) -> Path:
        """The folder of what it makes."""
        return Path(self.variables[OUT])


def load(
    name: str,
    vocabulary: Vocabulary,
    *,
    variables: Sequence[str] = (),
    sets: Sequence[str] = (),
    blocked: Iterable[str] = (),
) -> Recipe:
    """Read and check a recipe.

    Args:
        name: of a recipe that comes with i2ikit, or a file.
        vocabulary: the commands that steps can be.
        variables: `NAME=VALUE` each, instead of defaults.
        sets: `steps.STEP.PARAMETER=VALUE` each, as if the file said so.
        blocked: plugins not to import.

    Raises:
        UsageError: no such recipe, or everything that is wrong with it, with lines.
    """
    path, mistakes = find_recipe(name), Mistakes()
    tree = read_tree(path, mistakes)
    head = check_head(tree, path, mistakes)
    tree = apply_sets(tree, sets, mistakes)
    values = find_variables(tree, path, variables, mistakes)
    steps = _make_steps(tree, values, vocabulary, blocked, mistakes)
    mistakes.raise_any(str(path))
    assert head is not None  # else there were mistakes
    return Recipe(path, head, values, tuple(steps))


def read_head(name: str) -> Head:
    """Return what a recipe says of itself; its steps are not checked.

    Raises:
        UsageError: no such recipe, or everything that is wrong with it but for its steps.
    """
    path, mistakes = find_recipe(name), Mistakes()
    head = check_head(read_tree(path, mistakes), path, mistakes)
    mistakes.raise_any(str(path))
    assert head is not None  # else there were mistakes
    return head


def _make_steps(
    tree: Node,
    values: Mapping[str, str],
    vocabulary: Vocabulary,
    blocked: Iterable[str],
    mistakes: Mistakes,
) -> list[Step]:
    catalogue, steps = discover(blocked), []
    folder = Path(values[OUT]) / "steps"
    for name, node in tree.children.get("steps", Node("", "")).children.items():
        filled = substitute(node, values, f"steps.{name}", mistakes)
        command = find_command(name, filled, vocabulary, mistakes)
        if command is None:
            continue
        check_model(name, filled, command, catalogue, mistakes)
        step = make_step(name, filled, command, folder, mistakes)
        steps += [step] if step else []
    return steps
