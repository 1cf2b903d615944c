"""`i2ikit feed gate`."""

from __future__ import annotations

import json
from pathlib import Path

import i2ikit
from tests.cli.conftest import Cli
from tests.feed.scenes import save, scene


def make(tmp_path: Path) -> Path:
    for seed in range(3):
        save(scene(seed), tmp_path / "in" / f"{seed}.png")
    i2ikit.translate(tmp_path / "in", tmp_path / "out", model="echo")
    return tmp_path / "out"


def test_rejection_is_a_result(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("feed", "gate", make(tmp_path), tmp_path / "gate")
    assert code == 0
    assert out == f"3 of 3 outputs rejected, see {tmp_path / 'gate'}\n  change < 5: 3\n"


def test_limits_are_flags(cli: Cli, tmp_path: Path) -> None:
    made = make(tmp_path)
    code, out, _ = cli("feed", "gate", made, tmp_path / "gate", "--min-change", "0", "--json")
    assert code == 0
    assert json.loads(out)["num_rejected"] == 0


def test_pictures_that_cannot_be_read_are_named_by_status_three(cli: Cli, tmp_path: Path) -> None:
    (make(tmp_path) / "1.png").write_bytes(b"")
    code, out, err = cli("feed", "gate", tmp_path / "out", tmp_path / "gate")
    assert code == 3
    assert out.startswith("2 of 3 outputs rejected")
    assert "1.png is empty" in err
