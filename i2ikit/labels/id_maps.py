"""Maps from the ids that masks hold to the classes that a network is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2ikit.data.images import Array
from i2ikit.data.manifests import read_rows
from i2ikit.errors import SampleError, SourceError, UsageError, counted

#: The class of pixels that don't count, as Cityscapes' training ids have it.
IGNORED = 255
_IDS = 1 << 16

_CITYSCAPES_19 = {
    7: "road",
    8: "sidewalk",
    11: "building",
    12: "wall",
    13: "fence",
    17: "pole",
    19: "traffic light",
    20: "traffic sign",
    21: "vegetation",
    22: "terrain",
    23: "sky",
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
_CITYSCAPES_UNLABELLED = (*(i for i in range(34) if i not in _CITYSCAPES_19), IGNORED)


@dataclass(frozen=True)
class IdMap:
    """Which class each id of a mask is.

    Attributes:
        name: as the user gave it.
        table: class by id; `IGNORED` where it doesn't count.
        names: of the classes that have one.
    """

    name: str
    table: Mapping[int, int]
    names: Mapping[int, str]

    def apply(self, ids: Array, name: str) -> Array:
        """Return the classes, (H, W) int32, of a mask's ids.

        Raises:
            SampleError: an id that the map doesn't know.
        """
        known = np.full(_IDS, -1, np.int32)
        known[list(self.table)] = list(self.table.values())
        classes = known[ids]
        if (unknown := ids[classes < 0]).size:
            found, counts = np.unique(unknown, return_counts=True)
            listed = ", ".join(map(str, found[:5])) + (", …" if len(found) > 5 else "")
            raise SampleError(
                f"{name}: ids that --map {self.name} doesn't know: {listed}",
                hint=f"{counted(int(counts.sum()), 'such pixel')}; a CSV can give them a class, or"
                f" {IGNORED} to leave them out",
            )
        return classes


def open_id_map(text: str) -> IdMap:
    """Return the map called `cityscapes19`, or the one in a CSV with columns id, class and name.

    Cityscapes' 34 ids (which GTA5 uses, too) become its 19 training ids; the others are ignored.
    The column `name` may be left out; a class of 255 is ignored.

    Raises:
        UsageError: there is no such map.
        SourceError: the file can't be read; the message has the line.
    """
    if text == "cityscapes19":
        table = dict.fromkeys(_CITYSCAPES_UNLABELLED, IGNORED)
        table |= {label: place for place, label in enumerate(_CITYSCAPES_19)}
        return IdMap(text, table, dict(enumerate(_CITYSCAPES_19.values())))
    if Path(text).suffix.lower() != ".csv":
        raise UsageError(
            f"--map {text} is no map", hint="cityscapes19, or a .csv with columns id,class[,name]"
        )
    table, names = {}, {}
    for where, row in read_rows(Path(text)):
        label, place = (_read_id(where, row, column) for column in ("id", "class"))
        if label in table:
            raise SourceError(f"{where}: id {label} has class {table[label]} already")
        table[label] = place
        if row.get("name"):
            names[place] = row["name"]
    if not table:
        raise SourceError(f"{text} has no rows")
    return IdMap(text, table, names)


def _read_id(where: str, row: Mapping[str, Any], column: str) -> int:
    text = row.get(column)
    top = _IDS if column == "id" else IGNORED + 1
    if text is None or not text.isdecimal() or int(text) >= top:
        raise SourceError(f"{where}: column '{column}' holds {text!r}, not a number below {top}")
    return int(text)
