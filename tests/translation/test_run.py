"""A run of the library's `translate`, watched from outside."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import i2ikit
from i2ikit.errors import I2IError, ModelError, OptionError, RunError, SampleError, UsageError
from i2ikit.translation.run import Progress
from tests.conftest import GOLDEN, picture, pixels

pytestmark = pytest.mark.usefixtures("fakes")


def tree(root: Path) -> dict[str, bytes]:
    """Return every file under OUT but the run's own records."""
    files = (path for path in root.rglob("*") if path.is_file() and ".i2ikit" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def metadata(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "metadata.jsonl").read_text().splitlines()]


def test_a_folder_is_mirrored_with_equal_pixels(pictures: Path, tmp_path: Path) -> None:
    summary = i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert (summary.num_inputs, summary.num_outputs, summary.num_failed) == (5, 5, 0)
    for path in pictures.rglob("*.png"):
        made = tmp_path / "out" / path.relative_to(pictures)
        assert np.array_equal(pixels(made), pixels(path))


def test_padding_is_undone(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "plain", model="echo")
    i2ikit.translate(pictures, tmp_path / "padded", model="padded-echo")
    made = {n: d for n, d in tree(tmp_path / "plain").items() if n.endswith("png")}
    assert made == {n: d for n, d in tree(tmp_path / "padded").items() if n.endswith("png")}


MUNIT: dict[str, Any] = {
    "model": "munit",
    "checkpoint": GOLDEN / "munit" / "base" / "gen_00000001.pt",
    "style_sample": 2,
}


@pytest.fixture(scope="module")
def munit_tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """Return a folder of pictures, and what MUNIT makes of it."""
    root = tmp_path_factory.mktemp("munit")
    (root / "in").mkdir()
    for index in range(9):
        picture(40 + index % 3, 36, seed=index).save(root / "in" / f"{index}.png")
    i2ikit.translate(root / "in", root / "out", **MUNIT)
    return root / "in", tree(root / "out")


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("workers", [0, 2])
def test_batch_size_and_workers_change_no_byte(
    munit_tree: tuple[Path, dict[str, bytes]], tmp_path: Path, batch_size: int, workers: int
) -> None:
    source, expected = munit_tree
    i2ikit.translate(source, tmp_path / "out", **MUNIT, batch_size=batch_size, workers=workers)
    assert tree(tmp_path / "out") == expected


def test_four_styles_are_the_first_of_eight(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "four", model="tint", style_sample=4)
    i2ikit.translate(pictures, tmp_path / "eight", model="tint", style_sample=8)
    four, eight = tree(tmp_path / "four"), tree(tmp_path / "eight")
    names = [name for name in four if name.endswith(".png")]
    assert len(names) == 20
    assert all(four[name] == eight[name] for name in names)


