"""Shared fixtures: fake plugins beside the installed ones, small pictures, a foreign package."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import i2ikit.plugins
from i2ikit.checkpoints import digest
from tests.evaluate.fakes import Net

torch.set_num_threads(1)  # tests run side by side: threads of several would wait for one another

THIRDPARTY = Path(__file__).parent / "thirdparty"
GOLDEN = Path(__file__).parent / "golden"


def fake_distribution(name: str, **entry_points: str) -> Any:
    """Return what `importlib.metadata` would say of a package with these plugins."""
    points = [
        importlib.metadata.EntryPoint(point, value, i2ikit.plugins.GROUP)
        for point, value in entry_points.items()
    ]
    return SimpleNamespace(metadata={"Name": name}, version="1.0", entry_points=points)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes discovery find a further package."""

    def add(name: str, **entry_points: str) -> None:
        found = [*i2ikit.plugins._distributions(), fake_distribution(name, **entry_points)]
        monkeypatch.setattr(i2ikit.plugins, "_distributions", lambda: found)

    return add


@pytest.fixture
def fakes(install: Callable[..., None]) -> None:
    """Make the models of `tests.fakes` available."""
    install("fakes", fakes="tests.fakes")


@pytest.fixture
def new_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty home, where caches and weights are looked for."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for name in ("TORCH_HOME", "XDG_CACHE_HOME", "I2IKIT_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    return home


Offer = Callable[..., None]


@pytest.fixture
def offer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    install: Callable[..., None],
    fakes: None,
) -> Offer:
    """Return a function that installs a package with a checkpoint of `one-way`, gain 2."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(package: str, sha256: str = "", **fields: object) -> None:
        folder = tmp_path / package
        folder.mkdir()
        monkeypatch.delitem(sys.modules, package, raising=False)  # another test's, of that name
        save_file({"gain": torch.tensor([2.0])}, folder / "w.safetensors")
        (folder / "card.md").write_text("measured on Tuesday")
        sha256 = sha256 or digest([folder / "w.safetensors"])
        given = "".join(f", {name}={value!r}" for name, value in fields.items())
        (folder / "__init__.py").write_text(
            "from i2ikit import CheckpointEntry, hookimpl\n"
            "@hookimpl\ndef i2ikit_checkpoints():\n"
            f"    return [CheckpointEntry('{package}-weights', model='one-way',"
            f" place='{package}:w.safetensors', sha256='{sha256}', card='{package}:card.md',"
            f" summary='{package} weights, 8 px'{given})]\n"
        )
        install(f"{package}-package", **{package: package})

    return add


@pytest.fixture
def measures(install: Callable[..., None], new_home: Path) -> None:
    """Make the feature spaces and metrics of `tests.evaluate.fakes` available."""
    install("measures", measures="tests.evaluate.fakes")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch, measures: None) -> list[int]:
    """Return a list that grows by the size of each batch that the stub network sees."""
    sizes: list[int] = []
    forward = Net.forward

    def counted(net: Net, x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return forward(net, x)

    monkeypatch.setattr(Net, "forward", counted)
    return sizes


def picture(width: int = 12, height: int = 8, seed: int = 0) -> Image.Image:
    """Return a seeded random picture."""
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def pixels(path: Path) -> np.ndarray[Any, Any]:
    """Return a picture's levels, (H, W, 3) or (H, W)."""
    with Image.open(path) as image:
        return np.array(image)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder IN with a/0.png, a/1.png, b/2.png, b/3.png, b/4.png."""
    root = tmp_path / "in"
    for index in range(5):
        path = root / ("a" if index < 2 else "b") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(seed=index).save(path)
    return root


@pytest.fixture(scope="session")
def foreign_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which pip has installed the foreign plugin package."""
    target = tmp_path_factory.mktemp("site")
    install_foreign("i2ikit-invert", target)
    return target


def install_foreign(package: str, target: Path) -> None:
    """Let pip build and install a package of `tests/thirdparty` into a folder, offline."""
    flags = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "install", *flags, str(THIRDPARTY / package)]
    subprocess.run(command, check=True)
