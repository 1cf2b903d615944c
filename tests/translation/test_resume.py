"""What is found in OUT, and what a start makes of it."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import i2ikit
from i2ikit.errors import RunError
from i2ikit.translation.audit import audit
from tests.conftest import picture
from tests.translation.test_run import metadata, tree

pytestmark = pytest.mark.usefixtures("fakes")


def test_a_second_start_does_nothing_again(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    summary = i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert summary.num_resumed == 5
    assert times == {path: path.stat().st_mtime_ns for path in times}


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"seed": 1}, "styles.seed is 0 there and 1 here"),
        ({"style_sample": 3}, "styles.count is 1 there and 3 here"),
        ({"options": {"strength": 0.25}}, "options.strength is 0.5 there and 0.25 here"),
        ({"format": "jpg"}, "format is png there and jpg here"),
        ({"model": "echo"}, "model is tint there and echo here"),
        ({"size": 4}, "size is unset there and 4 here"),
    ],
)
def test_another_run_in_the_same_place_is_refused(
    pictures: Path, tmp_path: Path, change: dict[str, Any], phrase: str
) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="tint")
    with pytest.raises(RunError, match="--restart") as caught:
        i2ikit.translate(pictures, tmp_path / "out", **{"model": "tint", **change})
    assert phrase in str(caught.value)


def test_restart_removes_what_the_run_wrote_and_nothing_else(
    pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    i2ikit.translate(pictures, out, model="tint", style_sample=2)
    (out / "a" / "mine.txt").write_text("keep")
    i2ikit.translate(pictures, out, model="echo", restart=True)
    assert sorted(tree(out)) == [
        "a/0.png", "a/1.png", "a/mine.txt", "b/2.png", "b/3.png", "b/4.png", "metadata.jsonl",
    ]  # fmt: skip


def test_new_inputs_need_extend(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    i2ikit.translate(pictures, out, model="echo")
    picture(seed=9).save(pictures / "a" / "new.png")
    with pytest.raises(RunError, match=r"1 input came since .*'a/new' first.*--extend"):
        i2ikit.translate(pictures, out, model="echo")
    summary = i2ikit.translate(pictures, out, model="echo", extend=True)
    assert (summary.num_inputs, summary.num_resumed) == (6, 5)
    assert metadata(out)[-1]["key"] == "a/new"


def test_inputs_that_are_gone_are_named(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    (pictures / "b" / "3.png").unlink()
    with pytest.raises(RunError, match=r"1 input now gone, 'b/3' first"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo")


def test_a_limited_run_goes_on_later(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = i2ikit.translate(pictures, out, model="echo", limit=2)
    assert (first.num_outputs, first.is_complete, len(metadata(out))) == (2, False, 2)
    assert i2ikit.translate(pictures, out, model="echo", limit=2).num_resumed == 2
    assert i2ikit.translate(pictures, out, model="echo").is_complete
    i2ikit.translate(pictures, tmp_path / "whole", model="echo")
    assert tree(out) == tree(tmp_path / "whole")


def test_versions_that_changed_are_named(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo", limit=1)
    monkeypatch.setattr(i2ikit, "__version__", "9.9")
    with pytest.raises(RunError, match=r"versions.i2ikit is .* there and 9.9 here"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo")
    done = i2ikit.translate(pictures, tmp_path / "out", model="echo", allow_version_change=True)
    assert done.is_complete


def test_retry_failed_picks_up_a_mended_input(pictures: Path, tmp_path: Path) -> None:
    (pictures / "b" / "3.png").write_bytes(b"")
    out = tmp_path / "out"
    assert i2ikit.translate(pictures, out, model="echo").num_failed == 1
    picture(seed=3).save(pictures / "b" / "3.png")
    assert i2ikit.translate(pictures, out, model="echo").num_failed == 1
    assert i2ikit.translate(pictures, out, model="echo", retry_failed=True).num_failed == 0
    assert not (out / ".i2ikit" / "errors.jsonl").exists()
    i2ikit.translate(pictures, tmp_path / "fresh", model="echo")
    assert tree(out) == tree(tmp_path / "fresh")


def test_a_folder_with_something_else_in_it_is_refused(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("")
    with pytest.raises(RunError, match=r"is not empty .*'thesis\.txt'"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo")


def test_restart_is_no_leave_to_write_beside_something_else(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("")
    with pytest.raises(RunError, match="is not empty"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo", restart=True)


def test_a_removal_that_was_cut_short_is_ended(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    i2ikit.translate(pictures, out, model="tint", style_sample=2)
    (out / ".i2ikit").rename(out / ".i2ikit-removed")
    i2ikit.translate(pictures, out, model="echo")
    assert sorted(path.name for path in out.iterdir()) == [".i2ikit", "a", "b", "metadata.jsonl"]
    assert len(tree(out)) == 6


def test_an_empty_folder_is_taken(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert i2ikit.translate(pictures, tmp_path / "out", model="echo").is_complete


@pytest.mark.parametrize("place", ["receipts.ReceiptWriter.note", "pipeline.FolderWriter.add"])
def test_a_full_disk_is_said_and_the_run_goes_on_later(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def fail(self: object, given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"i2ikit.translation.{place}", fail)
        with pytest.raises(RunError, match="can't be written: No space left on device"):
            i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert i2ikit.translate(pictures, tmp_path / "out", model="echo").is_complete


def test_other_pictures_of_the_same_names_are_another_run(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    other = shutil.copytree(pictures, tmp_path / "other")
    with pytest.raises(RunError, match=r"source is .*/in there and .*/other here"):
        i2ikit.translate(other, tmp_path / "out", model="echo")


def test_another_folder_of_a_field_is_another_run(pictures: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(pictures, tmp_path / name)
    wanted: dict[str, Any] = {"model": "echo", "fields": {"mask": tmp_path / "one"}}
    i2ikit.translate(pictures, tmp_path / "out", **wanted)
    with pytest.raises(RunError, match=r"fields\.mask is .*/one there and .*/two here"):
        i2ikit.translate(
            pictures, tmp_path / "out", **{**wanted, "fields": {"mask": tmp_path / "two"}}
        )


def test_an_output_that_was_lost_is_made_again(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    before = tree(tmp_path / "out")
    (tmp_path / "out" / "a" / "0.png").unlink()
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert tree(tmp_path / "out") == before


def test_what_a_limited_run_made_goes_if_its_input_has_failed_since(
    pictures: Path, tmp_path: Path
) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo", limit=2)
    (pictures / "a" / "0.png").write_bytes(b"")
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert not (tmp_path / "out" / "a" / "0.png").exists()
    assert audit(tmp_path / "out").is_sound


def test_a_limited_run_can_retry(pictures: Path, tmp_path: Path) -> None:
    good = (pictures / "a" / "0.png").read_bytes()
    (pictures / "a" / "0.png").write_bytes(b"")
    assert i2ikit.translate(pictures, tmp_path / "out", model="echo", limit=2).num_failed == 1
    (pictures / "a" / "0.png").write_bytes(good)
    again = i2ikit.translate(pictures, tmp_path / "out", model="echo", limit=2, retry_failed=True)
    assert again.num_failed == 0


@pytest.mark.parametrize("damage", ["[]", "{}", "", '{"format": 99}', '{"format": 1}'])
def test_a_plan_that_cannot_be_read_is_said_and_restart_helps(
    pictures: Path, tmp_path: Path, damage: str
) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    (tmp_path / "out" / ".i2ikit" / "plan.json").write_text(damage)
    with pytest.raises(RunError, match="--restart starts over"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert i2ikit.translate(pictures, tmp_path / "out", model="echo", restart=True).is_complete
    assert audit(tmp_path / "out").is_sound


def test_a_damaged_receipt_is_as_good_as_none(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    (tmp_path / "out" / ".i2ikit" / "receipts" / "000000.jsonl").write_text("")
    assert audit(tmp_path / "out").pending == ["000000"]
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert audit(tmp_path / "out").is_sound


def test_records_that_were_tampered_with_delete_nothing_outside(
    pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "victim.txt").write_text("dear")
    i2ikit.translate(pictures, tmp_path / "out", model="echo", limit=1)
    notes = tmp_path / "out" / ".i2ikit" / "notes" / "000000.x"
    notes.write_text(json.dumps({"files": {"../victim.txt": ""}}) + "\n")
    i2ikit.translate(pictures, tmp_path / "out", model="echo")
    carried = {"file_name": "../victim.txt", "sha256": ""}
    (tmp_path / "out" / ".i2ikit" / "carried.jsonl").write_text(json.dumps(carried))
    i2ikit.translate(pictures, tmp_path / "out", model="echo", restart=True)
    assert (tmp_path / "victim.txt").read_text() == "dear"


def test_a_tar_that_no_receipt_knows_goes_with_its_run(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: object, **given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("i2ikit.translation.receipts.ReceiptWriter.commit", die)
        with pytest.raises(KeyboardInterrupt):
            i2ikit.translate(pictures, f"wds:{tmp_path / 'out'}", model="echo")
    assert (tmp_path / "out" / "shard-000000.tar").exists()
    i2ikit.translate(pictures, tmp_path / "out", model="echo", restart=True)
    assert not (tmp_path / "out" / "shard-000000.tar").exists()
    assert audit(tmp_path / "out").is_sound


def test_the_threads_of_the_first_start_are_kept(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo", limit=1)
    path = tmp_path / "out" / ".i2ikit" / "plan.json"
    plan = json.loads(path.read_text())
    plan["settings"]["threads"] = 3
    path.write_text(json.dumps(plan))
    seen: list[int] = []
    monkeypatch.setattr("i2ikit.translation.network.torch.set_num_threads", seen.append)
    assert i2ikit.translate(pictures, tmp_path / "out", model="echo").is_complete
    assert seen[0] == 3
