"""Pascal VOC's labels: an XML file a picture.

VOC counts pixels from 1, and a box holds its last pixel: a box of the first pixel alone is 1 1 1 1.
A file in which a box begins at 0 counts from 0 and leaves the end out, as several programs write
it. A corner of a polygon is the centre of its pixel, in a file that counts from 0 the position.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from i2ikit.labels.places import (
    Box,
    FindPlaces,
    Places,
    Point,
    Size,
    as_text,
    refuse,
    stated_size,
)

_EDGES = ("xmin", "ymin", "xmax", "ymax")
#: What may hold numbers that are no places.
_HARMLESS = {
    *("folder", "filename", "path", "source", "owner", "segmented", "size"),
    *("name", "pose", "truncated", "occluded", "difficult", "actions", "attributes"),
}


@dataclass(frozen=True)
class Voc:
    """A file of labels.

    Attributes:
        root: its tree, changed in place by `move_voc`.
        first: the number that the first pixel has: 1, or 0.
    """

    root: ET.Element
    first: int

    @property
    def size(self) -> Size | None:
        """The size that it states for its picture."""
        return stated_size(self.root.findtext("size/width"), self.root.findtext("size/height"))

    def box(self, element: ET.Element) -> Box:
        """Return the place of a `bndbox`."""
        left, top, right, bottom = (float(element.findtext(edge, "")) for edge in _EDGES)
        return left - self.first, top - self.first, right, bottom

    def points(self, element: ET.Element) -> Iterator[tuple[ET.Element, ET.Element, Point]]:
        """Yield each corner of a `polygon`: its two elements, and its place."""
        shift = self.first / 2
        for number in range(1, len(element) // 2 + 1):
            x, y = element.find(f"x{number}"), element.find(f"y{number}")
            if x is None or y is None:
                raise ValueError(f"a polygon has no x{number} or y{number}")
            yield x, y, (float(x.text or "") - shift, float(y.text or "") - shift)


def parse_voc(data: bytes) -> Voc | None:
    """Return a file's labels; None if it isn't one of Pascal VOC's.

    Raises:
        ValueError, ParseError: it can't be read.
    """
    builder = ET.TreeBuilder(insert_comments=True)
    root = ET.fromstring(data, ET.XMLParser(target=builder))
    if root.tag != "annotation":
        return None
    starts = [float(box.findtext(edge, "")) for box in root.iter("bndbox") for edge in _EDGES[:2]]
    return Voc(root, 0 if min(starts, default=1) < 1 else 1)


def move_voc(data: bytes, find: FindPlaces) -> bytes | None:
    """Return a file's bytes with its places moved; None if it isn't one of Pascal VOC's."""
    voc = parse_voc(data)
    if voc is None:
        return None
    places = find(voc.size)
    if not places.geometry.is_changed:
        return data
    _move(voc, voc.root, places)
    if (size := voc.root.find("size")) is not None:
        for side, value in zip(("width", "height"), places.geometry.size, strict=True):
            _write(size, side, value)
    head = '<?xml version="1.0" encoding="utf-8"?>\n' if data.lstrip().startswith(b"<?xml") else ""
    end = "\n" if data.endswith(b"\n") else ""
    return (head + ET.tostring(voc.root, encoding="unicode").rstrip() + end).encode()


def _move(voc: Voc, element: ET.Element, places: Places) -> None:
    """Move what lies below an element."""
    for child in element:
        if child.tag == "bndbox":
            left, top, right, bottom = places.box(*voc.box(child))
            moved = (left + voc.first, top + voc.first, right, bottom)
            for edge, value in zip(_EDGES, moved, strict=True):
                _write(child, edge, value)
        elif child.tag == "polygon":
            for x, y, point in voc.points(child):
                u, v = places.point(*point)
                x.text, y.text = as_text(u + voc.first / 2), as_text(v + voc.first / 2)
        elif child.tag in ("object", "part"):
            _move(voc, child, places)
        elif isinstance(child.tag, str) and child.tag not in _HARMLESS and _has_numbers(child):
            raise refuse(places.name, places.geometry, f": <{child.tag}>")


def _write(element: ET.Element, tag: str, value: float) -> None:
    child = element.find(tag)
    if child is not None:
        child.text = as_text(value)


def _has_numbers(element: ET.Element) -> bool:
    return any(letter.isdigit() for text in element.itertext() for letter in text)
