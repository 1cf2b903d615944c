"""Objects of pictures: their files as they came, and what these say in the terms of COCO."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from i2ikit.data.images import read_header
from i2ikit.data.samples import File
from i2ikit.data.sizes import Geometry
from i2ikit.feed.manifest import Row
from i2ikit.feed.store import Store
from i2ikit.labels.coco import HALF, is_one_picture
from i2ikit.labels.move import move_labels
from i2ikit.labels.objects import LabelledObject, read_named
from i2ikit.labels.places import LabelFrame, Point, Size, rounded


@dataclass(frozen=True)
class ObjectFile:
    """A picture's file of objects.

    Attributes:
        data: its bytes, as they were if nothing moved.
        suffix: of its name, which tells the format.
        classes: how many objects of each class it holds.
    """

    data: bytes
    suffix: str
    classes: Mapping[str, int]


def move_objects(
    file: File, geometry: Geometry | None, label_frame: LabelFrame | None = None
) -> bytes:
    """Return a file's bytes; moved if it lies over a source whose pixels moved, by `geometry`.

    Raises:
        SampleError: it can't be read or moved.
    """
    data = file.read()
    return data if geometry is None else move_labels(file.name, data, geometry, label_frame)


def read_object_file(name: str, data: bytes, size: Size, numbers: Sequence[str]) -> ObjectFile:
    """Return a file that was looked at; see `read_named` for arguments and errors."""
    found = read_named(name, data, size, numbers)
    suffix = PurePosixPath(name).suffix.lower()
    return ObjectFile(data, suffix, dict(Counter(str(one.label) for one in found)))


@dataclass(frozen=True)
class ObjectReader:
    """Reads the objects of a feed's pictures.

    Attributes:
        store: the feed's files.
        numbers: the names of YOLO's classes, of "source" and of "target".
        classes: of all objects; COCO's categories count them from 1.
    """

    store: Store
    numbers: Mapping[str, Sequence[str]]
    classes: Sequence[str]

    def read(self, row: Row) -> tuple[Size, list[LabelledObject]]:
        """Return a picture's size, and its objects with names as labels.

        Raises:
            SampleError: a file is gone, unreadable or amiss.
        """
        header = read_header(self.store.read(row.file_name), row.file_name)
        size, name = (header.width, header.height), str(row.objects)
        numbers = names_of(self.numbers, row.origin)
        return size, read_named(name, self.store.read(name), size, numbers)

    def table(self, row: Row) -> dict[str, Any]:
        """Return the boxes and names of a picture's objects, as Hugging Face has them."""
        objects = [one for one in self.read(row)[1] if not one.is_crowd]
        return {
            "bbox": [_box(one) for one in objects],
            "categories": [one.label for one in objects],
        }

    def one_picture(self, row: Row) -> dict[str, Any]:
        """Return a picture's objects as a file of COCO's for it alone; its name lacks SPLIT."""
        return self._one_picture(row, 1, 1)

    def coco(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return a file of COCO's for pictures, with ids in their order from 1."""
        images: list[Any] = []
        annotations: list[Any] = []
        for row in rows:
            one = self._one_picture(row, len(images) + 1, len(annotations) + 1)
            images.append(one["image"])
            annotations += one["annotations"]
        return {
            "images": images,
            "annotations": annotations,
            "categories": self._categories(self.classes),
        }

    def _one_picture(self, row: Row, image_id: int, first: int) -> dict[str, Any]:
        (width, height), objects = self.read(row)
        name = row.file_name.partition("/")[2]
        own = _own_rows(str(row.objects), self.store) or [{}] * len(objects)
        annotations = [
            {
                **_describe(one),
                **known,
                "id": first + place,
                "image_id": image_id,
                "category_id": self.classes.index(str(one.label)) + 1,
            }
            for place, (one, known) in enumerate(zip(objects, own, strict=True))
        ]
        image = {"id": image_id, "file_name": name, "width": width, "height": height}
        used = {str(one.label) for one in objects}
        categories = self._categories([name for name in self.classes if name in used])
        return {"image": image, "annotations": annotations, "categories": categories}

    def _categories(self, names: Sequence[str]) -> list[dict[str, Any]]:
        return [{"id": self.classes.index(name) + 1, "name": name} for name in names]


def names_of(numbers: Mapping[str, Sequence[str]], origin: str) -> tuple[str, ...]:
    """Return the names of the numbers that labels of an origin have."""
    return tuple(numbers["target" if origin == "target" else "source"])


def _own_rows(name: str, store: Store) -> list[dict[str, Any]]:
    """Return the rows of a file of COCO's, which hold more than boxes and outlines; else none."""
    tree: Any = json.loads(store.read(name)) if name.endswith(".json") else None
    if not is_one_picture(tree):
        return []
    return [{k: v for k, v in row.items() if v is not None} for row in tree["annotations"]]


def _describe(one: LabelledObject) -> dict[str, Any]:
    box, names = _box(one), {}
    if one.keypoints:
        shown = [
            (*rounded([x - HALF, y - HALF]), seen) if seen else (0, 0, 0)
            for x, y, seen in one.keypoints
        ]
        names = {
            "keypoints": list(chain.from_iterable(shown)),
            "num_keypoints": sum(seen > 0 for _, _, seen in shown),
        }
    area = sum(map(_area, one.polygons)) if one.polygons else box[2] * box[3]
    return {
        "bbox": box,
        "area": rounded([area])[0],
        "segmentation": [rounded(list(chain.from_iterable(piece))) for piece in one.polygons],
        "iscrowd": 0,
        **names,
    }


def _box(one: LabelledObject) -> list[float]:
    left, top, right, bottom = one.box
    return rounded([left, top, right - left, bottom - top])


def _area(corners: Sequence[Point]) -> float:
    """Return a polygon's area, by the shoelace formula."""
    pairs = zip(corners, [*corners[1:], *corners[:1]], strict=True)
    return abs(sum(x * v - u * y for (x, y), (u, v) in pairs)) / 2
