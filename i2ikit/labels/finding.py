"""How pictures are labelled: where the class or the mask of a sample is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from i2ikit.data.folders import parse_field
from i2ikit.data.keys import split_picture
from i2ikit.data.manifests import read_rows
from i2ikit.data.pictures import PictureIndex, walk
from i2ikit.data.samples import File, Sample
from i2ikit.errors import SampleError, SourceError, UsageError

Kind: TypeAlias = Literal["class", "mask", "objects"]
#: How a picture's label is found; a label that isn't there is a `SampleError`.
Find: TypeAlias = Callable[[Sample], "str | File"]

FORMS = "folder, cls, column:NAME, FILE.csv[:COLUMN], or a folder of masks DIR[:SUFFIX]"
#: What labels of a kind are called.
PLURALS: Mapping[Kind, str] = MappingProxyType(
    {"class": "classes", "mask": "masks", "objects": "objects"}
)
#: What a table's column of names and its column of classes may be called.
_NAMES, _CLASSES = ("file_name", "key", "path", "file", "image"), ("label", "class")


@dataclass(frozen=True)
class Labels:
    """How the pictures of a set are labelled.

    Attributes:
        kind: of the labels.
        find: what returns the label of a sample.
        listed: names that have a label, where a table or a folder of masks lists them.
        place: of that list.
    """

    kind: Kind
    find: Find
    listed: Collection[str] = ()
    place: str = ""

    def strays(self, names: Collection[str], place: str) -> list[str]:
        """Return what is wrong with labels that no picture of `place` takes, a sentence each."""
        return [
            f"'{name}' of {self.place} has no picture in {place}"
            for name in self.listed
            if name not in names and split_picture(name)[0] not in names
        ]


def open_labels(how: str) -> Labels:
    """Return what finds labels as `how` says.

    - `folder`: the class is the name of the folder that a picture lies in.
    - `cls`: it is the text of the file KEY.cls beside it, or of that field of a tar.
    - `column:NAME`: a column of the manifest, or of a folder's metadata.jsonl.
    - `FILE.csv[:COLUMN]` (.jsonl, .parquet): a table whose column file_name or key names the
      picture, and whose column `label` or `class`, or the one named, has the class. A picture is
      named with or without its suffix.
    - `DIR[:SUFFIX]`: a mask, the picture of the same key.

    Raises:
        SourceError: the table or folder can't be read.
        UsageError: `how` is none of these.
    """
    if how == "folder":
        return Labels("class", _folder_of)
    if how == "cls":
        return Labels("class", _text_of)
    if how.startswith("column:"):
        return Labels("class", _Column(how.removeprefix("column:")))
    table, colon, column = how.rpartition(":")
    path = Path(table if colon else how)
    if path.suffix.lower() in (".csv", ".jsonl", ".parquet") and path.is_file():
        rows = _read_table(path, column if colon else "")
        return Labels("class", _Listed(path, rows, _by_stem(rows)), rows, str(path))
    places = (path, Path(how))
    if not any(place.exists() for place in places):
        raise UsageError(f"there is no folder or file of labels '{how}'", hint=f"LABELS: {FORMS}")
    if not any(place.is_dir() for place in places):
        raise UsageError(f"'{how}' says not how pictures are labelled", hint=FORMS)
    folder = parse_field("mask", how)
    masks = PictureIndex(folder.path, walk(folder.path), folder.suffix)
    return Labels("mask", _Masks(how, masks), masks.keys, how)


def _folder_of(sample: Sample) -> str:
    folder = PurePosixPath(sample.key).parent.name
    if not folder:
        raise SampleError(f"'{sample.key}' lies in no folder that names its class")
    return folder


def _text_of(sample: Sample) -> str:
    file = sample.sidecars.get(".cls")
    text = file.read().decode("utf-8", "replace").strip() if file else ""
    if not text:
        raise SampleError(f"'{sample.key}' has no class: {'it is empty' if file else 'no .cls'}")
    return text


@dataclass(frozen=True)
class _Column:
    name: str

    def __call__(self, sample: Sample) -> str:
        value: Any = sample.columns.get(self.name)
        if value in (None, "") or isinstance(value, list | dict):
            raise SampleError(f"'{sample.key}' has no class in column '{self.name}'")
        return str(value)


@dataclass(frozen=True)
class _Listed:
    path: Path
    rows: Mapping[str, str]
    by_stem: Mapping[str, str]

    def __call__(self, sample: Sample) -> str:
        for name in picture_names(sample):
            if name in self.rows:
                return self.rows[name]
        if sample.key in self.by_stem:
            return self.by_stem[sample.key]
        raise SampleError(f"'{sample.key}' is not in {self.path}")


@dataclass(frozen=True)
class _Masks:
    location: str
    index: PictureIndex

    def __call__(self, sample: Sample) -> File:
        for key in picture_names(sample):
            if key in self.index.keys:
                path = self.index.path(key)
                return File(str(path), path)
        raise SampleError(f"'{sample.key}' has no mask in {self.location}")


def picture_names(sample: Sample) -> tuple[str, ...]:
    """Return what a table may call a sample: its key, or that with the picture's suffix."""
    file = sample.fields.get("image")
    return (sample.key, sample.key + PurePosixPath(file.name).suffix) if file else (sample.key,)


def _by_stem(rows: Mapping[str, str]) -> dict[str, str]:
    """Return the rows by names without suffix, where that leaves them apart."""
    counts = Counter(split_picture(name)[0] for name in rows)
    stems = ((split_picture(name)[0], label) for name, label in rows.items())
    return {stem: label for stem, label in stems if counts[stem] == 1}


def _read_table(path: Path, column: str) -> dict[str, str]:
    rows: dict[str, str] = {}
    for where, row in read_rows(path):
        name = next((row[n] for n in _NAMES if row.get(n)), None)
        label = next((row[n] for n in ((column,) if column else _CLASSES) if n in row), None)
        if name is None or label in (None, ""):
            wanted = f"'{column}'" if column else " or ".join(_CLASSES)
            what = f"column {wanted}" if name else f"column {' or '.join(_NAMES[:2])}"
            hint = f"the columns are {', '.join(row)}"
            raise SourceError(f"{where}: no {what}, or it is empty", hint=hint)
        if str(name) in rows:
            raise SourceError(f"{where}: '{name}' is labelled by an earlier row")
        rows[str(name)] = str(label)
    return rows
