"""The records of a feed: `manifest.jsonl`, a line a picture, and `feed.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ikit.data.manifests import read_rows
from i2ikit.errors import RunError, SourceError

MANIFEST, HEAD = "manifest.jsonl", "feed.json"
REJECTED, LEFT_OUT = "rejected.jsonl", "left_out.jsonl"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A picture of a feed; the names are relative to its folder, or TAR/MEMBER.

    Attributes:
        file_name: its file.
        split: "train" or another.
        origin: "original", "translated" or "target".
        source_key: the key of the source; a target picture's own.
        style_index: which translation of its source it is.
        sha256: of its file.
        class_name: its class; None with a mask or objects.
        mask: its mask, class ids if there was a map.
        mask_sha256: of the mask's file.
        source_mask: the mask with the source's ids, kept beside a mapped one.
        source_mask_sha256: of that file.
        objects: the file of its objects, of the format that it had.
        objects_sha256: of that file.
        object_classes: how many objects of each class that file holds.
        epoch: the only epoch that shows it; None: all do.
        source_sha256: of the source's picture, where it was read.
        model: that translated it.
        checkpoint: SHA-256 of the model's weights.
        geometry: how its pixels lie to those of the source, as `metadata.jsonl` has it.
    """

    file_name: str
    split: str
    origin: str
    source_key: str
    style_index: int | None
    sha256: str
    class_name: str | None = None
    mask: str | None = None
    mask_sha256: str | None = None
    source_mask: str | None = None
    source_mask_sha256: str | None = None
    objects: str | None = None
    objects_sha256: str | None = None
    object_classes: Mapping[str, int] | None = None
    epoch: int | None = None
    source_sha256: str | None = None
    model: str | None = None
    checkpoint: str | None = None
    geometry: Mapping[str, Any] | None = None

    def to_line(self) -> str:
        """Return the line of the manifest, with a line feed."""
        row = {_JSON.get(name, name): getattr(self, name) for name in self.__slots__}
        kept = {k: value for k, value in row.items() if value is not None or k == "style_index"}
        return json.dumps(kept, ensure_ascii=False) + "\n"

    @property
    def files(self) -> Iterator[tuple[str, str]]:
        """Each file of the picture, with its SHA-256."""
        yield self.file_name, self.sha256
        for name, digest in (
            (self.mask, self.mask_sha256),
            (self.source_mask, self.source_mask_sha256),
            (self.objects, self.objects_sha256),
        ):
            if name is not None:
                yield name, digest or ""


_JSON = {"class_name": "class"}
_NAMES = {"class": "class_name"}


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as lines of JSON; nothing if there are none."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    if lines:
        path.write_text("".join(lines), encoding="utf-8")


def read_manifest(feed: Path) -> Iterator[Row]:
    """Yield the pictures of a feed, in order.

    Raises:
        SourceError: the manifest can't be read; the message has the line.
    """
    for where, row in read_rows(feed / MANIFEST):
        try:
            yield Row(**{_NAMES.get(name, name): value for name, value in row.items()})
        except TypeError:
            raise SourceError(f"{where}: no line that `i2ikit feed build` writes") from None


def write_head(feed: Path, head: Mapping[str, Any], generated: Iterable[str]) -> None:
    """Write `feed.json`, with the SHA-256 of the files that were made for the feed."""
    files = {name: hash_bytes((feed / name).read_bytes()) for name in sorted(generated)}
    whole = {"format": FORMAT, **head, "files": files}
    (feed / HEAD).write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", "utf-8")


def read_head(feed: Path) -> dict[str, Any]:
    """Return what `feed.json` says.

    Raises:
        RunError: the folder holds no feed, or one that this version can't read.
    """
    try:
        head = json.loads((feed / HEAD).read_text(encoding="utf-8"))
        is_known = head["format"] == FORMAT
    except (FileNotFoundError, NotADirectoryError):
        hint = "name the FEED of i2ikit feed build"
        raise RunError(f"{feed} holds no feed: it has no {HEAD}", hint=hint) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{feed / HEAD} can't be read: {error}") from None
    if not is_known:
        raise RunError(f"{feed} was built by another version of i2ikit", hint="build it again")
    return dict(head)


def hash_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes, as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
