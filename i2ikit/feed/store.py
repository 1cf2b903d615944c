"""Files by their names below a folder, where a name may lead into a tar: `a-000.tar/dog/1.png`."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from i2ikit.data.keys import escapes
from i2ikit.data.samples import File
from i2ikit.errors import SampleError

_TAR = ".tar"
_END = 2 * tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Store:
    """The files of a folder; safe to read from several threads and processes at once."""

    root: Path

    def __contains__(self, name: str) -> bool:
        tar, member = split_name(self.root, name)
        if escapes(name):
            return False
        return (self.root / name).is_file() if not tar else member in self._index(tar)

    def file(self, name: str) -> File:
        """Return a file: where it lies, or its bytes if it is a member of a tar.

        Raises:
            SampleError: the tar can't be read, or lacks it; or the name leads elsewhere.
        """
        if escapes(name):
            raise SampleError(f"'{name}' is no name below {self.root}")
        tar, member = split_name(self.root, name)
        shown = str(self.root / name)
        return File(shown, self._read_member(tar, member) if tar else self.root / name)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            SampleError: it is gone, cut off or unreadable.
        """
        return self.file(name).read()

    def members(self, tar: str) -> Mapping[str, tuple[int, int]]:
        """Return where each member of a tar begins, and its length in bytes.

        Raises:
            SampleError: the tar can't be read.
        """
        return self._index(tar)

    def is_cut_off(self, tar: str) -> bool:
        """Tell whether a tar lacks its end: two blocks of zeros."""
        with (self.root / tar).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _END))
            end = file.read()
        return len(end) < _END or any(end)

    def _index(self, tar: str) -> Mapping[str, tuple[int, int]]:
        path = self.root / tar
        try:
            status = path.stat()
            return _index_tar(path, status.st_mtime_ns, status.st_size)
        except (OSError, tarfile.TarError) as error:
            raise SampleError(f"{path} can't be read as a tar: {error}") from None

    def _read_member(self, tar: str, member: str) -> bytes:
        index, path = self._index(tar), self.root / tar
        if member not in index:
            raise SampleError(f"{path} holds no '{member}'")
        start, length = index[member]
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(length)
        if len(data) < length:
            raise SampleError(f"{path} is cut off within '{member}'")
        return data


def split_name(root: Path, name: str) -> tuple[str, str]:
    """Return the tar that a name leads into and the member's name, or "" and the name."""
    end = name.find(f"{_TAR}/")
    if end < 0 or not (root / name[: end + len(_TAR)]).is_file():
        return "", name
    return name[: end + len(_TAR)], name[end + len(_TAR) + 1 :]


@lru_cache(maxsize=64)
def _index_tar(path: Path, changed: int, size: int) -> Mapping[str, tuple[int, int]]:
    """Return the places of a tar's members; time and size tell a changed tar apart."""
    del changed, size
    with tarfile.open(path, "r:") as archive:
        return {m.name: (m.offset_data, m.size) for m in archive if m.isreg()}
