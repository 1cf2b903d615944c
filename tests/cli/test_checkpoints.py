"""`i2ikit checkpoints`, and what `translate` says of a default one."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.conftest import Cli
from tests.conftest import Offer


def test_the_command_lists_and_shows(offer: Offer, cli: Cli) -> None:
    offer("shown", is_default=True, licence="MIT")
    _, out, _ = cli("checkpoints", "list")
    assert re.search(r"^shown-weights +shown weights, 8 px \(one-way, default\)", out, re.MULTILINE)
    _, out, _ = cli("checkpoints", "show", "shown-weights")
    assert "licence: MIT" in out
    assert "measured on Tuesday" in out
    _, out, _ = cli("checkpoints", "show", "shown-weights", "--json")
    assert json.loads(out)["path"].endswith("w.safetensors")


def test_a_default_is_announced(offer: Offer, cli: Cli, pictures: Path, tmp_path: Path) -> None:
    offer("told", is_default=True)
    code, _, err = cli("translate", "--model", "one-way", pictures, tmp_path / "out")
    assert "told weights, 8 px; give your own with --checkpoint" in err
    assert code == 0


def test_a_packed_checkpoint_translates(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    golden = Path(__file__).parents[1] / "golden" / "munit" / "base" / "gen_00000001.pt"
    code, out, _ = cli("checkpoints", "pack", golden, tmp_path / "small.safetensors")
    assert (code, "kB" in out) == (0, True)
    given = ("--model", "munit", "--checkpoint", tmp_path / "small.safetensors")
    code, _, _ = cli("translate", *given, "--style-sample", 2, pictures, tmp_path / "out")
    assert code == 0
