"""Files with labels of a whole data set: COCO's are moved, picture by picture."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from threading import Lock
from typing import Any

from i2ikit.data.keys import split_picture
from i2ikit.data.samples import File, Source
from i2ikit.data.sizes import Geometry
from i2ikit.errors import SampleError
from i2ikit.labels.coco import Row, is_coco, move_image
from i2ikit.labels.move import DAMAGE, dump_like
from i2ikit.labels.places import LabelFrame, find_places, refuse

#: Files of the whole data set that may describe places in its pictures.
_WITH_PLACES = (".json", ".jsonl", ".csv", ".xml", ".npy", ".parquet")


@dataclass(frozen=True)
class _Coco:
    """A file of COCO's, with what belongs to each input: indices into its rows."""

    tree: Row
    images: Mapping[str, list[int]]  # by key
    annotations: Mapping[Any, list[int]]  # by the image's id
    doubtful: Mapping[str, str]  # by key: the file name that may be another input's, too

    def rows(self, key: str) -> Iterator[tuple[int, Row, list[int]]]:
        """Yield the index and row of each image of an input, and the indices of its objects."""
        for place in self.images.get(key, ()):
            image = self.tree["images"][place]
            yield place, image, self.annotations.get(image.get("id"), [])


class SetLabels:
    """The files of a whole data set that may hold places in its pictures.

    They are read when a picture's geometry first changes; safe to use from several threads.
    """

    def __init__(self, source: Source, label_frame: LabelFrame | None) -> None:
        """Take those of a source; `label_frame` as for `move_labels`."""
        self._source = source
        self._label_frame = label_frame
        self._files = {
            name: file
            for name, file in source.carried.items()
            if name.lower().endswith(_WITH_PLACES)
        }
        self._read: dict[str, _Coco | None] = {}
        self._lock = Lock()

    @property
    def names(self) -> Collection[str]:
        """What the files are called under OUT."""
        return self._files.keys()

    def can_move(self, name: str) -> bool:
        """Tell whether a file is of COCO's format."""
        return self._open(name) is not None

    def check(self, key: str, geometry: Geometry) -> None:
        """Do nothing if what the files say of an input can be moved.

        Raises:
            SampleError: it can't, and why.
        """
        for name, file in self._files.items():
            coco = self._open(name)
            if coco is not None:
                if key in coco.doubtful:
                    raise SampleError(
                        f"{file.name}: '{coco.doubtful[key]}' may be '{key}' or another input",
                        hint="write its folders before the file's name",
                    )
                for _ in self._moved(file.name, coco, key, geometry):
                    pass
            elif self._label_frame != "shown" or geometry.as_shown().is_changed:
                raise refuse(file.name, geometry)

    def move(self, name: str, data: bytes, geometries: Mapping[str, Geometry]) -> bytes:
        """Return a file's bytes, with what it says of each of some inputs moved.

        Raises:
            SampleError: the file was exchanged since these inputs were checked.
        """
        coco = self._open(name) if name in self._files else None
        if coco is None:
            return data
        images, annotations = [*coco.tree["images"]], [*coco.tree["annotations"]]
        for key, geometry in geometries.items():
            for place, image, objects in self._moved(self._files[name].name, coco, key, geometry):
                images[place] = image
                for index, row in objects:
                    annotations[index] = row
        return dump_like(data, {**coco.tree, "images": images, "annotations": annotations})

    def _moved(
        self, name: str, coco: _Coco, key: str, geometry: Geometry
    ) -> Iterator[tuple[int, Row, Iterable[tuple[int, Row]]]]:
        for place, image, indices in coco.rows(key):
            label = f"{name}: '{image['file_name']}'"
            find = partial(find_places, label, geometry, self._label_frame)
            rows = [coco.tree["annotations"][index] for index in indices]
            try:
                moved, objects = move_image(image, rows, find)
            except DAMAGE as error:
                raise SampleError(f"{label} can't be read as labels: {error}") from None
            yield place, moved, zip(indices, objects, strict=True)

    def _open(self, name: str) -> _Coco | None:
        with self._lock:
            if name not in self._read:
                self._read[name] = _read_coco(self._files[name], self._source)
            return self._read[name]


def _read_coco(file: File, source: Source) -> _Coco | None:
    """Return a file's rows by input; None if it isn't of COCO's."""
    if PurePosixPath(file.name).suffix.lower() != ".json":
        return None
    try:
        tree = json.loads(file.read())
        if not is_coco(tree):
            return None
        annotations: dict[Any, list[int]] = defaultdict(list)
        for index, row in enumerate(tree["annotations"]):
            annotations[row["image_id"]].append(index)
        names = [image["file_name"].replace("\\", "/") for image in tree["images"]]
    except DAMAGE:
        return None
    keys = [key for part in source.parts for key in part.keys or ()]
    images: dict[str, list[int]] = defaultdict(list)
    doubtful = {}
    for place, found in enumerate(match_names(names, keys)):
        for key in found:
            images[key].append(place)
            if len(found) > 1:
                doubtful[key] = names[place]
    return _Coco(tree, images, annotations, doubtful)


def match_names(names: Iterable[str], keys: Iterable[str]) -> Iterator[list[str]]:
    """Yield, for each file name in a label file, the keys of the inputs that it may mean.

    That is the one with this path. Where there is none, those whose path ends with the name, or
    that the name ends with: label files leave folders out, or name more of them.
    """
    by_base: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        by_base[key.rpartition("/")[2]].append(key)
    for name in names:
        yield next(
            filter(None, (_match(form, by_base) for form in (name, split_picture(name)[0]))), []
        )


def _match(form: str, by_base: Mapping[str, list[str]]) -> list[str]:
    near = by_base.get(form.rpartition("/")[2], [])
    if form in near:
        return [form]
    return [key for key in near if key.endswith(f"/{form}") or form.endswith(f"/{key}")]
