"""Hashes of the files and folders that steps read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from i2ikit.recipes.lock import write_atomically


def is_there(place: str | Path) -> bool:
    """Tell whether a text is the path of something; texts that can't be paths are not."""
    try:
        return Path(place).exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False


class Digests:
    """SHA-256 of contents; a file is read again only if its size or time has changed."""

    def __init__(self, kept: Path) -> None:
        """Take over what an earlier run has kept in a file."""
        self._kept = kept
        self._known: dict[str, tuple[int, int, str]] = {}
        try:
            self._known = {k: tuple(v) for k, v in json.loads(kept.read_bytes()).items()}
        except (OSError, ValueError):  # none yet, or cut short: it is only a cache
            return

    def save(self) -> None:
        """Keep the hashes of files for the next run."""
        write_atomically(self._kept, json.dumps(self._known))

    def of(self, place: Path, without: Collection[Path] = ()) -> str:
        """Return the hash of a file, or of a folder's names and contents; "" if there is no file.

        Names that begin with a dot don't count.

        Args:
            place: file or folder.
            without: absolute paths in it that don't count.
        """
        if place.is_file():
            return self._of_file(place)
        total = hashlib.sha256()
        found = sorted(_walk(place, without), key=lambda path: path.as_posix())
        for path in found:
            total.update(f"{path.relative_to(place).as_posix()}\0{self._of_file(path)}\n".encode())
        return total.hexdigest() if found else ""

    def _of_file(self, path: Path) -> str:
        about, name = path.stat(), str(path.absolute())
        size, time, digest = self._known.get(name, (-1, -1, ""))
        if (size, time) != (about.st_size, about.st_mtime_ns):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._known[name] = (about.st_size, about.st_mtime_ns, digest)
        return digest


def _walk(folder: Path, without: Collection[Path]) -> Iterator[Path]:
    """Yield the files below a folder, links followed but not in circles."""
    seen: set[Path] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        here = Path(root).resolve()
        if here in seen or here in without:
            folders.clear()
            continue
        seen.add(here)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(root, name)
            if not name.startswith(".") and here / name not in without and path.is_file():
                yield path
