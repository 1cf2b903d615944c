"""Where the objects of a picture are found, in a set of any kind."""

from __future__ import annotations

import json

import pytest

from i2ikit.data.samples import File, Sample
from i2ikit.errors import SampleError, SourceError
from i2ikit.labels.set_objects import open_objects, read_class_names

KEYS = ("x/a", "y/a", "y/b")
YOLO = File("b.txt", b"0 .5 .5 1 1")


def coco(*names: str) -> File:
    images = [{"id": place, "file_name": name} for place, name in enumerate(names)]
    row = {"image_id": 0, "category_id": 3, "bbox": [0, 0, 1, 1]}
    classes = [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}]
    tree = {"images": images, "annotations": [row], "categories": classes}
    return File("coco.json", json.dumps(tree).encode())


def sample(key: str, **beside: File) -> Sample:
    return Sample(key, {}, {f".{end}": file for end, file in beside.items()})


def test_a_picture_gets_its_part_of_a_file_for_all() -> None:
    found = open_objects("objects", {"coco.json": coco("y/b.jpg", "x/a.jpg")}, KEYS)
    file = found.find(sample("y/b", txt=YOLO))
    assert isinstance(file, File)
    tree = json.loads(file.read())
    assert tree["image"] == {"id": 0, "file_name": "y/b.jpg"}
    assert [row["bbox"] for row in tree["annotations"]] == [[0, 0, 1, 1]]
    assert tree["categories"] == [{"id": 3, "name": "cat"}]
    other = found.find(sample("x/a"))
    assert isinstance(other, File)
    assert json.loads(other.read())["annotations"] == []


def test_a_name_that_fits_two_pictures_is_told_of_neither() -> None:
    found = open_objects("objects", {"coco.json": coco("a.jpg", "z.jpg")}, KEYS)
    with pytest.raises(SampleError, match=r"'a\.jpg' of coco\.json may be 'y/a' or another"):
        found.find(sample("y/a"))
    assert found.strays(KEYS, "out") == ["'z.jpg' of coco.json has no picture in out"]


def test_rows_of_coco_that_cannot_be_read_are_named() -> None:
    with pytest.raises(SampleError, match=r"coco\.json can't be read as labels: 'file_name'"):
        open_objects(
            "objects",
            {"coco.json": File("coco.json", b'{"images": [{"id": 1}], "annotations": []}')},
            KEYS,
        )


def test_other_files_of_the_set_are_no_labels() -> None:
    carried = {
        "info.json": File("info.json", b"{}"),
        "half.json": File("half.json", b"{"),
        "train.txt": File("train.txt", b"y/b.jpg"),
        "y/lost.txt": File("y/lost.txt", b"0 .5 .5 1 1"),
    }
    found = open_objects("objects", carried, KEYS)
    assert found.find(sample("y/b", txt=YOLO)) is YOLO
    assert found.strays(KEYS, "out") == ["'y/lost.txt' of the labels has no picture in out"]


@pytest.mark.parametrize("name", ["classes.txt", "data/obj.names"])
def test_lists_of_names_are_found_by_their_name(name: str) -> None:
    assert read_class_names({name: File(name, b"cat \r\ndog\n\n"), "x.txt": YOLO}) == ("cat", "dog")
    assert read_class_names({"x.txt": YOLO}) == ()
    with pytest.raises(SourceError, match="give classes different names"):
        read_class_names({name: File(name, b"cat"), "y/classes.txt": File("", b"dog")})
