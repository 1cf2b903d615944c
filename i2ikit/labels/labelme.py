"""LabelMe's labels: a JSON file a picture, with shapes made of points at continuous positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from i2ikit.labels.places import (
    Box,
    FindPlaces,
    Places,
    refuse,
    refuse_unknown,
    rounded,
    stated_size,
)

#: Shapes that are still of their kind when each of their points has moved.
_BY_POINTS = ("polygon", "line", "linestrip", "point", "points", "circle")
_KNOWN = ("shapes", "flags", "lineColor", "fillColor")
_KNOWN_OF_SHAPE = ("points", "flags", "line_color", "fill_color")


def is_labelme(tree: Any) -> bool:
    """Tell whether a tree of JSON is a file of LabelMe's."""
    return isinstance(tree, dict) and isinstance(tree.get("shapes"), list)


def move_labelme(tree: dict[str, Any], find: FindPlaces) -> dict[str, Any]:
    """Return a file's tree with its places moved; the same one where nothing moves.

    The copy of the picture that it may hold (`imageData`) is left out: it is not the output.
    """
    places = find(stated_size(tree.get("imageWidth"), tree.get("imageHeight")))
    if not places.geometry.is_changed:
        return tree
    refuse_unknown(tree, _KNOWN, places)
    width, height = places.geometry.size
    fresh = {"imageWidth": width, "imageHeight": height, "imageData": None}
    return {
        **tree,
        "shapes": [_move(shape, places) for shape in tree["shapes"]],
        **{key: value for key, value in fresh.items() if tree.get(key) is not None},
    }


def _move(shape: dict[str, Any], places: Places) -> dict[str, Any]:
    kind = shape.get("shape_type") or "polygon"
    refuse_unknown(shape, _KNOWN_OF_SHAPE, places)
    points = shape["points"]
    if kind == "rectangle" and len(points) == 2:
        left, top, right, bottom = rounded(places.box(*as_box(points)))
        return {**shape, "points": [[left, top], [right, bottom]]}
    if kind not in (*_BY_POINTS, "rectangle"):
        raise refuse(places.name, places.geometry, f": a shape of type '{kind}'")
    return {**shape, "points": [rounded(places.point(x, y)) for x, y in points]}


def as_box(points: Sequence[Sequence[float]]) -> Box:
    """Return the box that holds points: left, top, right, bottom."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)
