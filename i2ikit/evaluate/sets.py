"""Sets of pictures to measure: folders, tars, manifests, the output of a translation, arrays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

from i2ikit.data.folders import no_pictures
from i2ikit.data.images import Header, Pixels, decode_image, read_header, to_pixels
from i2ikit.data.keys import split_picture
from i2ikit.data.manifests import read_rows
from i2ikit.data.pictures import walk
from i2ikit.data.samples import File, Sample, Source
from i2ikit.data.shards import TAR_SUFFIXES
from i2ikit.data.sources import open_source
from i2ikit.errors import SampleError, SourceError, UsageError, counted
from i2ikit.model import RGB

#: A folder, picture, manifest or tars; or pictures as arrays, see `as_pixels`.
Images: TypeAlias = str | Path | Iterable[Any]


@dataclass(frozen=True)
class Picture:
    """One picture of a set.

    Attributes:
        name: as a user would find it.
        key: what pairs it with pictures of other sets: its path without suffix, or the key of the
            input that it was translated from.
        file: where its bytes are; None for an array.
        array: the picture itself, if it is no file.
        style_index: which of its input's outputs it is; None where that isn't known.
        problem: why it can't be read, if that is known before.
        passed_over: other pictures of its sample in a tar, which don't count.
    """

    name: str
    key: str
    file: File | None = None
    array: Any = None
    style_index: int | None = None
    problem: str = ""
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class PictureSet:
    """The pictures of one side.

    Attributes:
        location: as the user wrote it.
        count: how many there are; None where only reading tells.
        read: yields them, always in the same order.
        notes: what keeps them from being the whole set, a sentence each.
    """

    location: str
    count: int | None
    read: Callable[[], Iterator[Picture]]
    notes: tuple[str, ...] = ()


def open_set(images: Images) -> PictureSet:
    """Return the pictures that a location names, or the arrays themselves.

    Of an output folder of `translate`, only the translated pictures count: label maps that travel
    beside them don't.

    Raises:
        SourceError: nothing there, or nothing that can be measured.
    """
    if not isinstance(images, str | Path):
        return _open_arrays(images)
    location, root = str(images), Path(images)
    if "://" not in location and root.is_dir():
        files = walk(root)
        if not any(path.lower().endswith(TAR_SUFFIXES) for path in files):
            return _open_folder(location, root, files)
    return _open_source(location, open_source(location, inputs=("image",), fields={}))


def _open_folder(location: str, root: Path, files: list[str]) -> PictureSet:
    origins = _read_origins(root)
    names = [path for path in files if split_picture(path)[1]]
    if origins is not None:
        lost = origins.keys() - set(names)
        if lost:
            raise SourceError(
                f"{location} lacks {min(lost)}, which its metadata.jsonl lists",
                hint=f"i2ikit audit {location} says what else is wrong",
            )
        names = list(origins)
    if not names:
        raise no_pictures(location, files)

    def read() -> Iterator[Picture]:
        for name in names:
            key, index = (origins or {}).get(name) or (split_picture(name)[0], None)
            yield Picture(str(root / name), key, File(str(root / name), root / name), None, index)

    return PictureSet(location, len(names), read, _notes_of_run(location, root))


def _notes_of_run(location: str, root: Path) -> tuple[str, ...]:
    """Return what the records of a translation say of inputs that have no outputs."""
    records = root / ".i2ikit"
    if not (records / "plan.json").is_file():
        return ()
    notes = []
    errors = records / "errors.jsonl"
    if errors.is_file():
        failed = len(errors.read_text(encoding="utf-8").splitlines())
        notes.append(f"{location} lacks the outputs of {counted(failed, 'input')} that failed")
    shards = sum(len(p.read_text("utf-8").splitlines()) for p in records.glob("inputs-*.jsonl"))
    done = sum(not p.stem.endswith(".limited") for p in records.glob("receipts/*.jsonl"))
    if done < shards:
        notes.append(f"{location} holds a part of its run: it is not complete")
    return tuple(notes)


def _read_origins(root: Path) -> dict[str, tuple[str, int]] | None:
    """Return the key and style index of each output of a translation; None for other folders."""
    if not (root / ".i2ikit" / "plan.json").is_file():
        return None
    table = root / "metadata.jsonl"
    if not table.is_file():
        raise SourceError(
            f"{root} holds a translation that hasn't finished: it has no metadata.jsonl",
            hint="run i2ikit translate again, to its end",
        )
    return {row["file_name"]: (row["key"], row["style_index"]) for _, row in read_rows(table)}


def _open_source(location: str, source: Source) -> PictureSet:
    counts = [None if part.keys is None else len(part.keys) for part in source.parts]
    count = None if None in counts else sum(number or 0 for number in counts)

    def read() -> Iterator[Picture]:
        for part in source.parts:
            try:
                yield from map(_to_picture, source.read(part.name, part.keys))
            except SourceError as error:  # a tar that breaks off; the others can be read
                yield Picture(part.name, part.name, problem=str(error))

    return PictureSet(location, count, read, _notes_of_run(location, Path(location)))


def _to_picture(sample: Sample) -> Picture:
    file, columns = sample.fields.get("image"), sample.columns
    index = str(columns.get("style_index", ""))
    is_output = index.isdecimal()
    return Picture(
        file.name if file else sample.key,
        str(columns.get("key", sample.key)) if is_output else sample.key,
        file,
        None,
        int(index) if is_output else None,
        sample.problem,
        tuple(f.name for f in sample.sidecars.values() if split_picture(f.name)[1]),
    )


def _open_arrays(arrays: Iterable[Any]) -> PictureSet:
    if not isinstance(arrays, Iterable):
        raise UsageError(
            f"{arrays!r} is no set of pictures", hint="give a folder, a file, or a list of arrays"
        )
    if getattr(arrays, "ndim", 4) == 3:
        raise UsageError(
            f"a single array of shape {tuple(arrays.shape)} was given",  # type: ignore[attr-defined]
            hint="give a list of pictures, or an array (N, H, W, 3)",
        )
    count = len(arrays) if isinstance(arrays, Sized) else None

    def read() -> Iterator[Picture]:
        for index, array in enumerate(arrays):
            yield Picture(f"picture {index}", str(index), array=array)

    return PictureSet("arrays", count, read)


def as_pixels(array: Any) -> Pixels:
    """Return one picture given as an array.

    Args:
        array: uint8 numpy (H, W, 3) or (H, W), uint8 torch (3, H, W), or float torch (3, H, W) in
            [-1, 1], which is rounded to 8 bits as `translate` does.

    Raises:
        UsageError: anything else.
        SampleError: floats that are NaN or infinite.
    """
    if isinstance(array, torch.Tensor) and array.ndim == 3 and len(array) == 3 and array.numel():
        if array.is_floating_point():
            return _rounded(array)
        array = array.permute(1, 2, 0).cpu().numpy()
    if isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.size:
        if array.ndim == 2:
            return np.repeat(array[:, :, None], 3, axis=2)
        if array.ndim == 3 and array.shape[2] == 3:
            return np.require(array, requirements=["C", "W"])  # torch wants to be able to write
    shape = getattr(array, "shape", None)
    what = type(array).__name__ if shape is None else f"{array.dtype} {tuple(shape)}"
    raise UsageError(
        f"a picture was given as {what}",
        hint="give uint8 arrays (H, W, 3), or float tensors (3, H, W) in [-1, 1]",
    )


def _rounded(picture: torch.Tensor) -> Pixels:
    if not picture.isfinite().all():
        raise SampleError("a picture given as floats holds NaN or infinity")
    if (largest := float(picture.abs().max())) > 1 + 1e-3:
        raise UsageError(
            f"a picture given as floats holds {largest:g}, outside [-1, 1]",
            hint="scale it, or give uint8",
        )
    return to_pixels(picture)


def decode_stored(data: bytes, name: str) -> Pixels:
    """Return a file's picture as metrics see it, (H, W, 3).

    As in other packages, EXIF rotations and colour profiles are left out. Unlike there,
    transparency is laid over white and 16 bits are scaled; they drop the one and clip the other.

    Raises:
        SampleError: it can't be decoded.
    """
    return np.asarray(decode_image(data, RGB(), name, as_stored=True).array, dtype=np.uint8)


def read_picture(picture: Picture) -> tuple[Header, Pixels]:
    """Return what the head of a picture's file says, and the picture itself, (H, W, 3).

    Raises:
        SampleError: it can't be read.
        UsageError: it is an array of another kind than `as_pixels` takes.
    """
    if picture.problem:
        raise SampleError(picture.problem)
    if picture.file is None:
        pixels = as_pixels(picture.array)
        return Header("array", pixels.shape[1], pixels.shape[0]), pixels
    data = picture.file.read()
    return read_header(data, picture.name), decode_stored(data, picture.name)


def group_by_key(pictures: Iterable[Picture]) -> Mapping[str, list[Picture]]:
    """Return the pictures by key, each group in the order of its style indices."""
    groups: dict[str, list[Picture]] = {}
    for picture in pictures:
        groups.setdefault(picture.key, []).append(picture)
    return {
        key: sorted(group, key=lambda picture: picture.style_index or 0)
        for key, group in groups.items()
    }


def find_lonely(
    keys: Collection[str],
    location: str,
    others: Collection[str],
    other: str,
    on_error: Literal["skip", "stop"],
) -> list[str]:
    """Return why keys of two sets can't be paired, a sentence each.

    Raises:
        UsageError: there is such a key and the work stops at failures, or there is no pair at all;
            up to five are named.
    """
    reasons = []
    for mine, here, theirs, there in (
        (keys, location, others, other),
        (others, other, keys, location),
    ):
        lonely = sorted(set(mine) - set(theirs))
        if lonely and (on_error == "stop" or len(lonely) == len(mine)):
            named = ", ".join(f"'{key}'" for key in lonely[:5]) + (", …" if lonely[5:] else "")
            raise UsageError(
                f"{len(lonely)} of the {counted(len(mine), 'key')} in {here} have no partner in"
                f" {there}: {named}",
                hint="pairs are made by key: the path in its folder, without suffix",
            )
        reasons += [f"'{key}' of {here} has no partner in {there}" for key in lonely]
    return reasons
