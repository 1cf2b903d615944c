"""The pictures of a feed, or of another labelled set, before and after they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from i2ikit.data.images import decode_image, to_tensor
from i2ikit.data.samples import File
from i2ikit.data.sizes import shrink
from i2ikit.errors import SampleError, UsageError, did_you_mean
from i2ikit.feed.manifest import HEAD, Row, read_head, read_manifest
from i2ikit.feed.objects import names_of
from i2ikit.feed.on_the_fly import TranslateOnTheFly
from i2ikit.feed.pictures import ORIGINAL, FeedPicture
from i2ikit.feed.store import Store
from i2ikit.labels.labelled import LabelledSet, open_labelled
from i2ikit.labels.objects import read_named
from i2ikit.labels.places import Size
from i2ikit.model import RGB, Grey, InstanceMap, Model

#: What a training gets of a picture; `dataset` says what is in it.
Example: TypeAlias = dict[str, Any]
Transform: TypeAlias = Callable[[Example], Any]


class Files(Protocol):
    """Reads files by name."""

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        ...


@dataclass(frozen=True)
class Objects:
    """The objects of a picture, not read yet.

    Attributes:
        file_name: of their file, as `files` knows it.
        names: of YOLO's classes.
    """

    file_name: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture with its label, not read yet.

    Attributes:
        file_name: as `files` knows it.
        key: of its source.
        label: the number of its class, the name of its mask, or its objects.
        style_index: which translation it is; -1: none.
        epoch: the only one that shows it; None: all do.
    """

    file_name: str
    key: str
    label: int | str | Objects
    style_index: int = ORIGINAL
    epoch: int | None = None


@dataclass(frozen=True)
class Entries:
    """The pictures of a split.

    Attributes:
        files: reads them.
        classes: the names of the classes, in the order of their numbers.
        every: the pictures, whatever their epoch.
        num_epochs: after so many epochs the first one's pictures come again.
        translate: what translates them when they are read; None: nothing.
    """

    files: Files
    classes: tuple[str, ...]
    every: tuple[Entry, ...]
    num_epochs: int = 1
    translate: TranslateOnTheFly | None = None

    def of_epoch(self, epoch: int) -> Sequence[Entry]:
        """Return the pictures that an epoch shows."""
        if self.num_epochs == 1:
            return self.every
        shown = epoch % self.num_epochs
        return [one for one in self.every if one.epoch in (None, shown)]

    def load(self, group: Sequence[Entry], epoch: int, transform: Transform | None) -> list[Any]:
        """Return the examples of pictures, or what `transform` makes of each.

        Raises:
            SampleError: one can't be read or translated, or its mask has another size.
        """
        pictures = self._pictures(group, epoch)
        examples = [self._example(*pair) for pair in zip(group, pictures, strict=True)]
        return [transform(example) for example in examples] if transform else examples

    def _pictures(self, group: Sequence[Entry], epoch: int) -> Sequence[FeedPicture]:
        files = [File(one.file_name, self.files.read(one.file_name)) for one in group]
        if self.translate:
            keys = [one.key for one in group]
            return self.translate(zip(keys, files, strict=True), epoch)
        arrays = [decode_image(file.read(), RGB(), file.name).array for file in files]
        pairs = zip(arrays, group, strict=True)
        return [FeedPicture(array.astype(np.uint8), one.style_index) for array, one in pairs]

    def _example(self, one: Entry, picture: FeedPicture) -> Example:
        image = picture.tensor()
        label = self._read_label(one.label, (image.shape[2], image.shape[1]))
        if isinstance(label, Tensor) and label.shape != image.shape[1:]:
            sizes = [f"{side.shape[-1]}×{side.shape[-2]}" for side in (label, image)]
            raise SampleError(f"{one.label} is {sizes[0]}, and its picture {sizes[1]}")
        return {
            "image": image,
            "label": label,
            "key": one.key,
            "style_index": picture.style_index,
            "file_name": one.file_name,
        }

    def _read_label(self, label: int | str | Objects, size: Size) -> Any:
        if isinstance(label, Objects):
            return self._read_objects(label, size)
        return self._read_mask(label) if isinstance(label, str) else label

    def _read_objects(self, label: Objects, size: Size) -> dict[str, Tensor]:
        """Return boxes and labels as torchvision's detectors take them; crowds are left out."""
        data = self.files.read(label.file_name)
        found = [
            one for one in read_named(label.file_name, data, size, label.names) if not one.is_crowd
        ]
        numbers = [self.classes.index(str(one.label)) + 1 for one in found]
        return {
            "boxes": torch.tensor([one.box for one in found], dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor(numbers, dtype=torch.int64),
        }

    def _read_mask(self, name: str) -> Tensor:
        ids = decode_image(self.files.read(name), InstanceMap(), name).array
        if self.translate and self.translate.size is not None:
            ids = shrink(ids, InstanceMap(), self.translate.size)
        return to_tensor(ids, InstanceMap())[0, 0]


def open_entries(
    feed: str | Path, split: str, translate: TranslateOnTheFly | None = None
) -> Entries:
    """Return the pictures of a split of a feed, or all of `PICTURES[=LABELS]`.

    Raises:
        RunError: a feed of another version.
        SourceError: nothing there.
        UsageError: no such split; or PICTURES with objects; or a feed, and something that
            translates it once more; or a model that can't translate pictures with these labels.
    """
    if "=" in str(feed) or not (Path(feed) / HEAD).is_file():
        return _open_plain(str(feed), translate)
    if translate:
        raise UsageError(
            f"{feed} is a feed, and holds translations",
            hint="on the fly, PICTURES[=LABELS] are translated",
        )
    return _open_feed(Path(feed), split)


def _open_feed(root: Path, split: str) -> Entries:
    head = read_head(root)
    if split not in head["counts"]:
        raise UsageError(f"{root} has no split '{split}'", hint=did_you_mean(split, head["counts"]))
    numbers = {name: number for number, name in enumerate(head["classes"])}

    def label(row: Row) -> int | str | Objects:
        if row.objects is not None:
            return Objects(row.objects, names_of(head["numbers"], row.origin))
        return numbers[row.class_name] if row.class_name is not None else str(row.mask)

    every = tuple(
        Entry(
            row.file_name,
            row.source_key,
            label(row),
            ORIGINAL if row.style_index is None else row.style_index,
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


def _open_plain(text: str, translate: TranslateOnTheFly | None) -> Entries:
    found = open_labelled(text)
    if translate:
        _check_model(translate.model, found)
    numbers = {name: number for number, name in enumerate(found.classes)}
    files: dict[str, File] = {}
    every = []
    for one in found.samples:
        files[one.picture.name] = one.picture
        if isinstance(one.label, File):
            files[one.label.name] = one.label
        label = one.label.name if isinstance(one.label, File) else numbers[one.label]
        every.append(Entry(one.picture.name, one.source_key, label))
    return Entries(_Plain(files), found.classes, tuple(every), translate=translate)


def _check_model(model: Model, labelled: LabelledSet) -> None:
    kinds = model.inputs
    if len(kinds) > 1 or not isinstance(next(iter(kinds.values())), RGB | Grey):
        raise UsageError(
            f"the model takes {' and '.join(kinds)}, and {labelled.location} has pictures only",
            hint="call TranslateOnTheFly with the fields of each sample",
        )
    if labelled.kind == "mask" and not model.keeps_places:
        raise UsageError(f"the model moves what is in a picture, and {labelled.location} has masks")
