"""What flows through a run: samples, and the sources that they come from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from i2ikit.errors import SampleError, SourceError


@dataclass(frozen=True)
class File:
    """A named blob: a file on disk, one at a URL, or bytes already read from a tar."""

    name: str  # as a user would find it: a path, a URL, or TAR/MEMBER
    data: Path | bytes | str  # text is a URL

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            SampleError: the file is gone or unreadable.
        """
        if isinstance(self.data, bytes):
            return self.data
        if isinstance(self.data, str):
            return _read_url(self.data)
        try:
            return self.data.read_bytes()
        except OSError as error:
            raise SampleError(f"{self.name} can't be read: {error.strerror}") from None


def _read_url(url: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(url, "rb") as stream:
            return bytes(stream.read())
    except Exception as error:  # every storage backend raises errors of its own
        raise SampleError(f"{url} can't be read: {error or type(error).__name__}") from None


def check_url(url: str) -> None:
    """Do nothing if the package that reads this URL's protocol is installed.

    Raises:
        SourceError: it isn't, or nothing reads that protocol.
    """
    import fsspec

    for link in url.split("::"):  # fsspec chains caches and storages: simplecache::s3://…
        try:
            fsspec.get_filesystem_class(link.partition("://")[0])
        except ImportError as error:
            raise SourceError(f"{url} can't be read: {str(error).rstrip('.')}") from None
        except ValueError:
            raise SourceError(f"{url} can't be read: unknown protocol") from None


@dataclass(frozen=True)
class Sample:
    """One data-set record.

    Attributes:
        key: the name its outputs are made from, with `/` between folders and no suffix.
        fields: what the model sees, by field name: its inputs, and `reference.*`.
        sidecars: what travels along, by what follows the key in its name (".txt", ".mask.png"):
            the other files of its name, and the other pictures named with `--field`.
        columns: values that join the metadata line of every output.
        problem: why the sample can't be translated, if that is known before it is read.
    """

    key: str
    fields: Mapping[str, File]
    sidecars: Mapping[str, File] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def lost_sample(key: str, location: str) -> Sample:
    """Return what a source yields for a key that it held when the run was planned."""
    return Sample(key, {}, problem=f"'{key}' is no longer in {location}")


#: Fields called so are of the sample's own example picture.
REFERENCE = "reference."


def is_seen(field: str, inputs: Collection[str]) -> bool:
    """Tell whether a model that takes `inputs` sees a field; the others travel along."""
    return field in inputs or field.startswith(REFERENCE)


def travels_as(field: str, name: str) -> str:
    """Return what follows the key in the name of a picture that travels along: `.mask.png`."""
    return f".{field}{PurePosixPath(name).suffix}"


def make_sample(
    key: str,
    files: Mapping[str, File],
    inputs: Collection[str],
    *,
    sidecars: Mapping[str, File] | None = None,
    columns: Mapping[str, Any] | None = None,
    problem: str = "",
) -> Sample:
    """Return a sample of the pictures found for its fields."""
    others = {
        travels_as(name, file.name): file
        for name, file in files.items()
        if not is_seen(name, inputs)
    }
    return Sample(
        key,
        {name: file for name, file in files.items() if is_seen(name, inputs)},
        {**(sidecars or {}), **others},
        columns or {},
        problem,
    )


@dataclass(frozen=True)
class Part:
    """A piece of a source that is read in one go.

    Attributes:
        name: "" for loose files, else the tar's name in the source ("train/a-000.tar").
        keys: the samples' keys in order; None where only reading tells (a remote tar).
        splittable: whether a plan may cut it into several shards.
    """

    name: str
    keys: tuple[str, ...] | None
    splittable: bool


class Source(Protocol):
    """Where samples come from.

    Attributes:
        location: as the user wrote it.
        parts: what there is to read.
        carried: files of the whole data set, by the name they get under OUT ("classes.txt").
    """

    location: str
    parts: Sequence[Part]
    carried: Mapping[str, File]

    def names(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield each known key with what its sidecars' names add to it (".txt")."""
        ...

    def read(self, part: str, keys: Sequence[str] | None) -> Iterator[Sample]:
        """Yield the samples of a part in order; only those of `keys`, if given.

        A key that the source no longer holds gives a sample with a problem.

        Raises:
            SourceError: a tar is damaged or cut off; everything before the damage was yielded.
        """
        ...
