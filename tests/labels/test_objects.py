"""What is in a picture, read from every format."""

from __future__ import annotations

import json

import pytest

from i2ikit.errors import SampleError
from i2ikit.labels.objects import LabelledObject, is_object_file, read_named, read_objects

SIZE = (20, 10)
SQUARE = ((2.0, 4.0), (8.0, 4.0), (8.0, 6.0))
BOX = (2.0, 4.0, 8.0, 6.0)


def labelme(kind: str, points: object) -> bytes:
    shape = {"label": "cat", "shape_type": kind, "points": points}
    return json.dumps({"shapes": [shape], "imageWidth": 20, "imageHeight": 10}).encode()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("3 0.25 0.5 0.5 0.2", LabelledObject(3, (0, 4, 10, 6))),
        ("3 0.1 0.4 0.4 0.4 0.4 0.6", LabelledObject(3, BOX, (SQUARE,))),
        (
            "3 0.25 0.5 0.5 0.2 0.1 0.4 1",
            LabelledObject(3, (0, 4, 10, 6), keypoints=((2, 4, 1),)),
        ),
    ],
)
def test_yolo_is_read(line: str, found: LabelledObject) -> None:
    assert read_objects("a.txt", line.encode(), SIZE) == [found]


def test_voc_is_read() -> None:
    data = (
        b"<annotation><size><width>20</width><height>10</height></size><object><name>cat</name>"
        b"<bndbox><xmin>3</xmin><ymin>5</ymin><xmax>8</xmax><ymax>6</ymax></bndbox></object>"
        b"</annotation>"
    )
    assert read_objects("a.xml", data, SIZE) == [LabelledObject("cat", BOX)]
    with pytest.raises(SampleError, match="of a picture of 20×10, and its own has 10×20"):
        read_objects("a.xml", data, (10, 20))


@pytest.mark.parametrize(
    ("kind", "points", "found"),
    [
        ("polygon", SQUARE, LabelledObject("cat", BOX, (SQUARE,))),
        ("rectangle", [[8, 6], [2, 4]], LabelledObject("cat", BOX)),
        ("circle", [[5, 5], [5, 8]], LabelledObject("cat", (2, 2, 8, 8))),
        ("point", [[5, 6]], LabelledObject("cat", (5, 6, 5, 6), keypoints=((5, 6, 2),))),
    ],
)
def test_labelme_is_read(kind: str, points: object, found: LabelledObject) -> None:
    assert read_objects("a.json", labelme(kind, points), SIZE) == [found]


ROW = {
    "image_id": 1,
    "category_id": 5,
    "bbox": [2, 4, 6, 2],
    "segmentation": [[2, 4, 8, 4, 8, 6]],
    "keypoints": [2, 4, 2, 0, 0, 0],
}
FOUND = LabelledObject("cat", BOX, (SQUARE,), ((2.5, 4.5, 2), (0, 0, 0)))


def test_coco_of_one_picture_is_read() -> None:
    runs = {**ROW, "segmentation": {"size": [10, 20], "counts": [200]}, "keypoints": None}
    tree = {"image": {"width": 20, "height": 10}, "annotations": [runs]}
    assert read_objects("a.json", json.dumps(tree).encode(), SIZE) == [LabelledObject(5, BOX)]
    tree = {**tree, "annotations": [ROW], "categories": [{"id": 5, "name": "cat"}]}
    assert read_objects("a.json", json.dumps(tree).encode(), SIZE) == [FOUND]
    tree["categories"] = [{"id": 4, "name": "cat"}]
    with pytest.raises(SampleError, match="there is no category 5"):
        read_objects("a.json", json.dumps(tree).encode(), SIZE)


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.txt", b"a cat"), ("a.xml", b"<a/>"), ("a.json", b"[]"), ("a.npy", b"")],
)
def test_what_is_no_file_of_labels_is_said(name: str, data: bytes) -> None:
    with pytest.raises(SampleError, match=f"{name} is no file of labels"):
        read_objects(name, data, SIZE)
    assert not is_object_file(name, data)


def test_numbers_get_names() -> None:
    (found,) = read_named("a.txt", b"1 .5 .5 .5 .5", SIZE, ("cat", "dog"))
    assert found.label == "dog"
    with pytest.raises(SampleError, match=r"a\.txt: there is no name for class 2, only for 0 to 1"):
        read_named("a.txt", b"2 .5 .5 .5 .5", SIZE, ("cat", "dog"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 .1 .5 .5 .5", "the box -3 2.5 7 7.5 reaches outside of 20×10"),
        ("0 .5 .5 0 .5", "the box 10 2.5 10 7.5 is empty"),
        ("0 .5 .5 .2 .2 .5 1.2 2", "the point 10 12 reaches outside"),
    ],
)
def test_objects_lie_within_their_picture(line: str, reason: str) -> None:
    with pytest.raises(SampleError, match=reason):
        read_named("a.txt", line.encode(), SIZE, ())
