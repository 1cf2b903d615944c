"""Where outputs go: a folder, or a tar.

Nothing half written is ever seen under its name: bytes go to a scratch file, which is then renamed.
Files are not flushed to the disk one by one (fsync): what a killed process wrote is safe in the
system's cache, and a run commits a shard by its receipt. After a loss of power, audit the output.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from uuid import uuid4

from i2ikit.data.keys import escapes
from i2ikit.data.shards import TAR_SUFFIXES
from i2ikit.errors import RunError


class Writer(Protocol):
    """Takes a shard's outputs. As a context manager it closes, or aborts on an exception."""

    def add(self, files: Mapping[str, bytes]) -> None:
        """Write files that belong together, by their relative POSIX names.

        Raises:
            RunError: a name leads out of the output, or the disk refuses.
        """
        ...

    def close(self) -> None:
        """Put everything in its place."""
        ...

    def abort(self) -> None:
        """Remove what is not in its place."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort() if kind else self.close()


class FolderWriter(Writer):
    """Writes files below `root`, each at once in its place.

    `scratch` must be on the same file system.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root = root
        self._scratch = scratch
        self._made: set[Path] = set()

    def add(self, files: Mapping[str, bytes]) -> None:
        """Write each file and rename it into its place, over an older one if need be."""
        for name, data in files.items():
            target = _place(self._root, name)
            with _reported(target):
                self._refuse_link(target.parent)
                self._make_folder(target.parent)
                self._make_folder(self._scratch)
                _write(target, data, _scratch_file(self._scratch))

    def _refuse_link(self, folder: Path) -> None:
        """Refuse a folder that a link has put elsewhere."""
        if folder not in self._made and not folder.resolve().is_relative_to(self._root.resolve()):
            raise RunError(
                f"{folder} is a link that leads out of {self._root}", hint="remove the link"
            )

    def _make_folder(self, folder: Path) -> None:
        if folder not in self._made:
            folder.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)

    def close(self) -> None:
        """Do nothing: every file is in its place."""

    def abort(self) -> None:
        """Do nothing: every file is in its place or gone."""


class TarWriter(Writer):
    """Writes a tar that comes to its place when it is closed.

    The bytes depend on the names and contents alone. `scratch` must be on the same file system.
    """

    def __init__(self, root: Path, name: str, scratch: Path) -> None:
        """Begin the tar `root/name`."""
        self._target = _place(root, name)
        self._scratch = _scratch_file(scratch)
        self._names: set[str] = set()
        with _reported(self._target):
            scratch.mkdir(parents=True, exist_ok=True)
            self._tar = tarfile.TarFile(self._scratch, "x", format=tarfile.PAX_FORMAT)

    def add(self, files: Mapping[str, bytes]) -> None:
        """Append the files side by side, so that webdataset reads them as one sample."""
        for name, data in files.items():
            _check_name(name)
            if name in self._names:
                raise RunError(f"{self._target} would hold '{name}' twice")
            self._names.add(name)
            member = tarfile.TarInfo(name)  # time, owner and mode are fixed: 0, nobody, 0644
            member.size = len(data)
            with _reported(self._target):
                self._tar.addfile(member, io.BytesIO(data))

    def close(self) -> None:
        """End the tar and rename it into its place; if that fails, it is removed."""
        with _reported(self._target):
            try:
                self._tar.close()
                self._target.parent.mkdir(parents=True, exist_ok=True)
                self._scratch.replace(self._target)
            finally:
                self._scratch.unlink(missing_ok=True)

    def abort(self) -> None:
        """Remove the unfinished tar."""
        with suppress(OSError):  # closing writes, and a full disk must not hide the first error
            self._tar.close()
        self._scratch.unlink(missing_ok=True)


def tar_name(part: str) -> str:
    """Return the name of the tar written for one read: never compressed, so always `.tar`."""
    end = next((end for end in TAR_SUFFIXES if part.lower().endswith(end)), "")
    return part[: len(part) - len(end)] + ".tar"


def _write(target: Path, data: bytes, scratch: Path) -> None:
    try:
        scratch.write_bytes(data)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


def _scratch_file(folder: Path) -> Path:
    return folder / f"{uuid4().hex}.part"  # never another worker's, on any machine


def _check_name(name: str) -> None:
    if escapes(name):
        raise RunError(f"'{name}' was refused as the name of an output: it leads elsewhere")


def _place(root: Path, name: str) -> Path:
    _check_name(name)
    return root / name


@contextmanager
def _reported(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{target} can't be written: {error.strerror or error}",
            hint="run the same command again to go on from here",
        ) from None
