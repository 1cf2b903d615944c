"""The recipes that come with i2ikit: right, complete, and found wherever it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from i2ikit.cli.app import app
from i2ikit.cli.vocabulary import read_vocabulary
from i2ikit.recipes import list_recipes, load, read_head

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in list_recipes()]


def test_they_are_those_of_the_checkout() -> None:
    assert sorted(path.stem for path in (ROOT / "recipes").iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_right(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load(name, read_vocabulary(app))
    assert recipe.name == name
    assert any(step.argv[0] == "train" for step in recipe.steps)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_where_all_comes_from_and_under_which_terms(name: str) -> None:
    head = read_head(name)
    assert head.paper.startswith("arXiv:")
    assert head.data
    assert all(origin.source and origin.licence for origin in [*head.data, *head.weights])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_made_lies_in_out(name: str) -> None:
    recipe = load(name, read_vocabulary(app))
    assert all(recipe.out in path.parents for step in recipe.steps for path in step.outputs)


def test_an_installed_wheel_has_them(tmp_path: Path) -> None:
    wheels, site, away = tmp_path / "wheels", tmp_path / "site", tmp_path / "away"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = wheels.iterdir()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(wheel)], check=True)
    away.mkdir()
    code = "from i2ikit.recipes import list_recipes as l; print(*[p for p in l()], sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=away,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
    )
    found = [Path(line) for line in done.stdout.splitlines()]
    assert [path.stem for path in found] == NAMES
    assert all(site in path.parents for path in found)
