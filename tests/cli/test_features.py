"""`i2ikit features cluster` as its users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.cli.conftest import Cli
from tests.fakes import Palette


@pytest.fixture
def words(tmp_path: Path, pictures: Path) -> list[object]:
    """Return a command that works."""
    (tmp_path / "trained").mkdir()
    save_file({"gain": torch.ones(1)}, tmp_path / "trained" / "gain.safetensors")
    asked = ["--model", "palette", "--checkpoint", tmp_path / "trained", "--num-clusters", 3]
    return ["features", "cluster", *asked, pictures]


def test_it_says_what_it_made(cli: Cli, words: list[object], tmp_path: Path) -> None:
    code, out, err = cli(*words)
    assert (code, err) == (0, "")
    path = tmp_path / "trained" / "palette_003.safetensors"
    assert out == f"3 centres of the features of 5 pictures: {path}\ncentres by class: colour: 3\n"
    _, out, _ = cli(*words, "--restart", "--json")
    expected = {"path": str(path), "num_pictures": 5, "num_centres": {"colour": 3}}
    assert json.loads(out) == expected


@pytest.mark.parametrize(
    ("more", "code", "sentence"),
    [
        (("--field", "x"), 2, "write NAME=DIR[:SUFFIX]"),
        (("--field", "mask=x"), 2, "--field mask is of no use"),
        (("-o", "colour=1"), 2, "unknown option -o colour"),
        (("--device", "moon"), 2, "--device moon can't be used"),
    ],
)
def test_wrong_usage_is_one_sentence(
    cli: Cli, words: list[object], more: tuple[str, ...], code: int, sentence: str
) -> None:
    found, out, err = cli(*words, *more)
    assert (found, out) == (code, "")
    assert sentence in err


def test_clusters_that_are_there_are_named(cli: Cli, words: list[object]) -> None:
    cli(*words)
    code, out, err = cli(*words)
    assert (code, out) == (1, "")
    assert "palette_003.safetensors is there already\n  hint: --restart replaces it" in err


def test_ctrl_c_says_that_nothing_was_written(
    cli: Cli, words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Palette, "cluster_features", interrupt)
    code, _, err = cli(*words)
    assert (code, err) == (130, "i2ikit: interrupted; nothing was written\n")
    assert [path.name for path in (tmp_path / "trained").iterdir()] == ["gain.safetensors"]
