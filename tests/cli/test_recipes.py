"""`i2ikit recipes` and `i2ikit run`, as their users meet them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.conftest import picture

RECIPE = """name: cut
description: Pairs are cut. Twice.
data:
  - {name: pairs, source: here, licence: free}
vars:
  data: {default: pairs, help: pictures of pairs}
steps:
  cut: {command: prepare aligned, in: "${data}", out: "${out}/cut"}
  plugins: {command: plugins list, json: true}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the file of a recipe that cuts pictures."""
    monkeypatch.chdir(tmp_path)
    Path("pairs").mkdir()
    picture(8, 4).save("pairs/0.png")
    Path("cut.yaml").write_text(RECIPE)
    return "cut.yaml"


def test_a_plan_can_be_copied_and_does_nothing(cli: Cli, recipe: str) -> None:
    code, out, _ = cli("run", "--plan", recipe, "--var", "data=two words")
    assert code == 0
    assert out.splitlines() == [
        "# cut: to do: two words is not there",
        "i2ikit prepare aligned 'two words' runs/cut/cut",
        "# plugins: to do",
        "i2ikit plugins list --json",
        "# cut: 2 steps; nothing was run",
    ]
    assert not Path("runs").exists()


def test_blocked_plugins_are_blocked_in_steps_too(cli: Cli, recipe: str) -> None:
    _, out, _ = cli("-p", "no:munit", "run", "--plan", recipe)
    assert "i2ikit -p no:munit prepare aligned pairs runs/cut/cut" in out


def test_a_run_does_the_commands_and_the_next_skips_them(cli: Cli, recipe: str) -> None:
    code, out, err = cli("run", recipe)
    assert code == 0
    assert "1 pair in runs/cut/cut/A" in out
    assert out.endswith("cut in runs/cut: 2 done\n")
    assert "step 1 of 2, cut: to do" in err
    assert Path("runs/cut/cut/A/0.png").exists()
    assert json.loads(Path("runs/cut/steps/plugins.out").read_text())
    assert cli("run", recipe)[:2] == (0, "cut in runs/cut: 2 done before\n")
    picture(8, 4, seed=1).save("pairs/0.png")
    code, _, err = cli("run", recipe)
    assert code == 1
    assert "step 'cut' failed with exit status 1; the same command goes on with it" in err
    assert "made before steps changed: runs/cut/cut" in err


def test_json_is_all_that_is_on_stdout(cli: Cli, recipe: str) -> None:
    _, out, _ = cli("run", recipe, "--json", "--only", "cut")
    steps = json.loads(out)["steps"]
    assert [step["outcome"] for step in steps] == ["done", "left out"]
    _, out, _ = cli("run", recipe, "--json", "--plan")
    assert [step["state"] for step in json.loads(out)] == ["done", "to do"]


def test_mistakes_end_with_two(cli: Cli, recipe: str) -> None:
    code, _, err = cli("run", recipe, "--set", "steps.cut.inn=x")
    assert code == 2
    assert "`prepare aligned` has no such parameter; did you mean 'in'?" in err


def test_locked_wants_a_lock(cli: Cli, recipe: str) -> None:
    code, _, err = cli("run", recipe, "--locked")
    assert code == 1
    assert "there is no runs/cut/recipe.lock" in err


def test_recipes_are_listed(cli: Cli) -> None:
    code, out, _ = cli("recipes")
    assert code == 0
    assert "facades-bicyclegan\n    Label pictures to facades, paired, many for each.\n" in out
    names = [row["name"] for row in json.loads(cli("recipes", "--json")[1])]
    assert "edges-to-shoes-munit" in names


def test_a_recipe_is_shown(cli: Cli, recipe: str) -> None:
    _, out, _ = cli("recipes", recipe)
    for line in (
        "cut: Pairs are cut. Twice.",
        "    licence: free",
        "  data = pairs: pictures of pairs",
        "  cut (prepare aligned)",
        "    in: ${data}",
    ):
        assert line in out.splitlines()
    assert json.loads(cli("recipes", recipe, "--json")[1])["name"] == "cut"


@pytest.mark.usefixtures("recipe")
@pytest.mark.skipif(sys.platform != "linux", reason="looks for the step in /proc")
def test_a_run_that_is_told_to_end_ends_its_step() -> None:
    for index in range(2):
        picture(16, 16).save(f"pairs/{index}.png")
    where = "{model: munit, a: pairs, b: pairs, out: '${out}/model', size: 16}"
    Path("long.yaml").write_text(f"name: long\ndescription: d\nsteps:\n  train: {where}\n")
    process = subprocess.Popen([sys.executable, "-m", "i2ikit", "run", "long.yaml"])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (found := children.read_text().split()):
        assert process.poll() is None
        time.sleep(0.05)
    (child,) = found
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert not Path(f"/proc/{child}").exists()
