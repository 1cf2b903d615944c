"""Label maps beside pictures, in the ids that a measure asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from i2ikit.data.folders import parse_field
from i2ikit.data.images import decode_image
from i2ikit.data.pictures import PictureIndex, walk
from i2ikit.data.samples import File
from i2ikit.errors import SampleError, UsageError, counted
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.sets import Images, PictureSet, find_lonely, open_set
from i2ikit.model import LabelMap

#: Label maps hold 16 bits at most; which ids are classes is checked here, since some are ignored.
_ANY_LABEL = LabelMap(1 << 16)
#: The id of pixels that don't count.
IGNORED = -1


@dataclass(frozen=True)
class Labels:
    """The label map of a picture.

    Attributes:
        name: its file.
        ids: (H, W) int64, relabelled; `IGNORED` where they don't count.
    """

    name: str
    ids: Tensor

    def check(self, picture: str, size: Sequence[int], classes: int | None = None) -> None:
        """Refuse a map that doesn't fit a picture, or its classes.

        Args:
            picture: its name, for messages.
            size: its (height, width).
            classes: how many there are; None if any will do.

        Raises:
            SampleError: it has another size, or labels that are no classes.
        """
        if self.ids.shape != tuple(size):
            raise SampleError(
                f"{picture} is {_show(size)}, and its label map {self.name} {_show(self.ids.shape)}"
            )
        if classes is not None and (wrong := self.ids[self.ids >= classes]).numel():
            raise SampleError(
                f"{self.name}: label {wrong[0]} is outside 0…{classes - 1}",
                hint=f"{counted(len(wrong), 'such pixel')}; --ignore {wrong[0]} leaves them out",
            )


@dataclass(frozen=True)
class LabelMaps:
    """The label maps of a folder by key.

    Attributes:
        location: as the user wrote it.
        index: where they are.
        relabel: ids that stand for others.
        ignore: ids that don't count, as relabelled.
    """

    location: str
    index: PictureIndex
    relabel: Mapping[int, int]
    ignore: Sequence[int]

    def read(self, key: str) -> Labels:
        """Return the label map of a key.

        Raises:
            SampleError: it can't be read.
        """
        path = self.index.path(key)
        file = File(str(path), path)
        stored = torch.from_numpy(decode_image(file.read(), _ANY_LABEL, file.name).array).long()
        ids = stored.clone()
        for old, new in self.relabel.items():
            ids[stored == old] = new
        ids[torch.isin(ids, torch.tensor(self.ignore, dtype=torch.long))] = IGNORED
        return Labels(file.name, ids)

    def pair(self, images: Images, on_error: Literal["skip", "stop"]) -> tuple[PictureSet, Tally]:
        """Return the pictures that have a label map, and a tally that names what lacks a partner.

        Raises:
            UsageError: a map without a picture, or a picture without one, and the work stops at
                such; or there is no pair.
            SourceError: the pictures aren't there.
        """
        pictures, keys = open_set(images), self.index.keys
        found = list(pictures.read())  # a generator, or a remote tar, is read but once
        theirs = {picture.key for picture in found if not picture.problem}
        lonely = find_lonely(keys, self.location, theirs, pictures.location, on_error)
        paired = [picture for picture in found if picture.problem or picture.key in keys]
        pictures = replace(pictures, count=len(paired), read=lambda: iter(paired))
        return pictures, Tally(failures=lonely)


def open_labels(labels: str | Path, relabel: Mapping[int, int], ignore: Sequence[int]) -> LabelMaps:
    """Return the label maps of `DIR` or `DIR:SUFFIX`.

    Raises:
        SourceError: there is no such folder.
        UsageError: it has no label maps, or an id is relabelled to none.
    """
    for old, new in relabel.items():
        if not (0 <= old < _ANY_LABEL.num_classes and 0 <= new < _ANY_LABEL.num_classes):
            raise UsageError(
                f"--relabel {old}={new} is outside 0…{_ANY_LABEL.num_classes - 1}",
                hint="--ignore leaves labels out",
            )
    folder = parse_field("label", str(labels))
    index = PictureIndex(folder.path, walk(folder.path), folder.suffix)
    if not index.keys:
        raise UsageError(f"no label maps in {labels}", hint="grey or palette files are read")
    return LabelMaps(str(labels), index, relabel, ignore)


def parse_relabel(texts: Sequence[str]) -> dict[int, int]:
    """Return the ids that `FROM=TO` texts let stand for others.

    Raises:
        UsageError: a text is written otherwise, or an id is relabelled twice.
    """
    relabel: dict[int, int] = {}
    for text in texts:
        old, _, new = text.partition("=")
        if not (old.isdecimal() and new.isdecimal()):
            raise UsageError(f"--relabel {text} is not FROM=TO", hint="--relabel 2=0 takes 2 for 0")
        if int(old) in relabel:
            raise UsageError(
                f"--relabel {text}: {old} is relabelled to {relabel[int(old)]} already"
            )
        relabel[int(old)] = int(new)
    return relabel


def _show(size: Sequence[int]) -> str:
    return f"{size[1]}x{size[0]}"
