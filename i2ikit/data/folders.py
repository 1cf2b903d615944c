"""Folders as sources: a picture a sample, with the pictures of other folders as its fields."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from i2ikit.data.keys import split_picture
from i2ikit.data.manifests import read_rows
from i2ikit.data.pictures import PictureIndex, scan, walk
from i2ikit.data.samples import (
    REFERENCE,
    File,
    Part,
    Sample,
    is_seen,
    lost_sample,
    make_sample,
    travels_as,
)
from i2ikit.errors import SourceError


@dataclass(frozen=True)
class FieldFolder:
    """Where a field's pictures are: `--field NAME=DIR[:SUFFIX]`."""

    path: Path
    suffix: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.suffix}" if self.suffix else str(self.path)

    def prefix_in(self, root: Path) -> str | None:
        """Return what the relative paths of this folder's files in `root` begin with, if inside."""
        outer, inner = Path(os.path.realpath(root)), Path(os.path.realpath(self.path))
        if not inner.is_relative_to(outer):
            return None
        return "" if inner == outer else f"{inner.relative_to(outer).as_posix()}/"


def parse_field(name: str, text: str) -> FieldFolder:
    """Return the folder and suffix of `DIR[:SUFFIX]`.

    Raises:
        SourceError: there is no such folder.
    """
    folder, colon, suffix = text.rpartition(":")
    if not colon or not folder or "/" in suffix or "\\" in suffix:  # C:\maps has no suffix
        folder, suffix = text, ""
    if not Path(folder).is_dir():
        what = "is a file" if Path(folder).exists() else "does not exist"
        raise SourceError(
            f"--field {name}={text}: {folder} {what}", hint="give a folder, as DIR or DIR:SUFFIX"
        )
    return FieldFolder(Path(folder), suffix)


