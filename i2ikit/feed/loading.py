"""From chosen candidates to the bytes of their files, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from i2ikit.data.images import decode_image
from i2ikit.data.samples import File, Sample
from i2ikit.errors import SampleError
from i2ikit.feed.candidates import Beside, Candidate
from i2ikit.feed.masks import Mask, make_mask
from i2ikit.feed.translated import Translation
from i2ikit.labels.id_maps import IdMap
from i2ikit.labels.labelled import LabelledSource
from i2ikit.labels.places import LabelFrame
from i2ikit.model import RGB

_MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif")


@dataclass(frozen=True)
class Found:
    """A candidate and its files, or why they can't be had."""

    candidate: Candidate
    picture: File | None = None
    mask: File | None = None
    problem: str = ""


@dataclass(frozen=True)
class Loaded:
    """A candidate with what is written of it, or why it can't be.

    Attributes:
        candidate: the candidate.
        data: the picture's bytes, as they were.
        suffix: of its file.
        mask: its mask; None with a class.
        problem: why it is left out.
    """

    candidate: Candidate
    data: bytes = b""
    suffix: str = ""
    mask: Mask | None = None
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
    store, stem = translation.store, one.name.rpartition(".")[0]
    try:
        mask = None
        if isinstance(one.label, Beside):
            names = (f"{stem}.{one.label.field}{suffix}" for suffix in _MASK_SUFFIXES)
            name = next((name for name in names if name in store), None)
            mask = store.file(name) if name else None
        return _found(one, store.file(one.name), mask)
    except SampleError as error:
        return Found(one, problem=str(error))


def find_originals(wanted: Mapping[str, Candidate], translation: Translation) -> Iterator[Found]:
    """Yield the source pictures of the keys of `wanted`.

    Raises:
        SourceError: the source, or a tar of it, can't be read.
    """
    source, left = translation.open_sources(), dict(wanted)
    for part in source.parts:
        keys = None if part.keys is None else [key for key in part.keys if key in left]
        for sample in source.read(part.name, keys) if keys != [] else ():
            if sample.key in left:
                yield _original(left.pop(sample.key), sample)
    for key, one in left.items():
        yield Found(one, problem=f"'{key}' is no longer in {source.location}")


def _original(one: Candidate, sample: Sample) -> Found:
    if sample.problem:
        return Found(one, problem=sample.problem)
    mask = None
    if isinstance(one.label, Beside):
        ends = (f".{one.label.field}{suffix}" for suffix in _MASK_SUFFIXES)
        mask = next((sample.sidecars[end] for end in ends if end in sample.sidecars), None)
    return _found(one, sample.fields["image"], mask)


def _found(one: Candidate, picture: File, beside: File | None) -> Found:
    if isinstance(one.label, Beside) and beside is None:
        return Found(one, problem=f"{picture.name} has no mask .{one.label.field} beside it")
    return Found(one, picture, one.label if isinstance(one.label, File) else beside)


def load(found: Found, id_map: IdMap | None, label_frame: LabelFrame | None) -> Loaded:
    """Read a candidate's files and look at them; what is wrong is returned, not raised."""
    one = found.candidate
    if found.picture is None:
        return Loaded(one, problem=found.problem)
    try:
        data = found.picture.read()
        mask = _load_mask(found, data, id_map, label_frame)
    except SampleError as error:
        return Loaded(one, problem=str(error))
    return Loaded(one, data, PurePosixPath(found.picture.name).suffix.lower(), mask)


def _load_mask(
    found: Found, data: bytes, id_map: IdMap | None, label_frame: LabelFrame | None
) -> Mask | None:
    """Decode the picture, which must be whole, and return the mask that lies over it."""
    one, name = found.candidate, found.picture.name if found.picture else ""
    picture = decode_image(data, RGB(), name)
    if found.mask is None:
        return None
    if picture.orientation != 1:
        raise SampleError(
            f"{name} is turned by EXIF, which not all programs heed; its mask is not",
            hint="turn the picture upright in its file",
        )
    geometry = one.geometry if isinstance(one.label, File) else None
    mask = make_mask(found.mask, geometry, id_map, label_frame)
    size = picture.stored_size
    if mask.size != size:
        raise SampleError(
            f"{found.mask.name} is {mask.size[0]}×{mask.size[1]}, but its picture {name} is"
            f" {size[0]}×{size[1]}"
        )
    return mask
