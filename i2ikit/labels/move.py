"""Labels of one picture that stay right when its pixels move: by file and by column."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from i2ikit.data.keys import PICTURE_SUFFIXES
from i2ikit.data.sizes import Geometry
from i2ikit.errors import SampleError
from i2ikit.labels.coco import is_one_picture, move_area, move_box, move_one_picture
from i2ikit.labels.labelme import is_labelme, move_labelme
from i2ikit.labels.masks import move_mask
from i2ikit.labels.places import (
    FindPlaces,
    LabelFrame,
    find_places,
    refuse,
    refuse_unknown,
)
from i2ikit.labels.voc import move_voc
from i2ikit.labels.yolo import move_yolo

#: A word that is a number, as two or more of them in a text make coordinates.
_NUMBER = re.compile(
    r"(?<![^\s,;()\[\]])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![^\s,;()\[\]])"
)
#: What readers of damaged or strange files raise.
DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, SyntaxError, RecursionError)


def has_places(name: str, data: bytes) -> bool:
    """Tell whether a label file may hold coordinates: a class or a caption doesn't."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".cls":
        return False
    return suffix != ".txt" or len(_NUMBER.findall(data.decode("utf-8", "replace"))) > 1


def move_labels(
    name: str, data: bytes, geometry: Geometry, label_frame: LabelFrame | None = None
) -> bytes:
    """Return a label file's bytes, its places moved as the pixels of the picture beside it.

    Known are YOLO's `.txt`, Pascal VOC's `.xml`, `.json` of LabelMe's or with one picture of
    COCO's, and masks of ids in PNG and TIFF files. A file whose places stay comes back byte for
    byte, and so do a `.cls` and a text with less than two numbers.

    Args:
        name: the file's; its suffix tells the format, and messages begin with it.
        data: its bytes.
        geometry: how the picture's pixels moved.
        label_frame: which picture it speaks of, where it doesn't tell itself: see `find_places`.

    Raises:
        SampleError: it may hold places that can't be moved, or that lie outside of the picture.
    """
    if not has_places(name, data):
        return data
    find = partial(find_places, name, geometry, label_frame)
    try:
        moved = _move(name, data, find)
    except DAMAGE as error:
        raise SampleError(f"{name} can't be read as labels: {error}") from None
    if moved is not None:
        return moved
    if label_frame == "shown" and not geometry.as_shown().is_changed:
        return data
    raise refuse(name, geometry)


def _move(name: str, data: bytes, find: FindPlaces) -> bytes | None:
    """Return the bytes moved; None if the format isn't known."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return move_mask(name, data, find)
    known = {".txt": move_yolo, ".xml": move_voc, ".json": _move_json}
    return known[suffix](data, find) if suffix in known else None


def _move_json(data: bytes, find: FindPlaces) -> bytes | None:
    tree = json.loads(data)
    move: Callable[[Any, FindPlaces], Any]
    if is_labelme(tree):
        move = move_labelme
    elif is_one_picture(tree):
        move = move_one_picture
    else:
        return None
    moved = move(tree, find)
    return data if moved is tree else dump_like(data, moved)


def dump_like(data: bytes, tree: Any) -> bytes:
    """Return a tree as JSON, laid out much as the bytes that it was read from."""
    indent = 2 if b"\n" in data.strip() else None
    return json.dumps(tree, ensure_ascii=data.isascii(), indent=indent).encode()


def move_columns(
    columns: Mapping[str, Any], key: str, geometry: Geometry, label_frame: LabelFrame | None = None
) -> dict[str, Any]:
    """Return a sample's columns, the boxes of `objects` moved.

    `objects` is what Hugging Face calls it: {"bbox": [[left, top, width, height], …], …}.

    Raises:
        SampleError: another column of lists, or boxes that can't be moved.
    """
    moved = dict(columns)
    for column, value in columns.items():
        if not isinstance(value, list | dict):
            continue
        name = f"the column '{column}' of '{key}'"
        if column == "objects" and isinstance(value, dict) and "bbox" in value:
            moved[column] = _move_objects(value, partial(find_places, name, geometry, label_frame))
        elif label_frame != "shown" or geometry.as_shown().is_changed:
            raise refuse(name, geometry)
    return moved


#: Lists beside the boxes that hold no places.
_CLASSES = ("category", "categories", "category_id", "label", "labels", "id", "iscrowd")


def _move_objects(objects: dict[str, Any], find: FindPlaces) -> dict[str, Any]:
    places = find(None)
    if not places.geometry.is_changed:
        return objects
    refuse_unknown(objects, ("bbox", "area", *_CLASSES), places)
    try:
        moved = {**objects, "bbox": [move_box(box, places) for box in objects["bbox"]]}
        if "area" in objects:
            moved["area"] = [move_area(area, places) for area in objects["area"]]
    except DAMAGE as error:
        raise SampleError(f"{places.name} can't be read as boxes: {error}") from None
    return moved
