"""Whatever isn't as it was built is named."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from i2ikit.errors import RunError
from i2ikit.feed import Checked, build, check
from i2ikit.feed.manifest import MANIFEST, Row, hash_bytes, read_head, read_manifest

pytestmark = pytest.mark.usefixtures("fakes")

Build = Callable[..., Path]


@pytest.fixture
def feed(out: Path, tmp_path: Path) -> Path:
    build(out, tmp_path / "feed", split="train=0.6,val=0.4")
    return tmp_path / "feed"


@pytest.fixture
def masked(tars: Path, tmp_path: Path) -> Path:
    build(tars, tmp_path / "feed", labels=str(tmp_path / "masks"), layout="shards")
    return tmp_path / "feed"


def rewrite(feed: Path, change: Callable[[list[Row]], list[Row]]) -> None:
    """Change the manifest, and `feed.json` with it, as one who covers the traces would."""
    rows = change(list(read_manifest(feed)))
    (feed / MANIFEST).write_text("".join(row.to_line() for row in rows))
    head = read_head(feed)
    head["files"][MANIFEST] = hash_bytes((feed / MANIFEST).read_bytes())
    (feed / "feed.json").write_text(json.dumps(head))


def test_an_untouched_feed_is_sound(feed: Path) -> None:
    found = check(feed)
    assert (found.is_sound, found.num_pictures, found.num_sources) == (True, 15, 5)
    assert (found.classes, found.source_classes) == ({"cat": 6, "dog": 9}, {"cat": 2, "dog": 3})
    assert found.notes == []


@pytest.mark.parametrize(
    "given",
    [
        {"styles": 2},
        {"styles": "epoch", "mix": {"translated": 1, "original": 1}},
        {"labels": "sidecar:mask", "map": "cityscapes19"},
        {"labels": "sidecar:mask", "layout": "huggingface"},
        {"layout": "shards", "mix": {"translated": 2, "target": 1}},
    ],
)
def test_every_layout_is_sound(
    tars: Path, target: Path, tmp_path: Path, given: dict[str, Any]
) -> None:
    place = str(target) if "target" in given.get("mix", {}) else None
    build(tars, tmp_path / "feed", target=place, **given)
    found = check(tmp_path / "feed")
    assert (found.wrong, found.notes) == ({}, [])


def test_a_removed_output_is_missing(feed: Path) -> None:
    name = next(iter(read_manifest(feed))).file_name
    (feed / name).unlink()
    assert check(feed).wrong == {"missing files": [name]}


def test_a_changed_picture_is_named(feed: Path) -> None:
    name = next(iter(read_manifest(feed))).file_name
    (feed / name).write_bytes(b"other")
    assert check(feed).wrong == {"changed files": [name]}


def test_a_stranger_is_named(feed: Path) -> None:
    (feed / "train" / "mine.png").write_bytes(b"")
    assert check(feed).wrong == {"strangers": ["train/mine.png"]}


def test_a_changed_manifest_is_named(feed: Path) -> None:
    text = (feed / MANIFEST).read_text()
    (feed / MANIFEST).write_text(text.replace('"style_index": 0', '"style_index": 7', 1))
    assert MANIFEST in check(feed).wrong["changed files"]


def test_swapped_labels_are_named(feed: Path) -> None:
    def swap(rows: list[Row]) -> list[Row]:
        other = {"cat": "dog", "dog": "cat"}
        return [replace(rows[0], class_name=other[str(rows[0].class_name)]), *rows[1:]]

    rewrite(feed, swap)
    texts = check(feed).wrong["wrong labels"]
    assert any("is filed as" in text for text in texts)
    assert any("its source is of class" in text for text in texts)


def test_swapped_masks_are_named(masked: Path) -> None:
    def swap(rows: list[Row]) -> list[Row]:
        first, other = rows[0], next(row for row in rows if row.source_key != rows[0].source_key)
        return [replace(first, mask=other.mask, mask_sha256=other.mask_sha256), *rows[1:]]

    rewrite(masked, swap)
    assert "its mask is not that of" in check(masked).wrong["wrong labels"][0]


def test_a_removed_line_leaves_the_feed_incomplete(feed: Path) -> None:
    rewrite(feed, lambda rows: rows[1:])
    found = check(feed).wrong
    assert any("has 2 translations, not 3" in text for text in found["incomplete"])
    assert len(found["strangers"]) == 1


def test_a_doubled_line_is_named(feed: Path) -> None:
    rewrite(feed, lambda rows: [*rows, rows[0]])
    assert check(feed).wrong["doubled pictures"] == ["translated 'cat/a', style 0"]


def test_a_leak_between_splits_is_named(feed: Path) -> None:
    def leak(rows: list[Row]) -> list[Row]:
        return [replace(rows[0], split="val" if rows[0].split == "train" else "train"), *rows[1:]]

    rewrite(feed, leak)
    assert "'cat/a'" in check(feed).wrong["in two splits"][0]


def test_a_truncated_tar_is_named(masked: Path) -> None:
    (tar,) = masked.glob("*.tar")
    tar.write_bytes(tar.read_bytes()[:5000])
    assert any("train-000000.tar" in text for text in check(masked).wrong["unreadable"])


def test_a_tar_cut_off_between_two_members_is_named(masked: Path) -> None:
    (tar,) = masked.glob("*.tar")
    with tarfile.open(tar) as archive:
        end = archive.getmembers()[4].offset
    tar.write_bytes(tar.read_bytes()[:end])
    assert check(masked).wrong["cut off"] == ["train-000000.tar"]


def test_without_the_translation_the_records_alone_are_compared(feed: Path, out: Path) -> None:
    shutil.rmtree(out)
    found: Checked = check(feed)
    assert found.is_sound
    assert "the translation can't be read any more" in found.notes[0]


def test_a_folder_without_a_feed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no feed"):
        check(tmp_path)
