"""Where the objects of a set's pictures are: in a file beside each, or in COCO's of the set."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from i2ikit.data.keys import split_picture
from i2ikit.data.samples import File, Sample
from i2ikit.errors import SampleError, SourceError
from i2ikit.labels.coco import Row, is_coco
from i2ikit.labels.finding import Labels
from i2ikit.labels.move import DAMAGE
from i2ikit.labels.objects import is_object_file
from i2ikit.labels.whole_set import match_names

OBJECTS: Final = "objects"
#: What may follow a picture's key in the name of its file of objects.
ENDS = (".txt", ".xml", ".json")
_CLASS_LISTS = ("classes.txt", "obj.names")


def are_objects(how: str) -> bool:
    """Tell whether LABELS means objects: `objects`, or a file of COCO's."""
    return how == OBJECTS or how.lower().endswith(".json")


def open_objects(how: str, carried: Mapping[str, File], keys: Collection[str]) -> Labels:
    """Return what finds the file of a sample's objects.

    - `objects`: its sidecar of YOLO's, Pascal VOC's, LabelMe's or COCO's; or, if files of COCO's
      are carried along for the whole set, what these say of it: a file of COCO's for one picture.
    - `FILE.json`: what this file of COCO's says of it.

    Args:
        how: one of these.
        carried: files of the whole set, by name.
        keys: of all pictures: file names in COCO's may leave folders out.

    Raises:
        SourceError: the file is none of COCO's.
        SampleError: it can't be read.
    """
    if how != OBJECTS:
        file = File(how, Path(how))
        if (tree := _read_coco(file)) is None:
            raise SourceError(f"{how} is no file of COCO's, with images and annotations")
        return _list({file.name: tree}, keys)
    files = [file for name, file in carried.items() if name.lower().endswith(".json")]
    trees = {file.name: tree for file in files if (tree := _read_coco(file)) is not None}
    if trees:
        return _list(trees, keys)
    loose = [
        name
        for name, file in carried.items()
        if name.lower().endswith(ENDS) and is_object_file(name, file.read())
    ]
    return Labels(OBJECTS, _beside, loose, "the labels")


def read_class_names(carried: Mapping[str, File]) -> tuple[str, ...]:
    """Return the names of YOLO's classes in the order of their numbers; () if no list has them.

    Raises:
        SourceError: two lists differ.
        SampleError: a list can't be read.
    """
    lists: dict[tuple[str, ...], str] = {}
    for name, file in carried.items():
        if name.rpartition("/")[2] in _CLASS_LISTS:
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
            lists[tuple(map(str.strip, lines))] = name
    if len(lists) > 1:
        raise SourceError(f"{' and '.join(lists.values())} give classes different names")
    return next(iter(lists), ())


def _beside(sample: Sample) -> File:
    files = [sample.sidecars[end] for end in ENDS if end in sample.sidecars]
    known = [file for file in files if len(files) == 1 or is_object_file(file.name, file.read())]
    if len(known) > 1:
        raise SampleError(
            f"'{sample.key}' has objects in {' and '.join(file.name for file in known)}",
            hint="leave one of them",
        )
    if not files:
        raise SampleError(f"'{sample.key}' has no objects beside it: {', '.join(ENDS)}")
    return (known or files)[0]


@dataclass(frozen=True)
class _Listed:
    place: str
    by_key: Mapping[str, File | str]  # a text says why it can't be told

    def __call__(self, sample: Sample) -> File:
        found = self.by_key.get(sample.key, f"'{sample.key}' is not in {self.place}")
        if isinstance(found, str):
            raise SampleError(found)
        return found


def _list(trees: Mapping[str, Row], keys: Collection[str]) -> Labels:
    """Return what finds the rows of a picture in trees of COCO's, by the names of their files."""
    by_key: dict[str, File | str] = {}
    strays: list[str] = []
    cut = [(place, *pair) for place, tree in trees.items() for pair in cut_coco(place, tree)]
    matches = match_names((name for _, name, _ in cut), keys)
    for (place, name, data), found in zip(cut, matches, strict=True):
        if not found:
            strays.append(name)
        for key in found:
            if len(found) > 1:
                by_key[key] = f"'{name}' of {place} may be '{key}' or another picture"
            elif key in by_key:
                by_key[key] = f"'{key}' is labelled twice, at last as '{name}' of {place}"
            else:
                by_key[key] = File(f"{place}/{split_picture(name)[0]}.json", data)
    place = " and ".join(trees)
    return Labels(OBJECTS, _Listed(place, by_key), strays, place)


def cut_coco(place: str, tree: Row) -> Iterator[tuple[str, bytes]]:
    """Yield each picture's file name, and what a file of COCO's says of it: one of one picture.

    Raises:
        SampleError: it can't be read.
    """
    rows: dict[Any, list[Row]] = defaultdict(list)
    try:
        for row in tree["annotations"]:
            rows[row["image_id"]].append(row)
        for image in tree["images"]:
            mine = rows[image["id"]]
            one = {"image": image, "annotations": mine, **_categories(tree, mine)}
            yield image["file_name"].replace("\\", "/"), json.dumps(one).encode()
    except DAMAGE as error:
        raise SampleError(f"{place} can't be read as labels: {error}") from None


def _categories(tree: Row, rows: Sequence[Row]) -> Row:
    """Return those that rows are of; none if the file names none."""
    used = {row["category_id"] for row in rows}
    found = tree.get("categories")
    return {} if found is None else {"categories": [one for one in found if one["id"] in used]}


def _read_coco(file: File) -> Row | None:
    """Return the tree of a file of COCO's; None if it isn't one."""
    try:
        tree: Row = json.loads(file.read())
    except DAMAGE:
        return None
    return tree if is_coco(tree) else None
