"""Recipes: an experiment in one YAML file, run step by step.

    read → override → check → plan → run

`load` turns a file into checked steps, each a command line; `inspect` tells which of them are done;
`run` does the others. What commands there are comes from outside, as plain data.
"""

from __future__ import annotations

from i2ikit.recipes.head import Head, Origin
from i2ikit.recipes.loading import Recipe, load, read_head
from i2ikit.recipes.running import RecipeSummary, check_lock, choose_steps, run
from i2ikit.recipes.shelf import find_recipe, list_recipes
from i2ikit.recipes.states import Seen, inspect
from i2ikit.recipes.steps import Step
from i2ikit.recipes.vocabulary import Command, Parameter, Vocabulary

__all__ = [
    "Command",
    "Head",
    "Origin",
    "Parameter",
    "Recipe",
    "RecipeSummary",
    "Seen",
    "Step",
    "Vocabulary",
    "check_lock",
    "choose_steps",
    "find_recipe",
    "inspect",
    "list_recipes",
    "load",
    "read_head",
    "run",
]
