"""A feed holds translated bytes with the labels of their sources."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import i2ikit
from i2ikit.errors import RunError, SampleError, SourceError, UsageError
from i2ikit.feed import build
from i2ikit.feed.manifest import Row, read_head, read_manifest
from i2ikit.feed.store import Store
from tests.conftest import picture, pixels

pytestmark = pytest.mark.usefixtures("fakes")


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rows(feed: Path) -> list[Row]:
    return list(read_manifest(feed))


def test_pictures_are_copied_with_the_class_of_their_source(out: Path, tmp_path: Path) -> None:
    summary = build(out, tmp_path / "feed")
    assert summary.counts == {"train": {"translated": 15}}
    assert summary.classes == {"cat": 6, "dog": 9}
    row = next(row for row in rows(tmp_path / "feed") if row.source_key == "dog/c")
    assert (row.class_name, row.split, row.style_index, row.model) == ("dog", "train", 0, "tint")
    copied = (tmp_path / "feed" / row.file_name).read_bytes()
    assert copied == (out / "dog" / "c_s00.png").read_bytes()


def test_torchvision_reads_an_imagefolder(out: Path, tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    build(out, tmp_path / "feed", mix={"translated": 3, "original": 1})
    found = ImageFolder(str(tmp_path / "feed" / "train"))
    assert found.classes == ["cat", "dog"]
    assert Counter(found.targets) == Counter(
        ["cat", "dog"].index(str(row.class_name)) for row in rows(tmp_path / "feed")
    )


def test_torchvision_reads_the_cityscapes_layout(tars: Path, tmp_path: Path) -> None:
    from torchvision.datasets import Cityscapes

    build(tars, tmp_path / "feed", labels="sidecar:mask", map="cityscapes19")
    found = Cityscapes(str(tmp_path / "feed"), target_type="semantic")
    assert len(found) == 15
    index = next(i for i, name in enumerate(found.images) if "dog/c_s01" in name.replace("-", "/"))
    _, mask = found[index]
    assert (np.array(mask) == pixels(tmp_path / "masks" / "dog" / "c.png")).all()


def test_a_mapped_mask_lies_beside_the_bytes_of_the_ids(out: Path, tmp_path: Path) -> None:
    build(out, tmp_path / "feed", labels=str(tmp_path / "masks"), map="cityscapes19")
    row = rows(tmp_path / "feed")[0]
    given = tmp_path / "masks" / f"{row.source_key}.png"
    assert row.source_mask is not None
    assert row.mask is not None
    assert row.mask.endswith("_gtFine_labelTrainIds.png")
    assert (tmp_path / "feed" / row.source_mask).read_bytes() == given.read_bytes()
    is_road = pixels(given) == 7
    assert ((pixels(tmp_path / "feed" / row.mask) == 0) == is_road).all()
    assert read_head(tmp_path / "feed")["classes"][:2] == ["road", "sidewalk"]


def test_masks_of_the_source_move_with_their_picture(source: Path, tmp_path: Path) -> None:
    i2ikit.translate(source, tmp_path / "small", model="echo", size=4)
    build(tmp_path / "small", tmp_path / "feed", labels=str(tmp_path / "masks"))
    row = rows(tmp_path / "feed")[0]
    assert row.mask is not None
    expected = pixels(tmp_path / "masks" / f"{row.source_key}.png")[1::2, 1::2]
    assert (pixels(tmp_path / "feed" / row.mask) == expected).all()


@pytest.mark.filterwarnings(  # webdataset leaves its tar to the garbage collector
    "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_webdataset_reads_shards(tars: Path, tmp_path: Path) -> None:
    import webdataset

    build(tars, tmp_path / "feed", layout="shards")
    (tar,) = (tmp_path / "feed").glob("*.tar")
    found = list(webdataset.WebDataset(str(tar), shardshuffle=False))
    assert Counter(one["cls"].decode() for one in found) == {"cat": 6, "dog": 9}
    by_name = {row.file_name: row.sha256 for row in rows(tmp_path / "feed")}
    assert f"{tar.name}/{found[0]['__key__']}.png" in by_name


def test_hugging_faces_table_names_the_masks(tars: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    build(tars, feed, labels="sidecar:mask", layout="huggingface")
    table = read_lines(feed / "train" / "metadata.jsonl")
    assert len(table) == 15
    assert all((feed / "train" / row["mask_file_name"]).is_file() for row in table)


@pytest.mark.parametrize("styles", ["all", "epoch"])
def test_hugging_faces_table_has_epochs_only_where_they_are_used(
    out: Path, tmp_path: Path, styles: Any
) -> None:
    mix: Any = {"translated": 1, "original": 1}
    build(out, tmp_path / "feed", layout="huggingface", styles=styles, mix=mix)
    table = read_lines(tmp_path / "feed" / "train" / "metadata.jsonl")
    assert {"epoch" in row for row in table} == {styles == "epoch"}


@pytest.mark.parametrize("labels", ["cls", "column:kind", "table"])
def test_classes_are_found_wherever_they_are(source: Path, tmp_path: Path, labels: str) -> None:
    names = ["cat/a", "cat/b", "dog/c", "dog/d", "dog/e"]
    lines = "".join(f'{{"file_name": "{name}.png", "kind": "{name[-1]}"}}\n' for name in names)
    (source / "metadata.jsonl").write_text(lines)
    for name in names:
        (source / f"{name}.cls").write_text(name[-1])
    (tmp_path / "t.csv").write_text(
        "file_name,label\n" + "".join(f"{n}.jpg,{n[-1]}\n" for n in names)
    )
    for place in ("folder", "tar"):
        out = f"wds:{tmp_path / place}" if place == "tar" else str(tmp_path / place)
        i2ikit.translate(source, out, model="echo")
        how = str(tmp_path / "t.csv") if labels == "table" else labels
        build(tmp_path / place, tmp_path / f"feed-{place}", labels=how)
        found = {row.source_key: row.class_name for row in rows(tmp_path / f"feed-{place}")}
        assert found == {name: name[-1] for name in names}


def test_originals_are_the_bytes_of_in(out: Path, source: Path, tmp_path: Path) -> None:
    build(out, tmp_path / "feed", mix={"original": 1})
    for row in rows(tmp_path / "feed"):
        given = source / f"{row.source_key}.png"
        assert (tmp_path / "feed" / row.file_name).read_bytes() == given.read_bytes()


def test_target_pictures_bring_their_own_labels(out: Path, target: Path, tmp_path: Path) -> None:
    summary = build(
        out, tmp_path / "feed", mix={"translated": 2, "target": 1}, target=str(target), styles=2
    )
    assert summary.counts == {"train": {"translated": 8, "target": 4}}
    classes = [row.class_name for row in rows(tmp_path / "feed") if row.origin == "target"]
    assert sorted(map(str, classes)) == ["cat", "cat", "dog", "dog"]


def test_a_source_and_its_translations_share_a_split(out: Path, tmp_path: Path) -> None:
    mix: Any = {"translated": 3, "original": 1}
    build(out, tmp_path / "feed", mix=mix, split="train=0.6,val=0.4")
    splits = defaultdict(set)
    for row in rows(tmp_path / "feed"):
        splits[row.source_key].add(row.split)
        assert row.source_sha256
    assert {len(found) for found in splits.values()} == {1}
    assert set.union(*splits.values()) == {"train", "val"}


def test_the_same_picture_in_two_splits_is_a_leak(source: Path, tmp_path: Path) -> None:
    (source / "dog" / "twin.png").write_bytes((source / "cat" / "a.png").read_bytes())
    i2ikit.translate(source, tmp_path / "out", model="tint", style_sample=2)
    with pytest.raises(SampleError, match=r"'dog/twin' \(dog\) is the same picture as 'cat/a'"):
        build(tmp_path / "out", tmp_path / "feed", split="folder")
    summary = build(tmp_path / "out", tmp_path / "feed", split="folder", on_error="skip")
    assert summary.num_left_out == 1
    assert "dog/twin" not in {row.source_key for row in rows(tmp_path / "feed")}


def test_epochs_are_listed_for_other_programs(out: Path, tmp_path: Path) -> None:
    build(out, tmp_path / "feed", styles="epoch")
    lists = sorted((tmp_path / "feed" / "epochs" / "train").iterdir())
    assert [path.name for path in lists] == ["000.txt", "001.txt", "002.txt"]
    shown = [path.read_text().splitlines() for path in lists]
    assert [len(names) for names in shown] == [5, 5, 5]
    assert len({name for names in shown for name in names}) == 15


def write_report(path: Path, out: Path, rejected: str, skip: str = "") -> Path:
    names = [row["file_name"] for row in read_lines(out / "metadata.jsonl")]
    lines = [
        {
            "file_name": name,
            "ok": name != rejected,
            "reasons": ["black"] if name == rejected else [],
        }
        for name in names
        if name != skip
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_what_the_gate_rejects_is_kept_out_and_listed(out: Path, tmp_path: Path) -> None:
    report = write_report(tmp_path / "report.jsonl", out, "dog/c_s01.png")
    summary = build(out, tmp_path / "feed", gate=report)
    assert (summary.num_pictures, summary.num_rejected, summary.num_left_out) == (14, 1, 0)
    (line,) = read_lines(tmp_path / "feed" / "rejected.jsonl")
    assert (line["file_name"], line["reasons"]) == ("dog/c_s01.png", ["black"])


@pytest.mark.parametrize("name", ["nowhere", "nowhere.jsonl", "text"])
def test_a_gate_that_is_no_report_is_refused(out: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "text").write_text("")
    with pytest.raises(SourceError, match=f"{name} is no report, and no folder of one"):
        build(out, tmp_path / "feed", gate=tmp_path / name)


def test_a_map_that_ignores_everything_is_refused(out: Path, tmp_path: Path) -> None:
    rows = "".join(f"{label},{0 if label == 33 else 255}\n" for label in range(34))
    (tmp_path / "map.csv").write_text(f"id,class\n{rows}")
    for path in (tmp_path / "masks").rglob("*.png"):
        ids = np.asarray(Image.open(path))
        Image.fromarray(np.where(ids == 33, 0, ids).astype(np.uint8)).save(path)
    with pytest.raises(UsageError, match="leaves no pixel of any mask that counts"):
        build(out, tmp_path / "feed", labels=str(tmp_path / "masks"), map=str(tmp_path / "map.csv"))
    assert not (tmp_path / "feed").exists()


def test_classes_taken_for_splits_are_noted(out: Path, tmp_path: Path) -> None:
    summary = build(out, tmp_path / "feed", split="folder")
    assert "each split holds one class only" in " ".join(summary.notes)


def test_the_gate_of_another_translation_is_refused(out: Path, tmp_path: Path) -> None:
    report = write_report(tmp_path / "report.jsonl", out, "", skip="dog/c_s01.png")
    with pytest.raises(SourceError, match=r"has no line for 1 of 15 outputs, 'dog/c_s01\.png'"):
        build(out, tmp_path / "feed", gate=report)
    report.write_text('{"file_name": "x.png", "ok": true}\n')
    with pytest.raises(SourceError, match=r"line 1: 'x\.png' is no output"):
        build(out, tmp_path / "feed", gate=report)


def test_a_run_that_is_not_complete_is_refused(source: Path, tmp_path: Path) -> None:
    i2ikit.translate(source, tmp_path / "out", model="echo", limit=2)
    with pytest.raises(RunError, match="holds a part of its run: 1 of 1 shard"):
        build(tmp_path / "out", tmp_path / "feed")


def test_a_lost_output_is_refused(out: Path, tmp_path: Path) -> None:
    (out / "dog" / "c_s01.png").unlink()
    with pytest.raises(RunError, match=r"lacks dog/c_s01\.png"):
        build(out, tmp_path / "feed")


def test_labels_and_pictures_that_lack_each_other_are_named(out: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("key,label\ncat/a,1\ncat/b,1\ndog/c,2\ndog/d,2\ncat/z,1\n")
    with pytest.raises(SampleError, match=r"'dog/e' is not in .*'cat/z' of .* has no picture"):
        build(out, tmp_path / "feed", labels=str(tmp_path / "t.csv"))
    assert not (tmp_path / "feed").exists()
    table = str(tmp_path / "t.csv")
    summary = build(out, tmp_path / "feed", labels=table, on_error="skip")
    assert (summary.num_pictures, summary.num_left_out) == (12, 2)
    assert len((tmp_path / "feed" / "left_out.jsonl").read_text().splitlines()) == 2


def test_a_mask_of_another_size_stops_the_build_and_leaves_nothing(
    out: Path, tmp_path: Path
) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "masks" / "dog" / "c.png")
    with pytest.raises(SampleError, match=r"c\.png is 4×4, but its picture .* is 12×8"):
        build(out, tmp_path / "feed", labels=str(tmp_path / "masks"))
    assert not [path for path in tmp_path.iterdir() if "feed" in path.name]
    summary = build(out, tmp_path / "feed", labels=str(tmp_path / "masks"), on_error="skip")
    assert (summary.num_pictures, summary.num_left_out) == (12, 3)


def test_masks_that_were_not_carried_along_get_a_hint(out: Path, tmp_path: Path) -> None:
    words = r"has no mask \.mask beside it \(i2ikit translate --field mask=DIR carries masks along"
    with pytest.raises(SampleError, match=words):
        build(out, tmp_path / "feed", labels="sidecar:mask")


def test_an_unreadable_original_is_left_out(out: Path, source: Path, tmp_path: Path) -> None:
    path = source / "dog" / "c.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SampleError, match=r"c\.png can't be decoded"):
        build(out, tmp_path / "feed", mix={"original": 1})
    summary = build(out, tmp_path / "feed", mix={"original": 1}, on_error="skip")
    assert (summary.num_pictures, summary.num_left_out) == (4, 1)


def test_a_feed_survives_its_translation(out: Path, tmp_path: Path) -> None:
    build(out, tmp_path / "feed")
    shutil.rmtree(out)
    store = Store(tmp_path / "feed")
    assert all(store.read(row.file_name) for row in rows(tmp_path / "feed"))


def test_names_of_originals_and_translations_never_meet(source: Path, tmp_path: Path) -> None:
    i2ikit.translate(source, tmp_path / "out", model="echo")
    summary = build(tmp_path / "out", tmp_path / "feed", mix={"translated": 1, "original": 1})
    assert summary.num_pictures == len({row.file_name for row in rows(tmp_path / "feed")}) == 10


def test_a_feed_within_the_translation_is_refused(out: Path) -> None:
    with pytest.raises(UsageError, match="lies in TRANSLATED"):
        build(out, out / "feed")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layout": "cityscapes"}, "can't hold classes"),
        ({"layout": "imagefolder", "labels": "sidecar:mask"}, "can't hold masks"),
        ({"map": "cityscapes19"}, "is for masks"),
        ({"styles": 0}, "--styles 0"),
        ({"styles": "some"}, "--styles some"),
        ({"mix": {"target": 1}}, "go together"),
        ({"target": "x"}, "go together"),
        ({"mix": {"translated": 0}}, "above 0"),
        ({"mix": {"other": 1}}, "--mix other"),
        ({"labels": "nowhere"}, "no folder or file of labels 'nowhere'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    out: Path, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build(out, tmp_path / "feed", **given)


def test_fewer_translations_than_styles_are_noted(out: Path, tmp_path: Path) -> None:
    note = "sources have 3 translations, fewer than --styles 5"
    assert build(out, tmp_path / "more", styles=5).notes == (note,)
    assert build(out, tmp_path / "all", styles=3).notes == ()


def test_a_class_of_one_side_only_is_noted(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "target" / "dgo" / "1.png"
    path.parent.mkdir(parents=True)
    picture().save(path)
    mix: Any = {"translated": 1, "target": 1}
    summary = build(out, tmp_path / "feed", mix=mix, target=str(tmp_path / "target"))
    assert any("'dgo' is one of the target only" in note for note in summary.notes)


def test_pictures_in_no_folder_need_other_labels(tmp_path: Path) -> None:
    picture().save(tmp_path / "flat.png")
    i2ikit.translate(tmp_path / "flat.png", tmp_path / "out", model="echo")
    for on_error in ("stop", "skip"):
        with pytest.raises(SampleError, match="'flat' lies in no folder that names its class"):
            build(tmp_path / "out", tmp_path / "feed", on_error=on_error)
