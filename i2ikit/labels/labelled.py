"""Sets of pictures with a label each: a class, or a mask of ids."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

from i2ikit.data.folders import parse_field
from i2ikit.data.manifests import read_rows
from i2ikit.data.pictures import PictureIndex, walk
from i2ikit.data.samples import File, Sample
from i2ikit.data.sources import open_source
from i2ikit.errors import SampleError, SourceError, UsageError, counted

Kind: TypeAlias = Literal["class", "mask"]
#: How a picture's label is found; a label that isn't there is a `SampleError`.
Find: TypeAlias = Callable[[Sample], "str | File"]

FORMS = "folder, cls, column:NAME, FILE.csv[:COLUMN], or a folder of masks DIR[:SUFFIX]"
#: What a table's column of names and its column of classes may be called.
_NAMES, _CLASSES = ("file_name", "key", "path", "file", "image"), ("label", "class")
_NAMED = 5


@dataclass(frozen=True)
class Labelled:
    """A picture with its label.

    Attributes:
        key: its own.
        picture: its file.
        label: the name of its class, or the file of its mask.
        source_key: the key of what it was translated from; its own for other pictures.
    """

    key: str
    picture: File
    label: str | File
    source_key: str


@dataclass(frozen=True)
class LabelledSet:
    """Pictures with labels of one kind.

    Attributes:
        location: as the user wrote it.
        kind: "class" or "mask".
        samples: in the order of their keys' source.
        left_out: why others don't count, a sentence each.
    """

    location: str
    kind: Kind
    samples: tuple[Labelled, ...]
    left_out: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, numbers by value; () of masks."""
        names = {one.label for one in self.samples if isinstance(one.label, str)}
        return tuple(sorted(names, key=_class_order))


def _class_order(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


def open_labelled(text: str, on_error: Literal["skip", "stop"] = "stop") -> LabelledSet:
    """Return the pictures and labels of `PICTURES[=LABELS]`.

    PICTURES: a folder, tars or a manifest. LABELS, "folder" if left out:

    - `folder`: the class is the name of the folder that a picture lies in.
    - `cls`: it is the text of the file KEY.cls beside it, or of that field of a tar.
    - `column:NAME`: a column of the manifest, or of a folder's metadata.jsonl.
    - `FILE.csv[:COLUMN]` (.jsonl, .parquet): a table whose column file_name or key names the
      picture, and whose column `label` or `class`, or the one named, has the class.
    - `DIR[:SUFFIX]`: a mask, the picture of the same key.

    Args:
        text: what the user wrote.
        on_error: whether a picture without label, or the reverse, is left out or an error.

    Raises:
        SourceError: the set can't be read, or holds nothing with a label.
        SampleError: a picture lacks its label or the reverse, and `on_error` is "stop".
    """
    place, how = _split(text)
    source = open_source(place, inputs=("image",), fields={})
    found = [sample for part in source.parts for sample in source.read(part.name, part.keys)]
    if (Path(place) / ".i2ikit" / "plan.json").is_file():  # what travels beside is no picture
        found = [sample for sample in found if "style_index" in sample.columns]
    kind, find, strays = _finder(how, found)
    samples: list[Labelled] = []
    problems = [f"{name} has no picture in {place}" for name in strays]
    for sample in found:
        try:
            samples.append(_label(sample, find))
        except SampleError as error:
            problems.append(str(error))
    if problems and (on_error == "stop" or not samples):
        listed = "; ".join(problems[:_NAMED]) + ("; …" if len(problems) > _NAMED else "")
        raise SampleError(f"{counted(len(problems), 'label')} amiss in {text}: {listed}")
    if not samples:
        raise SourceError(f"{text} holds no labelled pictures")
    return LabelledSet(text, kind, tuple(samples), tuple(problems))


def _split(text: str) -> tuple[str, str]:
    place, equals, how = text.rpartition("=")
    if not equals or Path(text).exists():  # a path may hold one, too
        return text, "folder"
    if not place or not how:
        raise UsageError(f"{text} is not PICTURES[=LABELS]", hint=f"LABELS: {FORMS}")
    return place, how


def _label(sample: Sample, find: Find) -> Labelled:
    if sample.problem:
        raise SampleError(sample.problem)
    source_key = str(sample.columns.get("key", sample.key))
    return Labelled(sample.key, sample.fields["image"], find(sample), source_key)


def _finder(how: str, samples: Collection[Sample]) -> tuple[Kind, Find, list[str]]:
    """Return the kind of labels, what finds one, and the names of labels without a picture."""
    if how == "folder":
        return "class", _folder_of, []
    if how == "cls":
        return "class", _text_of, []
    if how.startswith("column:"):
        return "class", _Column(how.removeprefix("column:")), []
    table, colon, column = how.rpartition(":")
    path = Path(table if colon else how)
    if path.suffix.lower() in (".csv", ".jsonl", ".parquet") and path.is_file():
        rows = _read_table(path, column if colon else "")
        names = {name for sample in samples for name in _names(sample)}
        return "class", _Listed(path, rows), [f"{n} of {path}" for n in rows if n not in names]
    if not Path(how.rpartition(":")[0] or how).is_dir() and not Path(how).is_dir():
        raise UsageError(f"={how} says not how pictures are labelled", hint=FORMS)
    folder = parse_field("mask", how)
    masks = PictureIndex(folder.path, walk(folder.path), folder.suffix)
    keys = {key for sample in samples for key in (sample.key, *_names(sample))}
    return "mask", _Masks(how, masks), [f"mask '{key}'" for key in masks.keys if key not in keys]


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

    def __call__(self, sample: Sample) -> str:
        for name in _names(sample):
            if name in self.rows:
                return self.rows[name]
        raise SampleError(f"'{sample.key}' is not in {self.path}")


@dataclass(frozen=True)
class _Masks:
    location: str
    index: PictureIndex

    def __call__(self, sample: Sample) -> File:
        for key in (sample.key, *_names(sample)):
            if key in self.index.keys:
                path = self.index.path(key)
                return File(str(path), path)
        raise SampleError(f"'{sample.key}' has no mask in {self.location}")


def _names(sample: Sample) -> tuple[str, ...]:
    """Return what a table may call a sample: its key, or that with the picture's suffix."""
    file = sample.fields.get("image")
    return (sample.key, sample.key + PurePosixPath(file.name).suffix) if file else (sample.key,)


def _read_table(path: Path, column: str) -> dict[str, str]:
    rows: dict[str, str] = {}
    for where, row in read_rows(path):
        name = next((row[n] for n in _NAMES if row.get(n)), None)
        label = next((row[n] for n in ((column,) if column else _CLASSES) if n in row), None)
        if name is None or label in (None, ""):
            wanted = f"'{column}'" if column else " or ".join(_CLASSES)
            what = f"column {wanted}" if name else f"column {' or '.join(_NAMES[:2])}"
            raise SourceError(f"{where}: no {what}, or it is empty")
        if str(name) in rows:
            raise SourceError(f"{where}: '{name}' is labelled by an earlier row")
        rows[str(name)] = str(label)
    return rows
