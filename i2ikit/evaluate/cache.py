"""Features kept from one evaluation to the next, by the content of the picture's file.

A file of SQLite for each feature space, in `~/.cache/i2ikit/features`; any may be deleted at any
time. Several processes may use it at once. Where it can't be used, nothing but time is lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from i2ikit.evaluate.features import Rows

#: SQLite takes no more values in a statement, in old builds.
_MOST_VALUES = 900


class FeatureCache:
    """Feature vectors by the SHA-256 of a file.

    Attributes:
        problem: why the cache can't be used; "" while it can.
    """

    def __init__(self, space: str, dims: int, folder: Path | None = None) -> None:
        """Open the cache of a feature space, or note the problem.

        Args:
            space: a digest of everything that decides a feature besides the file.
            dims: length of a feature vector.
            folder: where caches lie; None: in the user's cache folder.
        """
        self.problem = ""
        self._dims = dims
        self._database: sqlite3.Connection | None = None
        try:
            folder = folder or Path.home() / ".cache" / "i2ikit" / "features"
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(folder / f"{space[:32]}.sqlite", timeout=30)
            self._database.execute("PRAGMA synchronous=OFF")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS features (file BLOB PRIMARY KEY, row BLOB NOT NULL)"
                " WITHOUT ROWID"
            )
        except (OSError, RuntimeError, sqlite3.Error) as error:  # RuntimeError: nobody's home
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.problem = str(error)
        self.close()

    def find(self, files: Sequence[str]) -> dict[str, Rows]:
        """Return the features known of files, by their SHA-256."""
        found: dict[str, Rows] = {}
        for start in range(0, len(files), _MOST_VALUES):
            found |= self._find(files[start : start + _MOST_VALUES])
        return found

    def _find(self, files: Sequence[str]) -> dict[str, Rows]:
        if self._database is None:
            return {}
        marks = ",".join("?" * len(files))
        query = f"SELECT file, row FROM features WHERE file IN ({marks})"
        try:
            rows = self._database.execute(query, [bytes.fromhex(file) for file in files]).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return {}
        vectors = {file.hex(): np.frombuffer(row, dtype=np.float32) for file, row in rows}
        return {file: row for file, row in vectors.items() if len(row) == self._dims}

    def put(self, rows: Mapping[str, Rows]) -> None:
        """Keep features, by the SHA-256 of their files."""
        if self._database is None or not rows:
            return
        values = [
            (bytes.fromhex(file), np.asarray(row, dtype=np.float32).tobytes())
            for file, row in rows.items()
        ]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", values)
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        """End the use of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None
