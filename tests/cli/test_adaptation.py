"""`i2ikit eval adaptation` as its users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.feed.shifted import write_halves


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Return the flags of a measure in which the adapted set does harm."""
    sets = {"source": (True, 0), "adapted": (False, 0), "target": (True, 1), "test": (True, 2)}
    found = ["--device", "cpu", "--workers", "0", "--steps", "12", "--batch-size", "8"]
    for name, (inverted, seed) in sets.items():
        text = write_halves(tmp_path / name, inverted=inverted, seed=seed)
        found += [f"--{name}", f"ruined={text}" if name == "adapted" else text]
    return [*found, "--seeds", "2"]


def test_rows_stand_in_a_table_with_signs(cli: Cli, flags: list[str]) -> None:
    code, out, _ = cli("eval", "adaptation", *flags)
    assert code == 0
    title, head, source, ruined, oracle, _, names, left, right, *rest = out.splitlines()
    assert title.startswith("accuracy on 16 pictures of ")
    assert head.split() == ["mean", "std", "gain", "gap", "closed", "each", "seed"]
    assert source.startswith("source only  ")
    assert ruined.split()[3].startswith("-")
    assert oracle.split()[3][0] in "+-"
    assert names.split() == ["source", "only", "ruined", "oracle"]
    assert (left.split()[:2], right.split()[:2]) == (["class", "left"], ["class", "right"])
    assert any(line.startswith("training:      12 steps of 8 pictures, Adam") for line in rest)
    assert any(line.startswith("ruined:        ") and "16 pictures" in line for line in rest)


def test_json_has_a_result_for_each_row(cli: Cli, flags: list[str]) -> None:
    code, out, _ = cli("eval", "adaptation", *flags, "--json")
    found = json.loads(out)
    assert code == 0
    assert [one["card"]["row"] for one in found] == ["source only", "ruined", "oracle"]
    assert found[1]["parts"]["gain"] == found[1]["value"] - found[0]["value"]


def test_warnings_are_printed_beside_the_result(cli: Cli, flags: list[str], tmp_path: Path) -> None:
    flags[flags.index("--source") + 1] = str(tmp_path / "test")
    _, out, err = cli("eval", "adaptation", *flags, "--json")
    assert json.loads(out)[0]["card"]["warnings"]
    assert "warning: source only: 16 pictures of the test are in it, too" in err


def test_a_picture_left_out_is_named(cli: Cli, flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "adapted" / "left" / "3.png").write_bytes(b"")
    code, _, err = cli("eval", "adaptation", *flags)
    assert code == 3
    assert "3.png is empty" in err


def test_a_network_may_be_a_file_beside(
    cli: Cli, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_probe_nets.py").write_text(
        "from torch import nn\n"
        "def flat(num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(192, num_classes))\n"
    )
    code, out, _ = cli("eval", "adaptation", *flags, "--network", "my_probe_nets:flat")
    assert code == 0
    assert "network:       my_probe_nets:flat; 386 weights" in out


def test_an_adapted_set_needs_a_name(cli: Cli, flags: list[str]) -> None:
    code, _, err = cli("eval", "adaptation", *flags, "--adapted", "out/")
    assert code == 2
    assert "--adapted out/ is not understood" in err
