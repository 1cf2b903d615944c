"""What label files say is in their pictures, whatever their format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from i2ikit.data.sizes import Geometry
from i2ikit.errors import SampleError
from i2ikit.labels.coco import HALF, Row, is_one_picture
from i2ikit.labels.labelme import as_box, is_labelme
from i2ikit.labels.move import DAMAGE
from i2ikit.labels.places import Box, Places, Point, Size, show_size, stated_size
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
        is_crowd: whether it is several things that nobody told apart, as COCO may say.
    """

    label: str | int
    box: Box
    polygons: tuple[tuple[Point, ...], ...] = ()
    keypoints: tuple[tuple[float, float, int], ...] = ()
    is_crowd: bool = False


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


def read_named(name: str, data: bytes, size: Size, numbers: Sequence[str]) -> list[LabelledObject]:
    """Return the objects in one picture's file, all within the picture and with names as labels.

    Args:
        name: the file's; see `read_objects`.
        data: its bytes.
        size: (width, height) of the picture.
        numbers: the names of YOLO's classes, in the order of their numbers; (): the numbers serve.

    Raises:
        SampleError: it can't be read, or a class has no name; or an object reaches outside of the
            picture, or has a box without area (and no keypoints).
    """
    named = numbers if name.lower().endswith(".txt") else ()
    objects = read_objects(name, data, size)
    places = Places(name, Geometry(size, 1, size))
    for one in objects:
        if isinstance(one.label, int) and named and one.label >= len(named):
            raise SampleError(
                f"{name}: there is no name for class {one.label}, only for 0 to {len(named) - 1}"
            )
        _check_inside(one, places)
    return [
        replace(one, label=named[one.label] if isinstance(one.label, int) and named else one.label)
        for one in objects
    ]


def _check_inside(one: LabelledObject, places: Places) -> None:
    left, top, right, bottom = one.box
    places.box(*one.box)
    if not (left < right and top < bottom) and not one.keypoints:
        raise SampleError(f"{places.name}: the box {left:g} {top:g} {right:g} {bottom:g} is empty")
    seen = [(x, y) for x, y, visibility in one.keypoints if visibility]
    for x, y in chain(seen, *one.polygons):
        places.point(x, y)


def is_object_file(name: str, data: bytes) -> bool:
    """Tell whether a file is one picture's labels, of a format that `read_objects` knows."""
    try:
        match PurePosixPath(name).suffix.lower():
            case ".txt":
                return parse_yolo(data.decode("utf-8")) is not None
            case ".xml":
                return parse_voc(data) is not None
            case ".json":
                tree = json.loads(data)
                return is_labelme(tree) or is_one_picture(tree)
    except DAMAGE:
        pass
    return False


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
        return [_from_coco(row, tree.get("categories")) for row in tree["annotations"]]
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


def _from_coco(row: Row, categories: Sequence[Row] | None) -> LabelledObject:
    label = row["category_id"]
    if categories is not None:
        names = {category["id"]: category["name"] for category in categories}
        if label not in names:
            raise ValueError(f"there is no category {label}")
        label = names[label]
    segments = row.get("segmentation") or ()
    pieces = () if isinstance(segments, dict) else tuple(map(_pairs, segments))
    x, y, width, height = row["bbox"]
    flat = row.get("keypoints") or ()
    keypoints = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return LabelledObject(
        label,
        (x, y, x + width, y + height),
        pieces,
        tuple((u + HALF, v + HALF, seen) if seen else (0.0, 0.0, 0) for u, v, seen in keypoints),
        bool(row.get("iscrowd")),
    )


def _pairs(flat: Sequence[float]) -> tuple[Point, ...]:
    return tuple(zip(flat[::2], flat[1::2], strict=True))
