"""From chosen candidates to the bytes of their files, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from i2ikit.data.images import decode_image
from i2ikit.data.samples import File, Sample
from i2ikit.data.sizes import Geometry
from i2ikit.errors import SampleError
from i2ikit.feed.candidates import Beside, Candidate
from i2ikit.feed.masks import Mask, make_mask
from i2ikit.feed.objects import ObjectFile, move_objects, names_of, read_object_file
from i2ikit.feed.translated import Translation
from i2ikit.labels.finding import Kind, Labels
from i2ikit.labels.id_maps import IdMap
from i2ikit.labels.labelled import LabelledSource
from i2ikit.labels.places import LabelFrame, Size
from i2ikit.labels.set_objects import ENDS, OBJECTS, open_objects
from i2ikit.model import RGB

_MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif")


@dataclass(frozen=True)
class Found:
    """A candidate and its files, or why they can't be had."""

    candidate: Candidate
    picture: File | None = None
    label: File | None = None
    problem: str = ""


@dataclass(frozen=True)
class Reading:
    """How files of labels are read.

    Attributes:
        kind: of the labels.
        id_map: from the ids of masks to classes.
        label_frame: which picture a file lies over, where that was turned and sizes don't tell.
        numbers: the names of YOLO's classes, of "source" and of "target".
    """

    kind: Kind
    id_map: IdMap | None
    label_frame: LabelFrame | None
    numbers: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Loaded:
    """A candidate with what is written of it, or why it can't be.

    Attributes:
        candidate: the candidate.
        data: the picture's bytes, as they were.
        suffix: of its file.
        label: its mask or its objects; None with a class.
        problem: why it is left out.
    """

    candidate: Candidate
    data: bytes = b""
    suffix: str = ""
    label: Mask | ObjectFile | None = None
    problem: str = ""


def find_files(
    chosen: Sequence[Candidate], translation: Translation, target: LabelledSource | None
) -> Iterator[Found]:
    """Yield each candidate with its files: translations, then originals, then target pictures.

    Raises:
        SourceError: the originals' source, or a tar of it, can't be read.
    """
    wanted: dict[str, dict[str, Candidate]] = {"translated": {}, "original": {}, "target": {}}
    for one in chosen:
        wanted[one.origin][one.name] = one
    for one in wanted["translated"].values():
        yield find_translated(one, translation)
    if wanted["original"]:
        yield from find_originals(wanted["original"], translation)
    if target and wanted["target"]:
        left = dict(wanted["target"])
        for picture in target.read([]):
            if picture.key in left:
                one = left.pop(picture.key)
                yield _found(one, picture.picture, None)


def find_translated(one: Candidate, translation: Translation) -> Found:
    """Return a translation's files."""
    try:
        label = None
        if isinstance(one.label, Beside):
            sample = translation.sample(one.name, one.source_key, _ends(one.label))
            objects = translation.objects if one.label.kind == OBJECTS else None
            label = _find_beside(one.label, sample, objects)
        return _found(one, translation.store.file(one.name), label)
    except SampleError as error:
        return Found(one, problem=str(error))


def find_originals(wanted: Mapping[str, Candidate], translation: Translation) -> Iterator[Found]:
    """Yield the source pictures of the keys of `wanted`.

    Raises:
        SourceError: the source, or a tar of it, can't be read.
    """
    source, left = translation.open_sources(), dict(wanted)
    objects = None
    if any(isinstance(one.label, Beside) and one.label.kind == OBJECTS for one in left.values()):
        objects = open_objects(OBJECTS, source.carried, translation.keys)
    for part in source.parts:
        keys = None if part.keys is None else [key for key in part.keys if key in left]
        for sample in source.read(part.name, keys) if keys != [] else ():
            if sample.key in left:
                yield _original(left.pop(sample.key), sample, objects)
    for key, one in left.items():
        yield Found(one, problem=f"'{key}' is no longer in {source.location}")


def _original(one: Candidate, sample: Sample, objects: Labels | None) -> Found:
    if sample.problem:
        return Found(one, problem=sample.problem)
    try:
        label = None
        if isinstance(one.label, Beside):
            label = _find_beside(one.label, sample, objects)
        return _found(one, sample.fields["image"], label)
    except SampleError as error:
        return Found(one, problem=str(error))


def _ends(label: Beside) -> Sequence[str]:
    """Return what may follow a picture's stem in the name of a label that lies beside it."""
    if label.kind == OBJECTS:
        return ENDS
    return [f".{label.field}{suffix}" for suffix in _MASK_SUFFIXES]


def _find_beside(label: Beside, sample: Sample, objects: Labels | None) -> File | None:
    if label.kind == OBJECTS and objects:
        found = objects.find(sample)
        return found if isinstance(found, File) else None
    return next((sample.sidecars[end] for end in _ends(label) if end in sample.sidecars), None)


def _found(one: Candidate, picture: File, beside: File | None) -> Found:
    if isinstance(one.label, Beside) and beside is None:
        is_made = one.origin == "translated"
        carry = f"i2ikit translate --field {one.label.field}=DIR carries masks along"
        problem = f"{picture.name} has no mask .{one.label.field} beside it"
        return Found(one, problem=str(SampleError(problem, hint=carry if is_made else "")))
    return Found(one, picture, one.label if isinstance(one.label, File) else beside)


def load(found: Found, reading: Reading) -> Loaded:
    """Read a candidate's files and look at them; what is wrong is returned, not raised."""
    one = found.candidate
    if found.picture is None:
        return Loaded(one, problem=found.problem)
    try:
        data = found.picture.read()
        label = _load_label(found, data, reading)
    except SampleError as error:
        return Loaded(one, problem=str(error))
    return Loaded(one, data, PurePosixPath(found.picture.name).suffix.lower(), label)


def _load_label(found: Found, data: bytes, reading: Reading) -> Mask | ObjectFile | None:
    """Decode the picture, which must be whole, and return the label that lies over it."""
    one, name = found.candidate, found.picture.name if found.picture else ""
    picture = decode_image(data, RGB(), name)
    if found.label is None:
        return None
    if picture.orientation != 1:
        what = "its objects are" if reading.kind == OBJECTS else "its mask is"
        raise SampleError(
            f"{name} is turned by EXIF, which not all programs heed; {what} not",
            hint="turn the picture upright in its file",
        )
    geometry = one.geometry if isinstance(one.label, File) else None
    size = picture.stored_size
    if reading.kind == OBJECTS:
        moved = move_objects(found.label, geometry, reading.label_frame)
        numbers = names_of(reading.numbers, one.origin)
        return read_object_file(found.label.name, moved, size, numbers)
    return _load_mask(found.label, geometry, reading, name, size)


def _load_mask(
    file: File, geometry: Geometry | None, reading: Reading, name: str, size: Size
) -> Mask:
    """Return a mask; `name` and `size` are those of its picture."""
    mask = make_mask(file, geometry, reading.id_map, reading.label_frame)
    if mask.size != size:
        raise SampleError(
            f"{file.name} is {mask.size[0]}×{mask.size[1]}, but its picture {name} is"
            f" {size[0]}×{size[1]}"
        )
    return mask
