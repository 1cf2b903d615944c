"""YOLO's labels: a line an object, its class and numbers in units of the picture's sides.

- 4 numbers: a box, by its centre, width and height.
- More: a polygon, corner by corner (an oriented box is one of four corners), or a pose: a box, and
  keypoints of two numbers or three, the third being 0 (not labelled), 1 (hidden) or 2 (visible).

Poses and polygons look alike. All longer lines of a file are poses of three numbers a keypoint if
they are equally long and every third number says such a visibility; otherwise they are polygons. If
they could as well be poses of two numbers a keypoint (equally long, their boxes in the picture and
their keypoints in or near these boxes), nobody can tell: they are carried where nothing turns, as
scaling changes no number of such a file, and refused where something does.

Keypoints of a mirrored picture keep their names: a left hand stays the left hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from i2ikit.errors import SampleError
from i2ikit.labels.places import Box, FindPlaces, Places, Point

_BOX = 4
_VISIBILITIES = (0, 1, 2)
Layout: TypeAlias = Literal["pose", "polygon", "either"]


@dataclass(frozen=True)
class Line:
    """An object: its class, and the numbers that say where it is."""

    label: int
    values: tuple[float, ...]


def parse_yolo(text: str) -> list[Line] | None:
    """Return the objects of a file; None if it isn't one of YOLO's.

    Raises:
        ValueError: it is, but a line has too few or too many numbers.
    """
    lines = []
    for words in filter(None, map(str.split, text.splitlines())):
        try:
            label, *values = map(float, words)
        except ValueError:
            return None
        if label < 0 or label != int(label):
            return None
        if len(values) < _BOX:
            raise ValueError(f"a line of YOLO's has {len(values)} numbers after its class")
        lines.append(Line(int(label), tuple(values)))
    return lines


def find_layout(lines: Sequence[Line]) -> Layout:
    """Return what the lines of more than four numbers are.

    Raises:
        ValueError: a line is neither a polygon nor a pose.
    """
    longer = [line.values for line in lines if len(line.values) > _BOX]
    are_even = len(set(map(len, longer))) == 1
    if are_even and all(map(_is_pose, longer)):
        return "pose"
    odd = next((values for values in longer if len(values) % 2), None)
    if odd:
        raise ValueError(f"a line of {len(odd)} numbers is neither a polygon nor a pose of YOLO's")
    return "either" if are_even and all(map(_may_be_pose, longer)) else "polygon"


def _is_pose(values: Sequence[float]) -> bool:
    points = values[_BOX:]
    return len(points) % 3 == 0 and all(number in _VISIBILITIES for number in points[2::3])


def _may_be_pose(values: Sequence[float]) -> bool:
    """Tell whether numbers make a box in the picture, with points that lie in it or near."""
    x, y, width, height = values[:_BOX]
    points = list(zip(values[_BOX::2], values[_BOX + 1 :: 2], strict=True))
    is_inside = width / 2 <= min(x, 1 - x) and height / 2 <= min(y, 1 - y)
    return is_inside and all(
        (u, v) == (0, 0) or (abs(u - x) <= width and abs(v - y) <= height) for u, v in points
    )


def move_yolo(data: bytes, find: FindPlaces) -> bytes | None:
    """Return a file's bytes with its places moved; None if it isn't one of YOLO's."""
    text = data.decode("utf-8")
    lines = parse_yolo(text)
    if lines is None:
        return None
    places, layout = find(None), find_layout(lines)
    is_turned = places.geometry.orientation != 1
    if layout == "either" and is_turned:
        raise SampleError(
            f"{places.name} may hold polygons, or poses of two numbers a keypoint, and the picture"
            " is turned",
            hint="undo its EXIF rotation first",
        )
    moved = [_move(line.values, layout, places) for line in lines]
    if not is_turned:  # a share of the picture's sides stays what it is
        return data
    rows = text.splitlines(keepends=True)
    for index, values in zip((i for i, row in enumerate(rows) if row.strip()), moved, strict=True):
        row = rows[index]
        label, *words = row.split()
        written = (
            word if float(word) == value else f"{value:.6f}"
            for word, value in zip(words, values, strict=True)
        )
        rows[index] = " ".join([label, *written]) + row[len(row.rstrip()) :]
    return "".join(rows).encode()


def _move(values: Sequence[float], layout: Layout, places: Places) -> list[float]:
    if len(values) > _BOX and layout != "pose":
        points = zip(values[::2], values[1::2], strict=True)
        return [side for x, y in points for side in _move_point(x, y, places)]
    moved = _move_box(values[:_BOX], places)
    for i in range(_BOX, len(values), 3):
        x, y, visibility = values[i : i + 3]
        moved += [*(_move_point(x, y, places) if visibility else (x, y)), visibility]
    return moved


def _move_point(x: float, y: float, places: Places) -> Point:
    (width, height), (wide, high) = places.geometry.source_size, places.geometry.size
    u, v = places.point(x * width, y * height)
    return u / wide, v / high


def _move_box(values: Sequence[float], places: Places) -> list[float]:
    (width, height), (wide, high) = places.geometry.source_size, places.geometry.size
    left, top, right, bottom = places.box(*corners(values, width, height))
    return [
        (left + right) / 2 / wide,
        (top + bottom) / 2 / high,
        (right - left) / wide,
        (bottom - top) / high,
    ]


def corners(values: Sequence[float], width: int, height: int) -> Box:
    """Return a box's left, top, right and bottom in pixels."""
    x, y, w, h = values
    return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height
