"""Labels of domain A: which class each picture has, or each of its pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from i2ikit.data.images import decode_image
from i2ikit.data.samples import File
from i2ikit.devices import default_workers
from i2ikit.errors import SourceError, UsageError
from i2ikit.labels.id_maps import IGNORED, IdMap, open_id_map
from i2ikit.labels.labelled import Labelled, open_labelled
from i2ikit.model import LabelMap
from i2ikit.training.data import Augmentation, Batch, Item, Pool

#: The field of a batch's labels. Models' own fields are names in Python, so that none is this one.
LABEL = "label of A"

#: What a mask may hold: classes as they are, or ids that a map knows.
_CLASSES, _IDS = LabelMap(IGNORED + 1), LabelMap(1 << 16)


@dataclass(frozen=True)
class Labels:
    """What the pictures of A show.

    Attributes:
        num_classes: classes are 0 … num_classes - 1, and `IGNORED` for pixels that don't count.
        classes: of each picture, by key; {} if masks have them.
        masks: the file of each picture's mask, by key; {} if pictures have one class each.
        id_map: from a mask's ids to classes; None: they are the classes.
    """

    num_classes: int
    classes: Mapping[str, int]
    masks: Mapping[str, File]
    id_map: IdMap | None = None


def open_labels(a: str, how: str, map_name: str | None, workers: int | None) -> Labels:
    """Return the labels of A's pictures, `how` they are written as `open_labelled` has it.

    Classes are numbered in the order of their names. Masks without a map are all read, for the
    greatest class.

    Raises:
        SourceError: they can't be read.
        SampleError: a picture lacks its label, or the reverse; or a mask is none.
        UsageError: there is no such form or map, a map of classes, or fewer than two classes.
    """
    found = open_labelled(f"{a}={how}")
    if found.kind == "class":
        if map_name:
            raise UsageError(f"--map {map_name} is for masks, and --labels-a {how} are classes")
        numbers = {name: number for number, name in enumerate(found.classes)}
        classes = {one.key: numbers[str(one.label)] for one in found.samples}
        return _checked(Labels(len(numbers), classes, {}), how)
    masks = _masks(found.samples)
    if map_name is None:
        return _checked(Labels(_count(list(masks.values()), workers), {}, masks), how)
    id_map = open_id_map(map_name)
    top = max((place for place in id_map.table.values() if place != IGNORED), default=-1)
    return _checked(Labels(top + 1, {}, masks, id_map), how)


def _masks(samples: Sequence[Labelled]) -> dict[str, File]:
    return {one.key: one.label for one in samples if isinstance(one.label, File)}


def _checked(labels: Labels, how: str) -> Labels:
    if labels.num_classes < 2:
        raise UsageError(
            f"--labels-a {how} tells no two classes apart",
            hint="--semantic-loss keeps what a picture shows, out of two classes or more",
        )
    return labels


def _count(masks: Sequence[File], workers: int | None) -> int:
    with ThreadPoolExecutor(workers or default_workers()) as pool:
        return 1 + max(pool.map(_top, masks))


def _top(mask: File) -> int:
    """Return the greatest class of a mask, -1 if no pixel counts."""
    ids = decode_image(mask.read(), _CLASSES, mask.name).array
    return int(ids[ids != IGNORED].max(initial=-1))


class LabelledPool(Pool):
    """Pictures of A, whose labels are cut and mirrored with them and join their fields."""

    def __init__(self, items: Mapping[str, Item], seed: int, labels: Labels) -> None:
        """Hold the items, by key, and their labels.

        Raises:
            SourceError: a picture has none.
        """
        known = labels.classes or labels.masks
        if lacking := [key for key in items if key not in known]:
            raise SourceError(f"{len(lacking)} pictures of A have no label, '{lacking[0]}' for one")
        kind = _IDS if labels.id_map else _CLASSES
        masks = labels.masks
        super().__init__(
            [
                {**item, f"a.{LABEL}": (masks[key], kind)} if masks else item
                for key, item in items.items()
            ],
            seed,
        )
        self._labels = labels
        self._classes = [labels.classes[key] for key in items] if labels.classes else []

    def load(self, number: int, augmentation: Augmentation) -> Batch:
        """Return the tensors of the `number`-th draw; `LABEL` is (1,), or (1, 1, H, W) of masks."""
        a, b = super().load(number, augmentation)
        a[LABEL] = self._label(self.place(number), a)
        return a, b

    def _label(self, place: int, a: Mapping[str, Tensor]) -> Tensor:
        if self._classes:
            return torch.tensor([self._classes[place]])
        if self._labels.id_map is None:
            return a[LABEL]
        mask, _ = self.items[place][f"a.{LABEL}"]
        return torch.from_numpy(self._labels.id_map.apply(a[LABEL].numpy(), mask.name)).long()
