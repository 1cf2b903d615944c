"""Pictures with labels as a torch dataset whose pictures are translated when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import Dataset

from i2ikit.data.images import decode_image
from i2ikit.data.sizes import shrink
from i2ikit.errors import SampleError, UsageError
from i2ikit.feed.on_the_fly import TranslateOnTheFly
from i2ikit.feed.pictures import FeedPicture
from i2ikit.labels.labelled import Labelled, open_labelled
from i2ikit.model import RGB, Grey, InstanceMap, Model

#: What a training gets of a picture; `OnTheFlyDataset` says what is in it.
Item: TypeAlias = dict[str, Any]


class OnTheFlyDataset(Dataset[Item]):
    """A map-style dataset over `PICTURES[=LABELS]`, some of whose pictures are translated.

    An item has `image`, (3, H, W) float in [-1, 1]; `label`, a class's number or the ids of a mask,
    (H, W) int64; `key`; and `style_index`, -1 for an original. A `DataLoader` asks for a whole
    batch, which is translated at once.

    Attributes:
        classes: names of the classes, by number; () of masks.
    """

    def __init__(
        self,
        source: str,
        translate: TranslateOnTheFly,
        transform: Callable[[Item], Any] | None = None,
    ) -> None:
        """List the pictures.

        Args:
            source: `PICTURES[=LABELS]`, as `open_labelled` takes it.
            translate: what translates them.
            transform: called with each item; what it returns takes the item's place.

        Raises:
            UsageError: the model takes more than a picture, or moves what masks show.
            I2IError: what `open_labelled` raises.
        """
        _check_model(translate.model, source)
        labelled = open_labelled(source)
        if labelled.kind == "mask" and not translate.model.keeps_places:
            raise UsageError(f"the model moves what is in a picture, and {source} has masks")
        self.classes = labelled.classes
        self._samples = labelled.samples
        self._numbers = {name: number for number, name in enumerate(self.classes)}
        self._translate = translate
        self._transform = transform
        # shared: workers that outlive an epoch see the next one, too
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Choose the styles of an epoch; before its loop begins, since workers load ahead."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return a batch's items."""
        samples = [self._samples[index] for index in indices]
        pictures = self._translate(
            [(sample.key, sample.picture) for sample in samples], int(self._epoch)
        )
        items = map(self._item, samples, pictures)
        return list(map(self._transform, items) if self._transform else items)

    def _item(self, sample: Labelled, picture: FeedPicture) -> Item:
        return {
            "image": picture.tensor(),
            "label": self._label(sample, picture.pixels.shape[:2]),
            "key": sample.key,
            "style_index": picture.style_index,
        }

    def _label(self, sample: Labelled, size: tuple[int, ...]) -> int | Tensor:
        if isinstance(sample.label, str):
            return self._numbers[sample.label]
        ids = decode_image(sample.label.read(), InstanceMap(), sample.label.name).array
        if self._translate.size is not None:
            ids = shrink(ids, InstanceMap(), self._translate.size)
        if ids.shape != size:
            raise SampleError(
                f"{sample.label.name} is {ids.shape[1]}×{ids.shape[0]},"
                f" and its picture {size[1]}×{size[0]}"
            )
        return torch.from_numpy(ids).long()


def _check_model(model: Model, source: str) -> None:
    kinds = model.inputs
    if len(kinds) > 1 or not isinstance(next(iter(kinds.values())), RGB | Grey):
        raise UsageError(
            f"the model takes {' and '.join(kinds)}, and {source} has pictures only",
            hint="call TranslateOnTheFly with the fields of each sample",
        )
