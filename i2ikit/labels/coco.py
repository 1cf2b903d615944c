"""COCO's labels: rows for pictures, and rows for what is in them.

Boxes (left, top, width, height) and polygons have continuous positions. Keypoints name pixels, so
they lie half a pixel further; those of a mirrored picture keep their names: a left hand stays the
left hand. Masks of runs are moved if they are lists of numbers; compressed ones are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from i2ikit.data.images import Array
from i2ikit.data.sizes import move_ids
from i2ikit.errors import SampleError
from i2ikit.labels.places import FindPlaces, Places, refuse_unknown, rounded, stated_size

Row = dict[str, Any]
#: How far a keypoint's position lies from its numbers.
HALF = 0.5


def is_coco(tree: Any) -> bool:
    """Tell whether a tree of JSON is a file of COCO's, with rows for several pictures."""
    return isinstance(tree, dict) and all(
        isinstance(tree.get(name), list) for name in ("images", "annotations")
    )


def is_one_picture(tree: Any) -> bool:
    """Tell whether a tree of JSON is a picture's row and those of what is in it."""
    return (
        isinstance(tree, dict)
        and isinstance(tree.get("image"), dict)
        and isinstance(tree.get("annotations"), list)
    )


def move_one_picture(tree: Row, find: FindPlaces) -> Row:
    """Return the tree of one picture with its places moved; the same one where nothing moves."""
    image, annotations = move_image(tree["image"], tree["annotations"], find)
    if image is tree["image"]:
        return tree
    return {**tree, "image": image, "annotations": annotations}


def move_image(
    image: Row, annotations: Sequence[Row], find: FindPlaces
) -> tuple[Row, Sequence[Row]]:
    """Return a picture's row and its annotations, moved; the same ones where nothing moves."""
    places = find(stated_size(image.get("width"), image.get("height")))
    if not places.geometry.is_changed:
        return image, annotations
    refuse_unknown(image, (), places)
    width, height = places.geometry.size
    sides = {key: side for key, side in (("width", width), ("height", height)) if key in image}
    return {**image, **sides}, [move_annotation(row, places) for row in annotations]


def move_annotation(row: Row, places: Places) -> Row:
    """Return an object's row with its places moved, all else as it was."""
    refuse_unknown(row, tuple(_MOVERS), places)
    moved = {
        key: move(row[key], places) for key, move in _MOVERS.items() if row.get(key) is not None
    }
    return {**row, **moved}


def move_box(values: Sequence[float], places: Places) -> list[float]:
    """Return a box, as left, top, width and height, moved."""
    x, y, width, height = values
    left, top, right, bottom = places.box(x, y, x + width, y + height)
    return rounded([left, top, right - left, bottom - top])


def move_area(area: float, places: Places) -> float:
    """Return how many pixels an area has in the output."""
    (width, height), (wide, high) = places.geometry.source_size, places.geometry.size
    return rounded([area * wide * high / (width * height)])[0]


def _move_keypoints(values: Sequence[float], places: Places) -> list[float]:
    moved: list[float] = []
    for i in range(0, len(values), 3):
        x, y, visibility = values[i : i + 3]
        if visibility:
            x, y = rounded([side - HALF for side in places.point(x + HALF, y + HALF)])
        moved += [x, y, visibility]
    return moved


def _move_segments(segments: Any, places: Places) -> Any:
    if isinstance(segments, dict):
        return _move_runs(segments, places)
    return [_move_polygon(polygon, places) for polygon in segments]


def _move_polygon(polygon: Sequence[float], places: Places) -> list[float]:
    return [
        side
        for i in range(0, len(polygon), 2)
        for side in rounded(places.point(*polygon[i : i + 2]))
    ]


def _move_runs(segment: Row, places: Places) -> Row:
    if not isinstance(segment["counts"], list):
        raise SampleError(
            f"{places.name} holds a compressed mask of runs, and the picture's geometry changes",
            hint="write its counts as a list of numbers, or its masks as polygons",
        )
    height, width = segment["size"]
    if (width, height) != places.geometry.source_size:
        raise ValueError(f"a mask of runs is {width}×{height}, its picture is not")
    moved = move_ids(decode_runs(segment["counts"], width, height), places.geometry)
    return {**segment, "size": list(moved.shape), "counts": encode_runs(moved)}


def decode_runs(counts: Sequence[int], width: int, height: int) -> Array:
    """Return the mask, (H, W) of 0 and 1, of runs down its columns; the first are of zeros."""
    flat = np.repeat(np.arange(len(counts), dtype=np.int32) % 2, counts)
    return flat.reshape(width, height).T


def encode_runs(mask: Array) -> list[int]:
    """Return the runs of a mask."""
    flat = mask.T.ravel()
    bounds = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
    runs = [end - start for start, end in pairwise(bounds)]
    return [0, *runs] if flat[0] else runs


_MOVERS: dict[str, Callable[[Any, Places], Any]] = {
    "bbox": move_box,
    "segmentation": _move_segments,
    "keypoints": _move_keypoints,
    "area": move_area,
}
