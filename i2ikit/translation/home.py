"""Where the records of a run are kept: the folder `.i2ikit` in OUT."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from i2ikit.data.keys import escapes


@dataclass(frozen=True)
class Home:
    """The places of a run's records.

    Attributes:
        root: OUT.
        name: what the folder is called; another name for records that are set aside.
    """

    root: Path
    name: str = ".i2ikit"

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.root / self.name

    @property
    def plan(self) -> Path:
        """The plan, which makes the folder that of a run."""
        return self.folder / "plan.json"

    @property
    def receipts(self) -> Path:
        """What shards that are done have left."""
        return self.folder / "receipts"

    @property
    def notes(self) -> Path:
        """What shards under way have noted; a small folder, as it is searched for each shard."""
        return self.folder / "notes"

    @property
    def scratch(self) -> Path:
        """Files that are not in their places yet; removed when the run is complete."""
        return self.folder / "tmp"

    @property
    def removed(self) -> Home:
        """The records of a run that is being removed."""
        return Home(self.root, ".i2ikit-removed")

    def scratch_file(self) -> Path:
        """Return a new name in `scratch`."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        return self.scratch / uuid.uuid4().hex

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other start works on the plan or the merged records, and keep it so.

        The lock is the system's, on OUT itself, so that a killed process holds nothing. Where the
        system or the file system has no such locks, starts are trusted not to coincide.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            import fcntl

            descriptor = os.open(self.root, os.O_RDONLY)
        except (ImportError, PermissionError):
            yield
            return
        try:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def remove_files(root: Path, names: Iterable[str]) -> None:
    """Delete files below `root` by their names, and the folders that they leave empty.

    A name that leads out of `root`, as only tampered records have, is left alone.
    """
    places = [root / name for name in names if not escapes(name)]
    for place in places:
        place.unlink(missing_ok=True)
    for folder in sorted({place.parent for place in places}, reverse=True):
        _remove_empty(folder, root)


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
