"""The pictures of one folder: found by walking it, indexed by key with what travels along."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, KeysView, Sequence
from pathlib import Path
from typing import NamedTuple

from i2ikit.data.keys import is_hidden, is_utf8, make_keys, split_picture
from i2ikit.errors import SourceError


def walk(root: Path) -> list[str]:
    """Return the relative POSIX paths of all files below `root`, in code point order.

    Hidden files and folders are left out; linked folders are followed, but not in circles.

    Raises:
        SourceError: a folder that can't be listed, or a name that is not UTF-8.
    """
    paths = sorted(_files(root, "", ()))
    for path in paths:
        if not is_utf8(path):
            raise SourceError(f"the name {path!r} in {root} is not UTF-8", hint="rename the file")
    return paths


def scan(folder: Path) -> list[os.DirEntry[str]]:
    """Return what a folder holds, in code point order, without what is hidden.

    Raises:
        SourceError: the folder can't be listed.
    """
    try:
        entries = [entry for entry in os.scandir(folder) if not is_hidden(entry.name)]
    except OSError as error:
        raise SourceError(f"{folder} can't be listed: {error.strerror}") from None
    return sorted(entries, key=lambda entry: entry.name)


def _files(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    entries, status = scan(folder), folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for entry in entries:
        if _is_folder(entry):
            yield from _files(Path(entry.path), f"{prefix}{entry.name}/", (*above, here))
        elif _is_file(entry):
            yield prefix + entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _is_file(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():  # a broken link counts, so that reading it is recorded as a failure
        return Path(entry.path).is_file() or not Path(entry.path).exists()
    return entry.is_file()


class _Names(NamedTuple):
    """How a sample's files are named; one object serves all samples whose files are named alike."""

    kept: int  # length of the suffix that the key keeps because others share its stem
    picture: str  # what follows the stem in the picture's name: ".png", "_gtFine_labelIds.png"
    sidecars: tuple[str, ...]  # what follows it in the names of what travels along


class PictureIndex:
    """The pictures of a folder by key.

    Attributes:
        root: the folder.
        suffix: what ends the stems of its pictures, and is no part of the keys.
        strays: the other files that belong to no picture.
    """

    def __init__(self, root: Path, paths: Sequence[str], suffix: str = "") -> None:
        """Index relative paths; pictures whose stem does not end with `suffix` are left out.

        Raises:
            SourceError: two pictures have one key.
        """
        self.root = root
        self.suffix = suffix
        split = [split_picture(path) for path in paths]
        pictures = [(stem, end) for stem, end in split if end and self._selects(stem)]
        owned, self.strays = _match_sidecars(
            {stem for stem, _ in pictures}, [path for path, end in split if not end]
        )
        self._names: dict[str, _Names] = {}
        shared: dict[_Names, _Names] = {}
        cut = [(stem.removesuffix(suffix), end) for stem, end in pictures]
        for key, (stem, end), short in zip(make_keys(cut), pictures, cut, strict=True):
            if key in self._names:
                raise SourceError(
                    f"{self.path(key)} and {root / (stem + end)} would both be named '{key}'",
                    hint="rename one of them",
                )
            names = _Names(len(key) - len(short[0]), suffix + end, tuple(owned.get(stem, ())))
            self._names[key] = shared.setdefault(names, names)

    def _selects(self, stem: str) -> bool:
        """Tell whether a picture of this stem is one of the index."""
        key = stem.removesuffix(self.suffix)
        return stem.endswith(self.suffix) and key != "" and not key.endswith("/")

    @property
    def keys(self) -> KeysView[str]:
        """The keys in the order of the paths."""
        return self._names.keys()

    def _stem(self, key: str) -> str:
        return key[: len(key) - self._names[key].kept]

    def path(self, key: str) -> Path:
        """Return the picture of a key."""
        return self.root / (self._stem(key) + self._names[key].picture)

    def sidecars(self, key: str) -> tuple[str, ...]:
        """Return what follows the stem in the names of the files that travel with a picture."""
        return self._names[key].sidecars

    def sidecar(self, key: str, suffix: str) -> Path:
        """Return the path of one of them."""
        return self.root / (self._stem(key) + self.suffix + suffix)

    def match(self, other: PictureIndex, key: str) -> Path | None:
        """Return the picture here for a key of another index: of its key, stem or full name."""
        stem = other._stem(key)
        for name in (key, stem, stem + split_picture(other._names[key].picture)[1]):
            if name in self._names:
                return self.path(name)
        return None


def _match_sidecars(
    stems: Collection[str], paths: Sequence[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return what follows each stem in the names of its files, and the files without one.

    The longest stem wins: `a.mask.txt` belongs to the picture `a.mask.png`, else to `a.png`.
    """
    owned: dict[str, list[str]] = defaultdict(list)
    strays = []
    for path in paths:
        end = len(path)
        start = path.rfind("/") + 1
        while (end := path.rfind(".", start, end)) > start and path[:end] not in stems:
            pass
        if end > start:
            owned[path[:end]].append(path[end:])
        else:
            strays.append(path)
    return owned, strays
