"""Manifests: tables of pictures, one row a sample, as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ikit.data.keys import key_problem, lexical_path, make_keys, names_below, split_picture
from i2ikit.data.samples import (
    File,
    Part,
    Sample,
    check_url,
    is_seen,
    lost_sample,
    make_sample,
    travels_as,
)
from i2ikit.errors import SourceError, did_you_mean

MANIFEST_SUFFIXES = frozenset({".csv", ".jsonl", ".parquet"})

#: What the column of the first input may be called, beside the input's own name.
_ALIASES = ("file_name", "path", "file")

#: A row: its place for messages ("a.csv, line 3"), and its cells by column.
Row = tuple[str, dict[str, Any]]


def read_rows(path: Path) -> Iterator[Row]:
    """Yield a table's rows, each with its place in the file.

    Raises:
        SourceError: unreadable, or a row that breaks the format; the message has the line.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    try:
        yield from readers[path.suffix.lower()](path)
    except UnicodeDecodeError:
        raise SourceError(f"{path} is not UTF-8", hint="save it as UTF-8") from None
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}") from None


def _read_csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            columns = reader.fieldnames or ()
            twice = [name for name in columns if list(columns).count(name) > 1]
            if twice:
                raise SourceError(f"{path}: two columns are named '{twice[0]}'")
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise SourceError(f"{where}: expected {len(columns)} cells as in the header")
                yield where, row
        except csv.Error as error:
            raise SourceError(f"{path}, line {reader.reader.line_num}: {error}") from None


def _read_jsonl(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise SourceError(f"{where}: not valid JSON: {error}") from None
            if not isinstance(row, dict):
                raise SourceError(f"{where}: expected a JSON object, not {line.strip()[:40]}")
            yield where, row


def _read_parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SourceError(
            f"{path} can't be read without pyarrow", hint="pip install 'i2ikit[parquet]'"
        ) from None
    number = 0
    try:
        with ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row
    except ArrowException as error:
        raise SourceError(f"{path} can't be read as Parquet: {error}") from None


class ManifestSource:
    """The samples of a manifest; paths are relative to its folder, absolute, or URLs.

    A million rows stay small: a row is kept as its paths and the JSON text of its other cells.
    """

    def __init__(self, location: str, *, inputs: Sequence[str], fields: Mapping[str, str]) -> None:
        """Read and check all rows.

        Raises:
            SourceError: no rows, a missing column, an empty cell, an unusable or a doubled key;
                the message has the line.
        """
        self.location = location
        self.carried: Mapping[str, File] = {}
        self._folder = Path(location).parent
        rows = read_rows(Path(location))
        first = next(rows, None)
        if first is None:
            raise SourceError(f"{location} has no rows")
        self._columns = _find_columns(location, list(first[1]), inputs, fields)
        self._inputs = tuple(inputs)
        self._rows = self._index(first, rows)
        self.parts: Sequence[Part] = (Part("", tuple(self._rows), splittable=True),)

    def names(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield each key with the suffixes of the pictures that travel along."""
        for key, row in self._rows.items():
            paths = zip(self._columns, row[:-1], strict=True)
            others = ((name, path) for name, path in paths if path)
            yield key, [travels_as(*one) for one in others if not is_seen(one[0], self._inputs)]

    def read(self, part: str, keys: Sequence[str] | None) -> Iterator[Sample]:
        """Yield the samples, in the order of the rows."""
        del part
        for key in self._rows if keys is None else keys:
            row = self._rows.get(key)
            if row is None:
                yield lost_sample(key, self.location)
            else:
                yield self._sample(key, row)

    def _index(self, first: Row, rows: Iterator[Row]) -> dict[str, tuple[str, ...]]:
        places: list[str] = []
        given: list[str] = []
        kept: list[tuple[str, ...]] = []
        for where, row in (first, *rows):
            places.append(where)
            given.append(_given_key(where, row))
            kept.append(self._keep(where, row))
        made = self._make_keys([row[0] for row in kept])
        index: dict[str, tuple[str, ...]] = {}
        for where, own, default, cells in zip(places, given, made, kept, strict=True):
            key = own or default
            if problem := key_problem(key):
                raise SourceError(f"{where}: {problem}", hint="give it a column 'key'")
            if key in index:
                raise SourceError(
                    f"{where}: the key '{key}' is taken by an earlier row",
                    hint="give every row a 'key' of its own",
                )
            index[key] = cells
        return index

    def _keep(self, where: str, row: dict[str, Any]) -> tuple[str, ...]:
        """Return a row's paths, in the order of the columns, and the JSON of its other cells."""
        paths = []
        for name, column in self._columns.items():
            cell = row.get(column)
            if cell in (None, "") and name not in self._inputs:
                paths.append("")
                continue
            if not isinstance(cell, str) or not cell or "\0" in cell:
                what = "is empty" if cell in (None, "") else f"holds {cell!r}, not a path"
                raise SourceError(f"{where}: the column '{column}' {what}")
            paths.append(_check_path(where, cell))
        used = {*self._columns.values(), "key"}
        others = {name: cell for name, cell in row.items() if name not in used}
        return (*paths, _to_json(where, others))

    def _make_keys(self, paths: Sequence[str]) -> list[str]:
        """Return keys relative to the manifest's folder, or to the one that holds all pictures."""
        folder = lexical_path(self._folder.as_posix())
        places = [lexical_path(path, folder) for path in paths]
        return list(make_keys([split_picture(name) for name in names_below(places, folder)]))

    def _sample(self, key: str, row: tuple[str, ...]) -> Sample:
        fields, problem = {}, ""
        for name, path in zip(self._columns, row[:-1], strict=True):
            if path:
                fields[name] = self._file(path)
        for name, file in fields.items():
            if isinstance(file.data, Path) and not file.data.is_file():
                problem = problem or f"{name} {file.name} does not exist"
        columns = json.loads(row[-1])
        return make_sample(key, fields, self._inputs, columns=columns, problem=problem)

    def _file(self, path: str) -> File:
        if "://" in path:
            return File(path, path)
        place = self._folder / path
        return File(str(place), place)


def _find_columns(
    location: str, columns: Sequence[str], inputs: Sequence[str], fields: Mapping[str, str]
) -> dict[str, str]:
    """Return the column of each field."""
    found = {}
    for name in dict.fromkeys((*inputs, *fields)):
        column = fields.get(name, name)
        if column not in columns and name == inputs[0] and name not in fields:
            column = next((alias for alias in _ALIASES if alias in columns), column)
        if column not in columns:
            raise SourceError(
                f"{location} has no column '{column}'", hint=did_you_mean(column, columns)
            )
        found[name] = column
    return found


def _given_key(where: str, row: Mapping[str, Any]) -> str:
    key = row.get("key")
    if key is None or isinstance(key, (str, int)):
        return "" if key is None else str(key)
    raise SourceError(f"{where}: the column 'key' holds {key!r}, not text")


def _check_path(where: str, path: str) -> str:
    if path.startswith("pipe:"):
        raise SourceError(f"{where}: '{path}' was refused: no commands are run")
    if "://" in path:
        try:
            check_url(path)
        except SourceError as error:
            raise SourceError(f"{where}: {error.message}") from None
    return path


def _to_json(where: str, cells: Mapping[str, Any]) -> str:
    """Return the cells as JSON text; dates and the like as their usual text."""

    def plain(value: object) -> str:
        if isinstance(value, bytes):
            raise SourceError(f"{where}: bytes in a column can't join the metadata of the outputs")
        return str(value)

    return json.dumps(dict(cells), default=plain)
