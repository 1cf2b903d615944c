"""Feeds of objects: built from each format, in each layout, checked, and read by torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import i2ikit
from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.feed import build, check, dataset
from i2ikit.feed.manifest import Row, read_head, read_manifest
from i2ikit.feed.store import Store
from tests.feed.object_sets import OBJECTS, coco, write_objects
from tests.feed.test_checking import rewrite

pytestmark = pytest.mark.usefixtures("fakes")

Boxes = list[tuple[str, list[float]]]
FORMS = ("yolo", "voc", "coco")


def translate(tmp_path: Path, form: str, **given: Any) -> Path:
    place = str(tmp_path / "out")
    output = f"wds:{place}" if given.pop("tars", False) else place
    i2ikit.translate(write_objects(tmp_path, form), output, model="tint", style_sample=2, **given)
    return Path(place)


def rows(feed: Path) -> list[Row]:
    return list(read_manifest(feed))


def expected(row: Row, scale: float = 1) -> Boxes:
    """Return the names and COCO's boxes of a picture's objects."""
    return [
        (name, [scale * side for side in (a, b, c - a, d - b)])
        for name, a, b, c, d in OBJECTS[row.source_key]
    ]


def read_coco(feed: Path) -> dict[str, Boxes]:
    tree = json.loads((feed / "annotations" / "instances_train.json").read_text())
    assert [one["id"] for one in tree["annotations"]] == list(
        range(1, len(tree["annotations"]) + 1)
    )
    names = {one["id"]: one["name"] for one in tree["categories"]}
    assert names == {1: "cat", 2: "dog"}
    return {
        f"train/{image['file_name']}": [
            (names[one["category_id"]], one["bbox"])
            for one in tree["annotations"]
            if one["image_id"] == image["id"]
        ]
        for image in tree["images"]
    }


def read_huggingface(feed: Path) -> dict[str, Boxes]:
    lines = (feed / "train" / "metadata.jsonl").read_text().splitlines()
    return {
        f"train/{row['file_name']}": list(
            zip(row["objects"]["categories"], row["objects"]["bbox"], strict=True)
        )
        for row in map(json.loads, lines)
    }


def read_shards(feed: Path) -> dict[str, Boxes]:
    found = {}
    for row in rows(feed):
        tree = json.loads(Store(feed).read(f"{row.file_name.rpartition('.')[0]}.json"))
        names = {one["id"]: one["name"] for one in tree["categories"]}
        assert row.file_name.endswith(tree["image"]["file_name"])
        found[row.file_name] = [
            (names[one["category_id"]], one["bbox"]) for one in tree["annotations"]
        ]
    return found


READERS: dict[Any, Callable[[Path], dict[str, Boxes]]] = {
    "coco": read_coco,
    "huggingface": read_huggingface,
    "shards": read_shards,
}


@pytest.mark.parametrize("layout", READERS)
@pytest.mark.parametrize("size", [None, 4])
@pytest.mark.parametrize("form", FORMS)
def test_objects_lie_where_they_lay_in_the_source(
    tmp_path: Path, form: str, size: int | None, layout: Any
) -> None:
    out, feed = translate(tmp_path, form, size=size), tmp_path / "feed"
    summary = build(
        out, feed, labels="objects", layout=layout, mix={"translated": 2, "original": 1}
    )
    assert summary.classes == {"cat": 6, "dog": 6}
    found = READERS[layout](feed)
    assert len(found) == 9
    for row in rows(feed):
        scale = 0.5 if size and row.origin == "translated" else 1
        assert found[row.file_name] == expected(row, scale)
    assert (check(feed).wrong, check(feed).notes) == ({}, [])


def test_each_split_has_a_file_that_names_its_pictures(tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    build(translate(tmp_path, "yolo"), feed, labels="objects", split="train=0.5,val=0.5")
    for split in ("train", "val"):
        tree = json.loads((feed / "annotations" / f"instances_{split}.json").read_text())
        ids = {image["id"] for image in tree["images"]}
        assert {one["image_id"] for one in tree["annotations"]} == ids
        assert all((feed / split / image["file_name"]).is_file() for image in tree["images"])
        assert {(image["width"], image["height"]) for image in tree["images"]} == {(12, 8)}
        assert all(one["area"] == one["bbox"][2] * one["bbox"][3] for one in tree["annotations"])


@pytest.mark.parametrize("form", FORMS)
def test_tars_carry_objects(tmp_path: Path, form: str) -> None:
    build(translate(tmp_path, form, tars=True), tmp_path / "feed", labels="objects")
    found = read_coco(tmp_path / "feed")
    assert {row.file_name: expected(row) for row in rows(tmp_path / "feed")} == found


def test_a_file_keeps_its_bytes(tmp_path: Path) -> None:
    out, feed = translate(tmp_path, "voc"), tmp_path / "feed"
    build(out, feed, labels="objects")
    row = next(row for row in rows(feed) if row.source_key == "x/b")
    assert row.objects == "train/objects/translated/x/b_s00.xml"
    assert row.object_classes == {"cat": 1, "dog": 1}
    assert (feed / row.objects).read_bytes() == (out / "x" / "b_s00.xml").read_bytes()


def test_what_only_coco_knows_is_kept(tmp_path: Path) -> None:
    source, tree = write_objects(tmp_path, "coco"), coco()
    more = {"iscrowd": 1, "segmentation": {"size": [8, 12], "counts": [96]}, "keypoints": None}
    tree["annotations"][0] |= more | {"mine": "kept"}
    (source / "coco.json").write_text(json.dumps(tree))
    i2ikit.translate(source, tmp_path / "out", model="echo")
    build(tmp_path / "out", tmp_path / "feed", labels="objects")
    written = json.loads((tmp_path / "feed" / "annotations" / "instances_train.json").read_text())
    first = written["annotations"][0]
    assert (first["iscrowd"], first["mine"], first["category_id"]) == (1, "kept", 2)
    assert first["segmentation"] == more["segmentation"]
    assert "keypoints" not in first
    assert dataset(tmp_path / "feed")[0]["label"]["boxes"].shape == (0, 4)
    build(tmp_path / "out", tmp_path / "hf", labels="objects", layout="huggingface")
    assert read_huggingface(tmp_path / "hf")["train/translated/x/a.png"] == []


def test_outlines_and_keypoints_are_written(tmp_path: Path) -> None:
    out = translate(tmp_path, "yolo")
    for path in (out / "x").glob("a_s*.txt"):
        path.write_text("0 0 0 .5 0 .5 .5")
    for path in (out / "x").glob("b_s*.txt"):
        path.write_text("0 .5 .5 .5 .5 .5 .5 2 0 0 0")
    build(out, tmp_path / "feed", labels="objects")
    tree = json.loads((tmp_path / "feed" / "annotations" / "instances_train.json").read_text())
    outline, _, pose, *_ = tree["annotations"]
    assert (outline["segmentation"], outline["area"]) == ([[0, 0, 6, 0, 6, 4]], 12)
    assert (pose["keypoints"], pose["num_keypoints"]) == ([5.5, 3.5, 2, 0, 0, 0], 1)


@pytest.mark.parametrize("size", [None, 4])
def test_a_file_of_the_sources_elsewhere_moves(tmp_path: Path, size: int | None) -> None:
    out, place = translate(tmp_path, "none", size=size), tmp_path / "mine.json"
    place.write_text(json.dumps(coco()))
    mix: Any = {"translated": 2, "original": 1}
    build(out, tmp_path / "feed", labels=str(place), mix=mix)
    found = read_coco(tmp_path / "feed")
    for row in rows(tmp_path / "feed"):
        scale = 0.5 if size and row.origin == "translated" else 1
        assert found[row.file_name] == expected(row, scale)
    assert (check(tmp_path / "feed").wrong, check(tmp_path / "feed").notes) == ({}, [])


def test_a_target_has_numbers_of_its_own(tmp_path: Path) -> None:
    out = translate(tmp_path, "yolo")
    target = write_objects(tmp_path / "t", "yolo")
    (target / "classes.txt").write_text("dog\nwolf")
    mix: Any = {"translated": 2, "target": 1}
    summary = build(out, tmp_path / "feed", labels="objects", mix=mix, target=f"{target}=objects")
    assert summary.classes == {"dog": 6, "cat": 4, "wolf": 2}
    assert "the class 'wolf' is one of the target only, not of sources" in summary.notes
    found = dataset(tmp_path / "feed")
    last = found[len(found) - 1]["label"]["labels"]
    assert [found.classes[number - 1] for number in last] == ["wolf"]
    assert (check(tmp_path / "feed").wrong, check(tmp_path / "feed").notes) == ({}, [])


def test_detectors_get_boxes_and_numbers_from_one_on(tmp_path: Path) -> None:
    build(translate(tmp_path, "yolo"), tmp_path / "feed", labels="objects")
    found = dataset(tmp_path / "feed")
    assert found.classes == ("cat", "dog")
    (batch,) = DataLoader(found, batch_size=6, collate_fn=list)
    label = next(one["label"] for one in batch if one["key"] == "x/b")
    assert label["boxes"].tolist() == [[0, 0, 12, 8], [4, 4, 8, 8]]
    assert torch.equal(label["labels"], torch.tensor([1, 2]))


def test_swapped_objects_are_named(tmp_path: Path) -> None:
    build(translate(tmp_path, "yolo"), tmp_path / "feed", labels="objects")

    def swap(rows: list[Row]) -> list[Row]:
        first, other = rows[0], rows[-1]
        names = ("objects", "objects_sha256", "object_classes")
        return [replace(first, **{name: getattr(other, name) for name in names}), *rows[1:]]

    rewrite(tmp_path / "feed", swap)
    found = check(tmp_path / "feed")
    assert any("its objects are not those of" in text for text in found.wrong["wrong labels"])


def test_objects_are_counted_before_and_after(tmp_path: Path) -> None:
    build(translate(tmp_path, "voc"), tmp_path / "feed", labels="objects")
    found = check(tmp_path / "feed")
    assert (found.classes, found.source_classes) == ({"cat": 4, "dog": 4}, {"cat": 2, "dog": 2})


def test_a_changed_text_in_a_tar_is_named(tmp_path: Path) -> None:
    build(translate(tmp_path, "voc"), tmp_path / "feed", labels="objects", layout="shards")
    (tar,) = (tmp_path / "feed").glob("*.tar")
    tar.write_bytes(tar.read_bytes().replace(b'"name": "cat"', b'"name": "cow"'))
    assert "says something else than" in check(tmp_path / "feed").wrong["wrong labels"][0]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("x/a.txt", "0 .1 .5 .5 .5", r"a_s00\.txt: the box .* reaches outside of 12×8"),
        ("x/a.txt", "2 .5 .5 .5 .5", "there is no name for class 2, only for 0 to 1"),
        ("x/a.txt", "a dog", r"a_s00\.txt is no file of labels"),
        ("x/a.txt", None, "'x/a' has no objects beside it"),
        ("x/a.json", '{"shapes": []}', r"'x/a' has objects in .*\.txt and .*\.json"),
        ("z.txt", "0 .5 .5 .5 .5", r"'z\.txt' of the labels has no picture in"),
    ],
)
def test_what_is_amiss_is_named_or_left_out(
    tmp_path: Path, name: str, text: str | None, reason: str
) -> None:
    source = write_objects(tmp_path, "yolo")
    if text is None:
        (source / name).unlink()
    else:
        (source / name).write_text(text)
    out, feed = tmp_path / "out", tmp_path / "feed"
    i2ikit.translate(source, out, model="tint", style_sample=2)
    with pytest.raises(SampleError, match=reason):
        build(out, feed, labels="objects")
    summary = build(out, feed, labels="objects", on_error="skip")
    assert summary.num_pictures == (6 if name == "z.txt" else 4)
    assert summary.num_left_out


@pytest.mark.parametrize(
    ("file_name", "reason"),
    [
        ("w/a.png", r"'x/a' is not in .*; 'w/a\.png' of .* has no picture in"),
        ("y/c.png", "'x/a' is not in .*'y/c' is labelled twice"),
    ],
)
def test_pictures_that_coco_does_not_tell_apart_are_named(
    tmp_path: Path, file_name: str, reason: str
) -> None:
    out, tree = translate(tmp_path, "none"), coco()
    tree["images"][0]["file_name"] = file_name
    (tmp_path / "mine.json").write_text(json.dumps(tree))
    with pytest.raises(SampleError, match=reason):
        build(out, tmp_path / "feed", labels=str(tmp_path / "mine.json"))


def test_a_caption_beside_is_no_file_of_objects(tmp_path: Path) -> None:
    source = write_objects(tmp_path, "voc")
    (source / "x" / "a.txt").write_text("a dog in the grass")
    i2ikit.translate(source, tmp_path / "out", model="echo")
    assert build(tmp_path / "out", tmp_path / "feed", labels="objects").num_pictures == 3


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"layout": "imagefolder"}, "can't hold objects: it is for classes"),
        ({"layout": "cityscapes"}, "can't hold objects: it is for masks"),
        ({"map": "cityscapes19"}, "is for masks, and the labels are objects"),
        ({"labels": "folder", "layout": "coco"}, "can't hold classes: it is for objects"),
    ],
)
def test_what_does_not_go_with_objects_is_refused(
    tmp_path: Path, given: dict[str, Any], reason: str
) -> None:
    out = translate(tmp_path, "voc")
    with pytest.raises(UsageError, match=reason):
        build(out, tmp_path / "feed", **{"labels": "objects", **given})


def test_a_file_that_is_not_of_coco_is_refused(tmp_path: Path) -> None:
    out = translate(tmp_path, "none")
    (tmp_path / "mine.json").write_text("[]")
    with pytest.raises(SourceError, match=r"mine\.json is no file of COCO's"):
        build(out, tmp_path / "feed", labels=str(tmp_path / "mine.json"))


def test_lists_that_name_classes_differently_are_refused(tmp_path: Path) -> None:
    source = write_objects(tmp_path, "yolo")
    (source / "x" / "classes.txt").write_text("cat\ndog")
    i2ikit.translate(source, tmp_path / "out", model="echo")
    with pytest.raises(SourceError, match=r"classes\.txt and .*classes\.txt give classes differ"):
        build(tmp_path / "out", tmp_path / "feed", labels="objects")


def test_where_a_picture_has_one_label_objects_are_refused(tmp_path: Path) -> None:
    build(translate(tmp_path, "voc"), tmp_path / "feed", labels="objects")
    assert read_head(tmp_path / "feed")["kind"] == "objects"
    for given in (str(tmp_path / "feed"), f"{tmp_path / 'in'}=objects"):
        with pytest.raises(UsageError, match="has objects in its pictures"):
            i2ikit.feed.adaptation(source=given, test=given)
    with pytest.raises(UsageError, match="has objects in its pictures"):
        dataset(f"{tmp_path / 'in'}=objects")
