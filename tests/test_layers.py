"""Who may import whom, and what the light commands must not load."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import i2ikit

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.name for path in (ROOT / "plugins").glob("i2ikit_*"))

#: i2ikit/__init__.py is "": it resolves public names when they are first used.
LIGHT = [
    "",
    "errors",
    "hookspecs",
    "options",
    "plugins",
    "builtin",
    "progress",
    "ahead",
    "scratch",
    "recipes",
]
#: Lowest first; a module imports its own layer and those before it.
LAYERS = [
    *LIGHT,
    *(
        "devices",
        "model",
        "nn",
        "checkpoints",
        "two_domain",
        "data",
        "labels",
        "loading",
        "describe",
    ),
    *(
        "preparation",
        "evaluate",
        "translation",
        "features",
        "training",
        "two_domain_training",
        "feed",
    ),
    *("testing", "demo", "cli", "__main__"),
]
#: Imports that go up, made when a function is called.
ALLOWED = {("i2ikit.model", "i2ikit.checkpoints")}
#: What plugins may use besides the names of i2ikit itself.
PUBLIC = {
    *("errors", "hookspecs", "options", "model", "nn", "checkpoints"),
    *("two_domain", "training", "two_domain_training"),
}
#: Where a model's name means the protocol of measuring that its paper has set.
NAMESAKES = {"i2ikit.evaluate.pairings", "i2ikit.cli.outputs"}
HEAVY = {"torch", "torchvision", "numpy", "PIL", "webdataset", "lpips"}


def modules(folder: str) -> dict[str, Path]:
    """The modules under a folder of the repository by their dotted names."""
    base = ROOT / "plugins" if folder == "plugins" else ROOT
    paths = sorted((ROOT / folder).rglob("*.py"))
    return {
        ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, `from module import name` as `module.name`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def home(imported: str) -> str:
    """The module behind a name that `import i2ikit` offers lazily."""
    package, _, name = imported.partition(".")
    return i2ikit._HOMES.get(name, imported) if package == "i2ikit" else imported


def layer(module: str) -> int:
    name = module.partition(".")[2].partition(".")[0]
    return LAYERS.index("" if name == "__version__" else name)


def core_imports() -> Iterator[tuple[str, str]]:
    for module, path in modules("i2ikit").items():
        if module != "i2ikit":
            yield from ((module, home(name)) for name in imports(path))


def test_every_module_has_its_layer() -> None:
    names = {module.partition(".")[2].partition(".")[0] for module in modules("i2ikit")}
    assert names == set(LAYERS)


def test_arrows_point_down() -> None:
    upward = [
        f"{module} imports {imported}"
        for module, imported in core_imports()
        if imported.partition(".")[0] == "i2ikit"
        and layer(imported) > layer(module)
        and not any(module == a and imported.startswith(b) for a, b in ALLOWED)
    ]
    assert upward == []


def test_only_the_command_line_knows_typer_and_rich() -> None:
    everything = modules("i2ikit") | modules("plugins")
    strangers = [
        module
        for module, path in everything.items()
        if not module.startswith("i2ikit.cli")
        and {name.partition(".")[0] for name in imports(path)} & {"typer", "rich", "click"}
    ]
    assert strangers == []


def test_core_names_no_plugin() -> None:
    named = [
        (module, plugin)
        for module, path in modules("i2ikit").items()
        for plugin in PLUGINS
        if plugin in path.read_text(encoding="utf-8")
    ]
    assert named == []


def test_core_decides_nothing_by_a_models_name() -> None:
    names = {plugin.removeprefix("i2ikit_") for plugin in PLUGINS}
    decided = [
        (module, node.value)
        for module, path in modules("i2ikit").items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names and module not in NAMESAKES
    ]
    assert decided == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugins_use_only_public_names_and_no_other_plugin(plugin: str) -> None:
    own = {name: path for name, path in modules("plugins").items() if name.startswith(plugin)}
    used = {home(name) for path in own.values() for name in imports(path)}
    ours = [name for name in used if name.startswith("i2ikit") and not name.startswith(plugin)]
    private = [
        name
        for name in ours
        if name.partition(".")[0] != "i2ikit"
        or name.split(".")[1] not in PUBLIC
        or name.split(".")[-1].startswith("_")
    ]
    assert private == []


def loaded(code: str, *arguments: str) -> tuple[str, set[str]]:
    """Run code in a fresh interpreter; return its output and the top-level modules it loaded."""
    tail = "\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}{tail}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    output, _, names = done.stdout.rstrip().rpartition("\n")
    return output, set(json.loads(names))


COMMAND = """
from i2ikit.cli import main
try:
    main()
except SystemExit as exit:
    assert not exit.code
"""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("--help", "translate"),
        ("translate --help", "--style-sample"),
        ("train --help", "--steps"),
        ("models", "munit"),
        ("plugins", "munit"),
        ("eval --help", "precision-recall"),
        ("eval fid --help", "--convention"),
        ("features cluster --help", "--num-clusters"),
        ("feed build --help", "--styles"),
        ("feed gate --help", "--min-structure"),
        ("weights --help", "--download"),
        ("recipes", "facades-bicyclegan"),
        ("run --help", "--locked"),
    ],
)
def test_light_commands_load_neither_torch_nor_numpy(arguments: str, shown: str) -> None:
    output, names = loaded(COMMAND, *arguments.split())
    assert shown in output
    assert names & HEAVY == set()


def test_light_modules_load_neither_torch_nor_numpy() -> None:
    light = [f"i2ikit.{name}".rstrip(".") for name in [*LIGHT, "cli", "evaluate", "feed"]]
    _, names = loaded(f"import {', '.join(light + PLUGINS)}")
    assert names & HEAVY == set()


def test_module_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "i2ikit", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "translate" in done.stdout
