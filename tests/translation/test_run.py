"""A run of the library's `translate`, watched from outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import i2ikit
from i2ikit.errors import (
    I2IError,
    ModelError,
    OptionError,
    RunError,
    SampleError,
    SourceError,
    UsageError,
)
from i2ikit.progress import Progress
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
    (pictures / "a" / "0.npy").write_bytes(b"any array")
    (pictures / "a" / "1.cls").write_text("3")
    summary = i2ikit.translate(pictures, tmp_path / "out", model="echo", size=4)
    assert summary.num_failed == 1
    assert "a/0.npy may hold coordinates" in summary.failures[0]
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
        ({"model": "tint", "style_from": "matched:"}, UsageError, "--style-from names nothing"),
        ({"model": "tint", "fields": {"reference.x": "d"}}, UsageError, "reference.x is of no use"),
        ({"model": "tint", "style_sample": 0}, UsageError, "--style-sample 0 is less than 1"),
        ({"model": "tint", "styles": "x.npy"}, UsageError, "--styles x.npy does not exist"),
        ({"model": "tint", "style_sample": 1, "styles": "x.npy"}, UsageError, "exclude each other"),
        ({"model": "tint", "options": {"power": 1}}, OptionError, "unknown option -o power"),
        ({"model": "tint", "options": {"strength": 2}}, OptionError, "-o strength=2: "),
        ({"model": "echo", "shard": (0, 2), "restart": True}, UsageError, "exclude each other"),
        ({"model": "echo", "on_error": "stpo"}, UsageError, "neither skip nor stop"),
        ({"model": "echo", "device": "meta"}, UsageError, "--device meta can't be used"),
        ({"model": "echo", "blocked": ["muint"]}, UsageError, "no plugin 'muint' to block"),
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


def test_a_model_that_breaks_the_contract_stops_the_run(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes import Echo

    monkeypatch.setattr(Echo, "decode", lambda self, content, style: content[:, :, :2])
    with pytest.raises(ModelError, match="decode returned"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo")


def test_a_caption_is_no_label_with_coordinates(pictures: Path, tmp_path: Path) -> None:
    (pictures / "a" / "0.txt").write_text("2 cats on a chair")
    assert i2ikit.translate(pictures, tmp_path / "out", model="echo", size=4).num_failed == 0


def test_columns_of_lists_are_not_bent_silently(pictures: Path, tmp_path: Path) -> None:
    row = {"file_name": "a/0.png", "landmarks": [[1, 1]]}
    (pictures / "metadata.jsonl").write_text(json.dumps(row))
    summary = i2ikit.translate(pictures, tmp_path / "out", model="echo", size=4)
    assert "the column 'landmarks' of 'a/0' may hold coordinates" in summary.failures[0]


def test_labels_of_the_whole_set_are_refused_where_pixels_move(
    pictures: Path, tmp_path: Path
) -> None:
    (pictures / "coco.json").write_text("{}")
    with pytest.raises(SourceError, match=r"coco\.json may hold coordinates"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo", size=4)
    assert i2ikit.translate(pictures, tmp_path / "out", model="echo").is_complete


def test_a_file_of_the_set_that_is_gone_is_said_before_the_first_image(
    pictures: Path, tmp_path: Path
) -> None:
    (pictures / "classes.txt").symlink_to("nowhere")
    with pytest.raises(SourceError, match=r"classes\.txt can't be read"):
        i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert not (tmp_path / "out").exists()


def test_a_name_that_gets_too_long_fails_alone(pictures: Path, tmp_path: Path) -> None:
    picture().save(pictures / f"{'x' * 250}.png")
    summary = i2ikit.translate(pictures, tmp_path / "out", model="tint", style_sample=2)
    assert (summary.num_outputs, summary.num_failed) == (10, 1)
    assert "too long for a file's name" in summary.failures[0]


def test_a_picture_that_would_grow_into_a_bomb_fails_alone(pictures: Path, tmp_path: Path) -> None:
    picture(1, 5000).save(pictures / "thin.png")
    summary = i2ikit.translate(pictures, tmp_path / "out", model="echo", size=512, limit=6)
    assert summary.num_failed == 1
    assert "it would have 2560000 × 512 pixels" in summary.failures[0]


@pytest.mark.parametrize("places", [("x" * 300, "out"), ("in", "x" * 300)])
def test_a_place_with_too_long_a_name_is_said(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(I2IError, match="File name too long"):
        i2ikit.translate(*places, model="echo")


@pytest.mark.parametrize(
    ("source", "output", "phrase"),
    [("", "out", "is empty"), ("in", "", "is empty"), ("in", "made.png", "called like a picture")],
)
def test_places_that_make_no_sense(
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    output: str,
    phrase: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=phrase):
        i2ikit.translate(source, output, model="echo")
