"""Where recipes are: those that come with i2ikit, by name, and files."""

from __future__ import annotations

from pathlib import Path

from i2ikit.errors import UsageError, did_you_mean

_HERE = Path(__file__).parent


def list_recipes() -> list[Path]:
    """Return the files of the recipes that come with i2ikit, by name."""
    return sorted(_shelf().glob("*.yaml"))


def find_recipe(name: str) -> Path:
    """Return the file of a recipe, given by its name or as a file.

    Raises:
        UsageError: there is none.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise UsageError(f"there is no recipe file {name}")
        return Path(name)
    known = {path.stem: path for path in list_recipes()}
    if name not in known:
        hint = f"{did_you_mean(name, known)} (a file is given with its suffix: {name}.yaml)"
        raise UsageError(f"there is no recipe '{name}'", hint=hint)
    return known[name]


def _shelf() -> Path:
    """Return the folder of recipes: the installed package's, or the checkout's."""
    installed = _HERE / "shelf"
    return installed if installed.is_dir() else _HERE.parents[1] / "recipes"