def test_the_seed_decides_the_styles(pictures: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        i2ikit.translate(pictures, tmp_path / str(seed), model="tint", seed=seed)
    assert tree(tmp_path / "0")["a/0.png"] != tree(tmp_path / "1")["a/0.png"]


@pytest.mark.parametrize(("per", "distinct"), [("sample", 5), ("folder", 2), ("run", 1)])
def test_styles_per_says_what_shares_a_style(
    pictures: Path, tmp_path: Path, per: Any, distinct: int
) -> None:
    i2ikit.translate(
        pictures, tmp_path / "out", model="tint", styles_per=per, options={"strength": 1}
    )
    colours = {tuple(pixels(path)[0, 0]) for path in (tmp_path / "out").rglob("*.png")}
    assert len(colours) == distinct


def test_metadata_has_a_line_an_output_in_order(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="tint", style_sample=2, seed=3)
    lines = metadata(tmp_path / "out")
    assert [line["file_name"] for line in lines[:3]] == [
        "a/0_s00.png",
        "a/0_s01.png",
        "a/1_s00.png",
    ]
    assert lines[1]["key"] == "a/0"
    assert (lines[1]["style_index"], lines[1]["seed"], lines[1]["model"]) == (1, 3, "tint")


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


@pytest.mark.parametrize("level", [0, 255])
def test_what_the_model_cannot_do_is_recorded(pictures: Path, tmp_path: Path, level: int) -> None:
    Image.new("RGB", (4, 4), (level,) * 3).save(pictures / "bad.png")
    summary = i2ikit.translate(pictures, tmp_path / "out", model="fragile")
    assert (summary.num_outputs, summary.num_failed) == (5, 1)
    (error,) = (tmp_path / "out" / ".i2ikit" / "errors.jsonl").read_text().splitlines()
    reason = json.loads(error)["reason"]
    assert "bad.png" in reason
    assert ("too dark" if level == 0 else "NaN") in reason


def test_stop_ends_the_run_at_the_first_failure(pictures: Path, tmp_path: Path) -> None:
    (pictures / "a" / "0.png").write_bytes(b"")
    with pytest.raises(SampleError, match=r"0\.png is empty"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo", on_error="stop")


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


def test_progress_counts_every_input(pictures: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    (pictures / "b" / "4.png").write_bytes(b"")
    i2ikit.translate(pictures, tmp_path / "out", model="echo", on_progress=seen.append)
    assert [progress.done for progress in seen] == [1, 2, 3, 4, 5]
    assert (seen[-1].total, seen[-1].failed) == (5, 1)


def test_size_is_the_shorter_side_and_is_recorded(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo", size=4)
    assert pixels(tmp_path / "out" / "a" / "0.png").shape == (4, 6, 3)
    geometry = metadata(tmp_path / "out")[0]["geometry"]
    assert (geometry["source_size"], geometry["size"]) == ([12, 8], [6, 4])


def test_sidecars_travel_to_every_output(pictures: Path, tmp_path: Path) -> None:
    (pictures / "a" / "0.txt").write_bytes(b"0 .5 .5 1 1\r\n")
    (pictures / "classes.txt").write_text("cat")
    i2ikit.translate(pictures, tmp_path / "out", model="tint", style_sample=2)
    made = tree(tmp_path / "out")
    assert made["a/0_s00.txt"] == made["a/0_s01.txt"] == b"0 .5 .5 1 1\r\n"
    assert made["classes.txt"] == b"cat"


def test_a_label_is_never_bent_silently(pictures: Path, tmp_path: Path) -> None:
    (pictures / "a" / "0.txt").write_text("0 .5 .5 1 1")
    (pictures / "a" / "1.cls").write_text("3")
    summary = i2ikit.translate(pictures, tmp_path / "out", model="echo", size=4)
    assert summary.num_failed == 1
    assert "'a/0.txt' may hold coordinates" in summary.failures[0]
    assert (tmp_path / "out" / "a" / "1.cls").read_text() == "3"


def test_official_range_is_the_models_own(pictures: Path, tmp_path: Path) -> None:
    wanted: dict[str, Any] = {"model": "tint", "options": {"strength": 0.5}}
    i2ikit.translate(pictures, tmp_path / "out", range="official", **wanted)
    levels = pixels(tmp_path / "out" / "a" / "0.png")
    assert (levels.min(), levels.max()) == (0, 255)


@pytest.mark.parametrize("format", ["png", "jpg", "webp"])
def test_formats(pictures: Path, tmp_path: Path, format: Any) -> None:  # noqa: A002
    i2ikit.translate(pictures, tmp_path / "out", model="echo", format=format)
    kind = {"jpg": "JPEG"}.get(format, format.upper())
    with Image.open(tmp_path / "out" / "a" / f"0.{format}") as image:
        assert image.format == kind


def test_bf16_runs(pictures: Path, tmp_path: Path) -> None:
    assert i2ikit.translate(pictures, tmp_path / "out", model="tint", precision="bf16").num_outputs


def test_no_global_state_is_left_changed(pictures: Path, tmp_path: Path) -> None:
    import torch

    before = (torch.get_num_threads(), torch.get_rng_state().clone(), torch.is_grad_enabled())
    i2ikit.translate(pictures, tmp_path / "out", model="tint", style_sample=2)
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert torch.is_grad_enabled() is before[2]


@pytest.mark.parametrize(
    ("wanted", "error", "phrase"),
    [
        ({"model": "tinnt"}, UsageError, "unknown model 'tinnt' (did you mean 'tint'?)"),
        ({"model": "one-way"}, UsageError, "needs weights"),
        ({"model": "munit", "checkpoint": "nowhere.pt"}, I2IError, "nowhere.pt does not exist"),
        ({"model": "echo", "direction": "b2a"}, UsageError, "can't translate b2a"),
        ({"model": "echo", "style_sample": 2}, UsageError, "draws no styles"),
        ({"model": "echo", "style_from": "x.png"}, UsageError, "takes no example pictures"),
        ({"model": "tint", "style_sample": 0}, UsageError, "--style-sample 0 is less than 1"),
        ({"model": "tint", "styles": "x.npy"}, UsageError, "--styles x.npy does not exist"),
        ({"model": "tint", "style_sample": 1, "styles": "x.npy"}, UsageError, "exclude each other"),
        ({"model": "tint", "options": {"power": 1}}, OptionError, "unknown option -o power"),
        ({"model": "tint", "options": {"strength": 2}}, OptionError, "-o strength=2: "),
        ({"model": "echo", "shard": (0, 2), "restart": True}, UsageError, "exclude each other"),
        ({"model": "echo", "shard": (3, 3)}, UsageError, "there is no part 3 of 3"),
        ({"model": "echo", "device": "warp"}, UsageError, "--device warp can't be used"),
        ({"model": "echo", "format": "gif"}, UsageError, "--format gif is none of"),
        ({"model": "echo", "workers": -1}, UsageError, "--workers -1 is less than 0"),
    ],
)
def test_wrong_requests_are_refused_before_anything_is_written(
    pictures: Path, tmp_path: Path, wanted: dict[str, Any], error: type[I2IError], phrase: str
) -> None:
    with pytest.raises(error) as caught:
        i2ikit.translate(pictures, tmp_path / "out", **wanted)
    assert phrase in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_out_inside_in_is_refused(pictures: Path) -> None:
    with pytest.raises(UsageError, match="is IN, or inside it"):
        i2ikit.translate(pictures, pictures / "out", model="echo")


def test_an_unwritable_output_is_an_error(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/out"):
        with pytest.raises(RunError):
            i2ikit.translate(pictures, tmp_path / place, model="echo")


def test_two_inputs_for_one_output_are_refused(
    pictures: Path, tmp_path: Path, install: Callable[..., None]
) -> None:
    picture().save(pictures / "x.mask.png")
    picture().save(pictures / "x.png")
    masks = tmp_path / "masks"
    masks.mkdir()
    picture().save(masks / "x.png")
    with pytest.raises(I2IError, match=r"x\.mask\.png"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo", fields={"mask": str(masks)})


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


def test_a_model_that_breaks_the_contract_stops_the_run(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes import Echo

    monkeypatch.setattr(Echo, "decode", lambda self, content, style: content[:, :, :2])
    with pytest.raises(ModelError, match="decode returned"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo")
