"""Places in pictures: which picture a file of labels speaks of, and where its places move.

Positions are continuous: a pixel is a unit square, the picture's corner is (0, 0). What a format
means by its numbers is the business of its module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from i2ikit.data.sizes import Geometry
from i2ikit.errors import SampleError

#: Which picture labels speak of: the file's pixels, or what a viewer shows (EXIF rotation undone).
LabelFrame: TypeAlias = Literal["stored", "shown"]
Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom
Size: TypeAlias = tuple[int, int]  # width, height

#: Labels may reach outside of their picture by so many pixels.
_SLACK = 0.5
#: JSON's numbers are rounded to so many digits after the point.
_DIGITS = 3


@dataclass(frozen=True)
class Places:
    """Takes the places that a file of labels names to where they lie in the output.

    Attributes:
        name: the file's, for messages.
        geometry: of the picture that it speaks of.
    """

    name: str
    geometry: Geometry

    def point(self, x: float, y: float) -> Point:
        """Return where a position lies in the output.

        Raises:
            SampleError: it lies outside of the picture.
        """
        self._check((x, y), f"the point {x:g} {y:g}")
        return self.geometry.point(x, y)

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return where a box lies in the output: a box again, as pictures turn by right angles.

        Raises:
            SampleError: it reaches outside of the picture.
        """
        for corner in ((left, top), (right, bottom)):
            self._check(corner, f"the box {left:g} {top:g} {right:g} {bottom:g}")
        x, y = self.geometry.point(left, top)
        u, v = self.geometry.point(right, bottom)
        return min(x, u), min(y, v), max(x, u), max(y, v)

    def _check(self, position: Point, what: str) -> None:
        sides = self.geometry.source_size
        for value, side in zip(position, sides, strict=True):
            if not -_SLACK <= value <= side + _SLACK:  # NaN is outside, too
                raise SampleError(f"{self.name}: {what} reaches outside of {sides[0]}×{sides[1]}")


#: Gives the places of a file, given the size that it states for its picture, if it states one.
FindPlaces: TypeAlias = Callable[[Size | None], Places]


def find_places(
    name: str, geometry: Geometry, label_frame: LabelFrame | None, stated: Size | None
) -> Places:
    """Return what moves the places of a file, given how the picture beside it moved.

    A size that the file states tells whether it speaks of the picture as stored or as shown, unless
    both have that size; then, and where none is stated, `label_frame` says it.

    Raises:
        SampleError: it states another size, or can't be told.
    """
    frames = {"stored": geometry, "shown": geometry.as_shown()}
    fitting = {way: g for way, g in frames.items() if stated in (None, g.source_size)}
    if stated is not None and not fitting:
        own = " or ".join(dict.fromkeys(show_size(g.source_size) for g in frames.values()))
        raise SampleError(
            f"{name} speaks of a picture of {show_size(stated)}, and its own has {own}"
        )
    if len(set(fitting.values())) > 1:
        if label_frame is None:
            raise SampleError(
                f"{name} doesn't tell whether it speaks of the picture before or after its EXIF"
                " rotation",
                hint="--label-frame stored: before; --label-frame shown: after",
            )
        return Places(name, fitting[label_frame])
    return Places(name, next(iter(fitting.values())))


def show_size(size: Size) -> str:
    """Return a size for a message: `640×480`."""
    return f"{size[0]}×{size[1]}"


def stated_size(width: Any, height: Any) -> Size | None:
    """Return the size that a file states, if it does; text counts as numbers."""
    return None if width is None or height is None else (int(width), int(height))


def refuse(name: str, geometry: Geometry, what: str = "") -> SampleError:
    """Return the error for labels that may hold places nobody can move."""
    ways = ["leave out --size"] if geometry.as_shown().is_changed else []
    if geometry.orientation != 1:
        ways.append(
            "undo the picture's EXIF rotation, or --label-frame shown if they fit what it shows"
        )
    return SampleError(
        f"{name}{what} may hold coordinates, and the picture's geometry changes",
        hint=", and ".join(ways),
    )


def refuse_unknown(row: Mapping[str, Any], known: Sequence[str], places: Places) -> None:
    """Do nothing if what a row holds besides `known` keys can be no places.

    Raises:
        SampleError: an unknown list or mapping holds numbers.
    """
    for key, value in row.items():
        if key not in known and isinstance(value, list | dict) and count_numbers(value) > 1:
            raise refuse(places.name, places.geometry, f": '{key}'")


def count_numbers(tree: Any) -> int:
    """Return how many numbers a tree of JSON holds."""
    if isinstance(tree, list | dict):
        return sum(map(count_numbers, tree.values() if isinstance(tree, dict) else tree))
    return isinstance(tree, int | float) and not isinstance(tree, bool)


def rounded(values: Sequence[float]) -> list[float]:
    """Return positions as JSON holds them."""
    return [round(value, _DIGITS) + 0.0 for value in values]  # no -0.0


def as_text(value: float) -> str:
    """Return a position as XML holds it: `12`, `12.5`."""
    return f"{rounded([value])[0]:.{_DIGITS}f}".rstrip("0").rstrip(".")
