"""What label files say is in their pictures, whatever their format."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from i2ikit.errors import SampleError
from i2ikit.labels.coco import HALF, Row, is_coco, is_one_picture
from i2ikit.labels.labelme import as_box, is_labelme
from i2ikit.labels.move import DAMAGE
from i2ikit.labels.places import Box, Point, Size, show_size, stated_size
from i2ikit.labels.voc import Voc, parse_voc
from i2ikit.labels.yolo import corners, find_layout, parse_yolo


@dataclass(frozen=True)
class LabelledObject:
    """Something in a picture; positions are continuous, in pixels from its upper left corner.

    Attributes:
        label: its class, by name or, where the file has no names, by number.
        box: left, top, right, bottom.
        polygons: its outline, in one piece or several.
        keypoints: x, y, and 0: not labelled, 1: hidden, 2: visible.
    """

    label: str | int
    box: Box
    polygons: tuple[tuple[Point, ...], ...] = ()
    keypoints: tuple[tuple[float, float, int], ...] = ()


def read_objects(name: str, data: bytes, size: Size) -> list[LabelledObject]:
    """Return the objects in one picture's file of labels.

    Known are YOLO's `.txt` (numbers that may be polygons or poses of two numbers a keypoint are
    read as polygons), Pascal VOC's `.xml`, and `.json` of LabelMe's or with one picture of COCO's
    (masks of runs are left out).

    Args:
        name: the file's.
        data: its bytes.
        size: (width, height) of the picture.

    Raises:
        SampleError: none of these, or for a picture of another size.
    """
    suffix = PurePosixPath(name).suffix.lower()
    try:
        if suffix == ".txt" and (lines := parse_yolo(data.decode("utf-8"))) is not None:
            layout = find_layout(lines)
            return [_from_yolo(line.label, line.values, layout, size) for line in lines]
        if suffix == ".xml" and (voc := parse_voc(data)) is not None:
            _check(name, voc.size, size)
            return _from_voc(voc)
        if suffix == ".json":
            return _from_json(name, json.loads(data), size)
    except DAMAGE as error:
        raise SampleError(f"{name} can't be read as labels: {error}") from None
    raise _unknown(name)


def read_set_objects(name: str, data: bytes) -> dict[str, list[LabelledObject]]:
    """Return the objects in a file of COCO's by the file names of its pictures.

    Raises:
        SampleError: it is none.
    """
    try:
        tree = json.loads(data)
        if not is_coco(tree):
            raise _unknown(name)
        names = {row["id"]: row["name"] for row in tree.get("categories", ())}
        rows: dict[Any, list[Row]] = defaultdict(list)
        for row in tree["annotations"]:
            rows[row["image_id"]].append(row)
        return {
            image["file_name"]: [_from_coco(row, names) for row in rows[image["id"]]]
            for image in tree["images"]
        }
    except DAMAGE as error:
        raise SampleError(f"{name} can't be read as labels: {error}") from None


def _unknown(name: str) -> SampleError:
    return SampleError(f"{name} is no file of labels: YOLO's, Pascal VOC's, LabelMe's or COCO's")


def _check(name: str, stated: Size | None, size: Size) -> None:
    """Do nothing if a file is for a picture of this size."""
    if stated not in (None, size):
        raise SampleError(
            f"{name} speaks of a picture of {show_size(stated)}, and its own has {show_size(size)}"
        )


def _from_json(name: str, tree: Any, size: Size) -> list[LabelledObject]:
    if is_labelme(tree):
        _check(name, stated_size(tree.get("imageWidth"), tree.get("imageHeight")), size)
        return [_from_shape(shape) for shape in tree["shapes"]]
    if is_one_picture(tree):
        _check(name, stated_size(tree["image"].get("width"), tree["image"].get("height")), size)
        names = {row["id"]: row["name"] for row in tree.get("categories", ())}
        return [_from_coco(row, names) for row in tree["annotations"]]
    raise _unknown(name)


def _from_yolo(label: int, values: Sequence[float], layout: str, size: Size) -> LabelledObject:
    width, height = size
    if len(values) > 4 and layout != "pose":
        points = [(x * width, y * height) for x, y in zip(values[::2], values[1::2], strict=True)]
        return LabelledObject(label, as_box(points), (tuple(points),))
    keypoints = zip(values[4::3], values[5::3], values[6::3], strict=True)
    return LabelledObject(
        label,
        corners(values[:4], width, height),
        keypoints=tuple((x * width, y * height, int(seen)) for x, y, seen in keypoints),
    )


def _from_voc(voc: Voc) -> list[LabelledObject]:
    found = []
    for element in voc.root.iter("object"):
        box, polygon = element.find("bndbox"), element.find("polygon")
        points = () if polygon is None else tuple(place for _, _, place in voc.points(polygon))
        place = as_box(points) if box is None else voc.box(box)
        found.append(
            LabelledObject(element.findtext("name", ""), place, (points,) if points else ())
        )
    return found


def _from_shape(shape: Mapping[str, Any]) -> LabelledObject:
    kind, points = shape.get("shape_type") or "polygon", tuple((x, y) for x, y in shape["points"])
    box = as_box(points)
    if kind == "circle":
        (x, y), (u, v) = points
        radius = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
        box = (x - radius, y - radius, x + radius, y + radius)
    if kind == "point":
        return LabelledObject(shape["label"], box, keypoints=((*points[0], 2),))
    return LabelledObject(shape["label"], box, (points,) if kind == "polygon" else ())


def _from_coco(row: Row, names: Mapping[int, str]) -> LabelledObject:
    segments = row.get("segmentation") or ()
    pieces = () if isinstance(segments, dict) else tuple(map(_pairs, segments))
    x, y, width, height = row["bbox"]
    flat = row.get("keypoints") or ()
    keypoints = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return LabelledObject(
        names.get(row["category_id"], row["category_id"]),
        (x, y, x + width, y + height),
        pieces,
        tuple((u + HALF, v + HALF, seen) if seen else (0.0, 0.0, 0) for u, v, seen in keypoints),
    )


def _pairs(flat: Sequence[float]) -> tuple[Point, ...]:
    return tuple(zip(flat[::2], flat[1::2], strict=True))
