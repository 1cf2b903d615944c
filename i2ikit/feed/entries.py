"""The pictures of a feed, or of another labelled set, before and after they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from torch import Tensor

from i2ikit.data.images import decode_image, to_tensor
from i2ikit.data.samples import File
from i2ikit.errors import SampleError, UsageError, did_you_mean
from i2ikit.feed.manifest import HEAD, read_head, read_manifest
from i2ikit.feed.store import Store
from i2ikit.labels.labelled import open_labelled
from i2ikit.model import RGB, InstanceMap

#: {"image": (3, H, W) float in [-1, 1], "label": int or (H, W) int64, "key", "file_name"}.
Example: TypeAlias = dict[str, Any]
Transform: TypeAlias = Callable[[Example], Any]


class Files(Protocol):
    """Reads files by name."""

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture with its label, not read yet.

    Attributes:
        file_name: as `files` knows it.
        key: of its source.
        label: the number of its class, or the name of its mask.
        epoch: the only one that shows it; None: all do.
    """

    file_name: str
    key: str
    label: int | str
    epoch: int | None = None


@dataclass(frozen=True)
class Entries:
    """The pictures of a split.

    Attributes:
        files: reads them.
        classes: the names of the classes, in the order of their numbers.
        every: the pictures, whatever their epoch.
        num_epochs: after so many epochs the first one's pictures come again.
    """

    files: Files
    classes: tuple[str, ...]
    every: tuple[Entry, ...]
    num_epochs: int

    def of_epoch(self, epoch: int) -> Sequence[Entry]:
        """Return the pictures that an epoch shows."""
        if self.num_epochs == 1:
            return self.every
        shown = epoch % self.num_epochs
        return [one for one in self.every if one.epoch in (None, shown)]

    def load(self, one: Entry, transform: Transform | None) -> Any:
        """Return the example of a picture, or what `transform` makes of it.

        Raises:
            SampleError: it can't be read, or its mask has another size.
        """
        picture = decode_image(self.files.read(one.file_name), RGB(), one.file_name)
        image = to_tensor(picture.array, RGB())[0]
        label = one.label if isinstance(one.label, int) else self._read_mask(one.label)
        if isinstance(label, Tensor) and label.shape != image.shape[1:]:
            raise SampleError(f"{one.label} has another size than {one.file_name}")
        example = {"image": image, "label": label, "key": one.key, "file_name": one.file_name}
        return transform(example) if transform else example

    def _read_mask(self, name: str) -> Tensor:
        ids = decode_image(self.files.read(name), InstanceMap(), name).array
        return to_tensor(ids, InstanceMap())[0, 0]


def open_entries(feed: str | Path, split: str) -> Entries:
    """Return the pictures of a split of a feed, or all of `PICTURES[=LABELS]`.

    Raises:
        RunError: a feed of another version.
        SourceError: nothing there.
        UsageError: no such split.
    """
    if "=" not in str(feed) and (Path(feed) / HEAD).is_file():
        return _open_feed(Path(feed), split)
    return _open_plain(str(feed))


def _open_feed(root: Path, split: str) -> Entries:
    head = read_head(root)
    if split not in head["counts"]:
        raise UsageError(f"{root} has no split '{split}'", hint=did_you_mean(split, head["counts"]))
    numbers = {name: number for number, name in enumerate(head["classes"])}
    every = tuple(
        Entry(
            row.file_name,
            row.source_key,
            numbers[row.class_name] if row.class_name is not None else str(row.mask),
            row.epoch,
        )
        for row in read_manifest(root)
        if row.split == split
    )
    last = max((one.epoch for one in every if one.epoch is not None), default=0)
    return Entries(Store(root), tuple(head["classes"]), every, last + 1)


@dataclass(frozen=True)
class _Plain:
    """Files that lie wherever a set's pictures and masks do."""

    by_name: Mapping[str, File]

    def read(self, name: str) -> bytes:
        return self.by_name[name].read()


def _open_plain(text: str) -> Entries:
    found = open_labelled(text)
    numbers = {name: number for number, name in enumerate(found.classes)}
    files: dict[str, File] = {}
    every = []
    for one in found.samples:
        files[one.picture.name] = one.picture
        if isinstance(one.label, File):
            files[one.label.name] = one.label
        label = one.label.name if isinstance(one.label, File) else numbers[one.label]
        every.append(Entry(one.picture.name, one.source_key, label))
    return Entries(_Plain(files), found.classes, tuple(every), 1)
