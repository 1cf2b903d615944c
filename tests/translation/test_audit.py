"""An output folder that isn't what its run wrote is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

import i2ikit
from i2ikit.errors import RunError
from i2ikit.translation.audit import audit

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def out(pictures: Path, tmp_path: Path) -> Path:
    (pictures / "a" / "0.txt").write_text("label")
    (pictures / "classes.txt").write_text("cat")
    (pictures / "b" / "broken.jpg").write_bytes(b"")
    i2ikit.translate(pictures, tmp_path / "out", model="tint", style_sample=2)
    return tmp_path / "out"


def test_an_untouched_folder_is_sound(out: Path) -> None:
    found = audit(out)
    assert found.is_sound
    assert (found.num_inputs, found.num_styles) == (6, 2)
    assert (found.num_outputs, found.num_failed) == (10, 1)


@pytest.mark.parametrize("name", ["b/3_s01.png", "a/0_s00.txt", "classes.txt", "metadata.jsonl"])
def test_a_missing_file_is_named(out: Path, name: str) -> None:
    (out / name).unlink()
    assert audit(out).missing == [name]
    assert not audit(out).is_sound


@pytest.mark.parametrize("name", ["b/3_s01.png", "a/0_s00.txt", "classes.txt", "metadata.jsonl"])
def test_a_changed_file_is_named(out: Path, name: str) -> None:
    (out / name).write_bytes(b"other")
    assert audit(out).changed == [name]


def test_a_stranger_is_named(out: Path) -> None:
    (out / "b" / "mine.png").write_bytes(b"")
    assert audit(out).strangers == ["b/mine.png"]


def test_a_shard_without_receipt_is_pending(out: Path) -> None:
    next((out / ".i2ikit" / "receipts").iterdir()).unlink()
    assert audit(out).pending == ["000000"]


def test_an_input_that_a_receipt_forgot_is_named(out: Path) -> None:
    (receipt,) = (out / ".i2ikit" / "receipts").iterdir()
    lines = receipt.read_text().splitlines(keepends=True)
    receipt.write_text("".join(line for line in lines if '"key": "b/2"' not in line))
    assert audit(out).miscounted == ["b/2"]


def test_tars_are_checked_whole(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, f"wds:{tmp_path / 'out'}", model="echo")
    assert audit(tmp_path / "out").is_sound
    (tmp_path / "out" / "shard-000000.tar").write_bytes(b"other")
    assert audit(tmp_path / "out").changed == ["shard-000000.tar"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        audit(tmp_path)
