"""What travels along where it stays as it is, is refused, or speaks of the whole data set."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import i2ikit
from i2ikit.errors import SourceError, UsageError
from i2ikit.labels.whole_set import match_names
from i2ikit.translation.audit import audit
from tests.conftest import picture, pixels
from tests.translation.test_run import metadata, tree

pytestmark = pytest.mark.usefixtures("fakes")


def save_turned(path: Path, orientation: int = 6) -> None:
    image = picture()
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)


def coco(names: list[str], **annotation: Any) -> dict[str, Any]:
    """Return a file's tree with a box in each of some pictures of 12 × 8."""
    return {
        "info": {"year": 2026},
        "images": [
            {"id": 10 + i, "file_name": name, "width": 12, "height": 8}
            for i, name in enumerate(names)
        ],
        "annotations": [
            {"id": i, "image_id": 10 + i, "category_id": 1, "bbox": [2, 4, 6, 2], **annotation}
            for i in range(len(names))
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }


NAMES = ["a/0.png", "a/1.png", "b/2.png", "b/3.png", "b/4.png", "elsewhere/9.png"]


@pytest.fixture
def labelled(pictures: Path) -> Path:
    """Return the folder of pictures with a file of COCO's."""
    (pictures / "coco.json").write_text(json.dumps(coco(NAMES), indent=4))
    return pictures


def boxes(out: Path) -> list[list[float]]:
    return [row["bbox"] for row in json.loads((out / "coco.json").read_text())["annotations"]]


def test_labels_of_pictures_that_stay_are_carried_byte_for_byte(
    labelled: Path, tmp_path: Path
) -> None:
    for name, text in {"0.txt": "0 9 9 9 9", "0.json": "{", "0.xml": "<a", "0.npy": "x"}.items():
        (labelled / "a" / name).write_text(text)
    i2ikit.translate(labelled, tmp_path / "out", model="padded-echo")
    made, given = tree(tmp_path / "out"), tree(labelled)
    assert {name: made[name] for name in given if not name.endswith("png")} == {
        name: data for name, data in given.items() if not name.endswith("png")
    }


def test_labels_of_the_whole_set_follow_the_size(labelled: Path, tmp_path: Path) -> None:
    i2ikit.translate(labelled, tmp_path / "out", model="echo", size=4)
    made, given = json.loads((tmp_path / "out" / "coco.json").read_text()), coco(NAMES)
    assert boxes(tmp_path / "out") == [[1, 2, 3, 1]] * 5 + [[2, 4, 6, 2]]
    assert [(row["width"], row["height"]) for row in made["images"]] == [(6, 4)] * 5 + [(12, 8)]
    assert [row["file_name"] for row in made["images"]] == NAMES
    assert {k: made[k] for k in ("info", "categories")} == {
        k: given[k] for k in ("info", "categories")
    }
    assert audit(tmp_path / "out").is_sound


def test_only_pictures_that_were_turned_have_their_labels_moved(
    labelled: Path, tmp_path: Path
) -> None:
    save_turned(labelled / "a" / "1.png")
    i2ikit.translate(labelled, tmp_path / "out", model="echo")
    still = [2, 4, 6, 2]
    assert boxes(tmp_path / "out") == [still, [2, 2, 2, 6], *[still] * 4]


def test_shards_and_later_starts_agree_on_the_labels_of_the_set(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i2ikit.translation.plan.SHARD_INPUTS", 2)
    save_turned(labelled / "b" / "3.png")
    wanted: dict[str, Any] = {"model": "echo", "size": 4}
    i2ikit.translate(labelled, tmp_path / "whole", **wanted)
    i2ikit.translate(labelled, tmp_path / "limited", limit=3, **wanted)
    assert boxes(tmp_path / "limited")[2:4] == [[1, 2, 3, 1], [2, 4, 6, 2]]
    i2ikit.translate(labelled, tmp_path / "limited", **wanted)
    for part in range(2):
        i2ikit.translate(labelled, tmp_path / "shards", shard=(part, 2), **wanted)
    expected = tree(tmp_path / "whole")
    assert tree(tmp_path / "limited") == tree(tmp_path / "shards") == expected
    assert boxes(tmp_path / "whole")[3] == [1, 1, 1, 3]


def test_what_cannot_be_moved_fails_its_own_picture_alone(pictures: Path, tmp_path: Path) -> None:
    tree = coco(NAMES[:2])
    tree["annotations"][1]["bbox"] = [8, 4, 6, 2]
    (pictures / "coco.json").write_text(json.dumps(tree))
    summary = i2ikit.translate(pictures, tmp_path / "out", model="echo", size=4)
    assert (summary.num_failed, boxes(tmp_path / "out")) == (1, [[1, 2, 3, 1], [8, 4, 6, 2]])
    assert summary.failures[0].endswith(
        "coco.json: 'a/1.png': the box 8 4 14 6 reaches outside of 12×8"
    )


def test_a_name_that_may_be_of_two_inputs_is_refused(labelled: Path, tmp_path: Path) -> None:
    picture().save(labelled / "b" / "0.png")
    (labelled / "coco.json").write_text(json.dumps(coco(["0.png", "1.png"])))
    summary = i2ikit.translate(labelled, tmp_path / "out", model="echo", size=4)
    assert summary.num_failed == 2
    assert "'0.png' may be 'a/0' or another input" in summary.failures[0]


@pytest.mark.parametrize(
    ("name", "keys", "found"),
    [
        ("a/0.png", ["a/0", "0"], ["a/0"]),
        ("0.png", ["x/a/0", "b/1"], ["x/a/0"]),
        ("images/a/0.png", ["a/0", "b/0"], ["a/0"]),
        ("a/0.png", ["a/0.png", "a/0.jpg"], ["a/0.png"]),
        ("0.png", ["a/0", "b/0"], ["a/0", "b/0"]),
        ("0.png", ["10", "a/00"], []),
    ],
)
def test_names_in_label_files_mean_inputs(name: str, keys: list[str], found: list[str]) -> None:
    assert list(match_names([name], keys)) == [found]


def test_turned_pictures_beside_labels_that_nobody_knows_are_refused(
    pictures: Path, tmp_path: Path
) -> None:
    save_turned(pictures / "a" / "1.png")
    (pictures / "boxes.csv").write_text("file,x,y\n")
    summary = i2ikit.translate(pictures, tmp_path / "out", model="echo")
    assert summary.num_failed == 1
    assert "boxes.csv may hold coordinates" in summary.failures[0]
    assert "--label-frame shown" in summary.failures[0]
    again = i2ikit.translate(pictures, tmp_path / "shown", model="echo", label_frame="shown")
    assert again.num_failed == 0


def test_masks_and_labels_in_tars_move(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "tars").mkdir()
    masks, buffer = Image.fromarray(np.arange(96, dtype=np.uint8).reshape(8, 12)), io.BytesIO()
    masks.save(buffer, "PNG")
    with tarfile.open(tmp_path / "tars" / "a.tar", "w") as tar:
        for name, data in {
            "x.jpg": (pictures / "a" / "0.png").read_bytes(),
            "x.txt": b"0 .5 .5 1 1",
            "x.seg.png": buffer.getvalue(),
        }.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    i2ikit.translate(tmp_path / "tars", tmp_path / "out", model="echo", size=4, on_error="stop")
    assert np.array_equal(pixels(tmp_path / "out" / "x.seg.png"), np.asarray(masks)[1::2, 1::2])


def test_the_frame_is_a_setting_of_the_run(pictures: Path, tmp_path: Path) -> None:
    save_turned(pictures / "a" / "1.png")
    (pictures / "a" / "1.txt").write_text("0 0.25 0.5 0.5 1")
    out = tmp_path / "out"
    summary = i2ikit.translate(pictures, out, model="echo")
    assert "--label-frame stored" in summary.failures[0]
    i2ikit.translate(pictures, out, model="echo", label_frame="stored", restart=True)
    assert (out / "a" / "1.txt").read_text() == "0 0.500000 0.250000 1.000000 0.500000"
    with pytest.raises(UsageError, match="--label-frame turned is none of"):
        i2ikit.translate(pictures, out, model="echo", label_frame="turned")  # type: ignore[arg-type]


def test_a_run_from_before_there_were_frames_goes_on(pictures: Path, tmp_path: Path) -> None:
    i2ikit.translate(pictures, tmp_path / "out", model="echo", limit=2)
    plan = tmp_path / "out" / ".i2ikit" / "plan.json"
    head = json.loads(plan.read_text())
    del head["settings"]["label_frame"]
    plan.write_text(json.dumps(head))
    assert i2ikit.translate(pictures, tmp_path / "out", model="echo").is_complete


def test_boxes_in_the_metadata_follow_the_size(pictures: Path, tmp_path: Path) -> None:
    row = {"file_name": "a/0.png", "objects": {"bbox": [[2, 4, 6, 2]], "categories": [1]}}
    (pictures / "metadata.jsonl").write_text(json.dumps(row))
    i2ikit.translate(pictures, tmp_path / "out", model="echo", size=4)
    assert metadata(tmp_path / "out")[0]["objects"] == {"bbox": [[1, 2, 3, 1]], "categories": [1]}


@pytest.mark.parametrize("name", ["0.txt", "0.mask.png", "0.json"])
def test_a_model_that_moves_things_gets_no_labels_with_places(
    pictures: Path, tmp_path: Path, name: str
) -> None:
    buffer = io.BytesIO()
    picture().convert("L").save(buffer, "PNG")
    data = {"0.txt": b"0 .5 .5 1 1", "0.mask.png": buffer.getvalue(), "0.json": b"{}"}[name]
    fields = {}
    if name.endswith("png"):
        (tmp_path / "masks" / "a").mkdir(parents=True)
        (tmp_path / "masks" / "a" / "0.png").write_bytes(data)
        fields["mask"] = tmp_path / "masks"
    else:
        (pictures / "a" / name).write_bytes(data)
    (pictures / "a" / "1.cls").write_text("3")
    summary = i2ikit.translate(pictures, tmp_path / "out", model="mirror", fields=fields)
    assert summary.num_failed == 1
    assert "model 'mirror' moves what is in a picture" in summary.failures[0]


def test_a_model_that_moves_things_gets_no_labels_of_the_set(
    labelled: Path, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="model 'mirror' moves what is in a picture"):
        i2ikit.translate(labelled, tmp_path / "out", model="mirror")