class FolderSource:
    """The pictures of a folder.

    A million files stay small: kept are the keys, and for each the shared way its files are named.
    """

    def __init__(
        self,
        location: str,
        pictures: PictureIndex,
        *,
        inputs: Sequence[str],
        fields: Mapping[str, PictureIndex],
        columns: Mapping[str, str] | None = None,
        carried: Mapping[str, File] | None = None,
    ) -> None:
        """Join an index with those of the fields.

        Args:
            location: as the user wrote it.
            pictures: those of the first input.
            inputs: what the model takes; a sample that lacks one has a problem.
            fields: pictures of the other inputs, and of what else was named.
            columns: metadata by relative path of the picture, as JSON text.
            carried: files of the whole data set.

        Raises:
            SourceError: a field fits none of the pictures.
        """
        self.location = location
        self.carried = carried or {}
        self._pictures = pictures
        self._inputs = inputs
        self._fields = fields
        self._columns = columns or {}
        self.parts: Sequence[Part] = (Part("", tuple(pictures.keys), splittable=True),)
        for name, index in fields.items():
            if not any(index.match(pictures, key) for key in pictures.keys):
                raise _no_match(name, index, pictures)

    def names(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield each key with its sidecars' suffixes."""
        others = [name for name in self._fields if not is_seen(name, self._inputs)]
        for key in self._pictures.keys:
            found = {name: self._fields[name].match(self._pictures, key) for name in others}
            ends = [travels_as(name, path.name) for name, path in found.items() if path]
            yield key, (*self._pictures.sidecars(key), *ends)

    def read(self, part: str, keys: Sequence[str] | None) -> Iterator[Sample]:
        """Yield the samples, in the order of the paths."""
        del part
        known = self._pictures.keys
        for key in known if keys is None else keys:
            if key in known:
                yield self._sample(key)
            else:
                yield lost_sample(key, self.location)

    def _sample(self, key: str) -> Sample:
        pictures = self._pictures
        path = pictures.path(key)
        files, problem = {self._inputs[0]: _file(path)}, ""
        for name, index in self._fields.items():
            if found := index.match(pictures, key):
                files[name] = _file(found)
            elif name in self._inputs:
                problem = problem or f"no {name} for '{key}' in {_show(index)}"
        sidecars = {end: _file(pictures.sidecar(key, end)) for end in pictures.sidecars(key)}
        text = self._columns.get(path.relative_to(pictures.root).as_posix(), "{}")
        return make_sample(
            key,
            files,
            self._inputs,
            sidecars=sidecars,
            columns=json.loads(text),
            problem=problem,
        )


def list_files(root: Path, paths: Sequence[str]) -> dict[str, File]:
    """Return the files at these paths below `root`."""
    return {path: _file(root / path) for path in paths}


def _file(path: Path) -> File:
    return File(str(path), path)


def _show(index: PictureIndex) -> str:
    return str(FieldFolder(index.root, index.suffix))


def _no_match(name: str, index: PictureIndex, pictures: PictureIndex) -> SourceError:
    mine, theirs = next(iter(pictures.keys)), next(iter(index.keys))
    return SourceError(
        f"no {name} in {_show(index)} fits an input: the inputs of {_show(pictures)} have keys "
        f"like '{mine}', it has '{theirs}'",
        hint=f"keys must be equal; {_flag(name)}DIR:SUFFIX cuts a suffix off",
    )


def _flag(name: str) -> str:
    """Return how a field's folder is given."""
    return "--style-from matched:" if name == f"{REFERENCE}image" else f"--field {name}="


def open_folder(
    location: str,
    root: Path,
    files: Sequence[str],
    *,
    inputs: Sequence[str],
    fields: Mapping[str, FieldFolder],
) -> FolderSource:
    """Return the source of all pictures below a folder.

    Pictures that a field names are no inputs. A field named as the first input chooses the inputs.

    Args:
        location: as the user wrote it.
        root: the folder.
        files: what `walk` found there.
        inputs: what the model takes.
        fields: where the pictures of the fields are.

    Raises:
        SourceError: no pictures, clashing keys, or a field that is missing or fits nothing.
    """
    primary = fields.get(inputs[0], FieldFolder(root))
    if primary.prefix_in(root) is None:
        raise SourceError(
            f"--field {inputs[0]}={primary} is outside of {location}",
            hint=f"'{inputs[0]}' is the input itself: give its folder as the input",
        )
    others = {name: folder for name, folder in fields.items() if name != inputs[0]}
    _check_given(inputs, others, location)
    files = files if primary.path == root else walk(primary.path)
    columns, table = read_columns(primary.path, files)
    kept = _without_fields(primary, [path for path in files if path != table], others)
    pictures = PictureIndex(primary.path, kept, primary.suffix)
    if not pictures.keys:
        raise _no_pictures(primary, files)
    return FolderSource(
        location,
        pictures,
        inputs=inputs,
        fields={name: _index_field(folder) for name, folder in others.items()},
        columns=columns,
        carried=list_files(primary.path, pictures.strays),
    )


def open_picture(
    location: str, path: Path, *, inputs: Sequence[str], fields: Mapping[str, FieldFolder]
) -> FolderSource:
    """Return the source of one picture, with the files beside it that have its stem."""
    if inputs[0] in fields:
        raise SourceError(f"--field {inputs[0]}=… is of no use: the input is one picture")
    _check_given(inputs, fields, location)
    stem = split_picture(path.name)[0]
    names = [entry.name for entry in scan(path.parent) if Path(entry).is_file()]
    beside = [name for name in names if name.startswith(f"{stem}.") and not split_picture(name)[1]]
    return FolderSource(
        location,
        PictureIndex(path.parent, [path.name, *beside]),
        inputs=inputs,
        fields={name: _index_field(folder) for name, folder in fields.items()},
    )


def _check_given(inputs: Sequence[str], fields: Collection[str], location: str) -> None:
    for name in inputs[1:]:
        if name not in fields:
            raise SourceError(
                f"the model takes {' and '.join(inputs)}, but no {name} is given for {location}",
                hint=f"--field {name}=DIR[:SUFFIX]",
            )


def _without_fields(
    primary: FieldFolder, paths: Sequence[str], fields: Mapping[str, FieldFolder]
) -> list[str]:
    """Return the paths of a folder that are not pictures of a field."""
    taken = []
    for name, folder in fields.items():
        prefix = folder.prefix_in(primary.path)
        if prefix == folder.suffix == "" and not primary.suffix:
            raise SourceError(
                f"--field {name}={folder} is the folder of the inputs themselves",
                hint=f"--field {name}={folder}:SUFFIX names those that end with SUFFIX",
            )
        if prefix is not None and (prefix or folder.suffix):
            taken.append((prefix, folder.suffix))

    def is_taken(path: str) -> bool:
        stem, end = split_picture(path)
        return bool(end) and any(
            stem.startswith(prefix) and stem.endswith(suffix) for prefix, suffix in taken
        )

    return [path for path in paths if not is_taken(path)]


def _index_field(folder: FieldFolder) -> PictureIndex:
    files = walk(folder.path)
    index = PictureIndex(
        folder.path, [path for path in files if split_picture(path)[1]], folder.suffix
    )
    if not index.keys:
        raise _no_pictures(folder, files)
    return index


def _no_pictures(folder: FieldFolder, files: Sequence[str]) -> SourceError:
    if files and folder.suffix:
        return SourceError(
            f"none of the {len(files)} files in {folder.path} is a picture whose stem ends with "
            f"'{folder.suffix}'; the first is {files[0]}"
        )
    return no_pictures(str(folder), files)


def no_pictures(folder: str, files: Sequence[str]) -> SourceError:
    """Return the error for a folder without pictures: it says what is there."""
    if not files:
        return SourceError(f"no pictures in {folder}: it is empty")
    seen = Counter(PurePosixPath(path).suffix.lower() for path in files)
    listed = " ".join(end for end, _ in sorted(seen.most_common(8)) if end) or "none"
    return SourceError(f"no pictures among {len(files)} files in {folder}; suffixes seen: {listed}")


def read_columns(root: Path, paths: Collection[str]) -> tuple[dict[str, str], str]:
    """Return the columns of a Hugging Face `imagefolder` by relative path, and its table's name.

    `metadata.jsonl` must be such a table, as the outputs' own takes that name; a `metadata.csv` may
    be something else.
    """
    table = next((name for name in ("metadata.jsonl", "metadata.csv") if name in paths), "")
    columns: dict[str, str] = {}
    for where, row in read_rows(root / table) if table else ():
        if "file_name" not in row and table == "metadata.csv":
            return {}, ""
        name = _pop_file_name(where, row)
        columns[name] = json.dumps(row)
    return columns, table


def _pop_file_name(where: str, row: dict[str, Any]) -> str:
    name = row.pop("file_name", None)
    if not isinstance(name, str) or not name:
        raise SourceError(
            f"{where}: no 'file_name'",
            hint="rename the file: outputs get a metadata.jsonl of their own",
        )
    return PurePosixPath(name).as_posix()
