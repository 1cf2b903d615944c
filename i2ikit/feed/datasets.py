"""Feeds, and other labelled sets, as torch data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from i2ikit.errors import UsageError
from i2ikit.feed.drawing import draw
from i2ikit.feed.entries import Entries, Entry, Transform, open_entries
from i2ikit.feed.on_the_fly import TranslateOnTheFly


class _Epoch:
    """The number of an epoch, seen by worker processes that are already running."""

    def __init__(self, epoch: int) -> None:
        self._number = torch.tensor(epoch)
        self._number.share_memory_()  # type: ignore[no-untyped-call]

    def get(self) -> int:
        return int(self._number)

    def set(self, epoch: int) -> None:
        self._number.fill_(epoch)


class FeedDataset(Dataset[Any]):
    """The pictures of one epoch by index, in the order of the feed.

    Attributes:
        classes: the names of the classes, in the order of their numbers; () of masks without names.
    """

    def __init__(self, entries: Entries, transform: Transform | None, epoch: int) -> None:
        self.classes = entries.classes
        self._entries = entries
        self._transform = transform
        self._epoch = _Epoch(epoch)
        self._shown: tuple[int, Sequence[Entry]] = (epoch, entries.of_epoch(epoch))

    def set_epoch(self, epoch: int) -> None:
        """Show the pictures of another epoch; workers follow, persistent ones too."""
        self._epoch.set(epoch)

    def _of_epoch(self) -> Sequence[Entry]:
        epoch = self._epoch.get()
        if self._shown[0] != epoch:
            self._shown = (epoch, self._entries.of_epoch(epoch))
        return self._shown[1]

    def __len__(self) -> int:
        return len(self._of_epoch())

    def __getitem__(self, index: int) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return a batch, which a `DataLoader` asks for in one go; it is translated at once."""
        shown = self._of_epoch()
        group = [shown[index] for index in indices]
        return self._entries.load(group, self._epoch.get(), self._transform)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


class FeedStream(IterableDataset[Any]):
    """The pictures of one epoch in an order drawn by seed and epoch, shared by workers and ranks.

    Tars are read one after the other, in a new order each epoch, and shuffled within.

    Attributes:
        classes: the names of the classes, in the order of their numbers; () of masks without names.
    """

    def __init__(
        self,
        entries: Entries,
        transform: Transform | None,
        epoch: int,
        seed: int,
        batch_size: int,
        share: tuple[int, int],
    ) -> None:
        self.classes = entries.classes
        self._entries = entries
        self._transform = transform
        self._epoch = _Epoch(epoch)
        self._seed = seed
        self._batch_size = batch_size
        self._share = share

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of another epoch from the next start on."""
        self._epoch.set(epoch)

    def __iter__(self) -> Iterator[Any]:
        mine, worker = self._order(), get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        size = self._batch_size
        for start in range(number * size, len(mine), count * size):
            group = mine[start : start + size]
            yield from self._entries.load(group, self._epoch.get(), self._transform)

    def _order(self) -> Sequence[Entry]:
        """Return what this rank shows, each rank as many as the others."""
        epoch, seed, (rank, size) = self._epoch.get(), self._seed, self._share

        def place(one: Entry) -> tuple[float, float]:
            tar = one.file_name.rpartition(".tar/")[0]  # "" of all loose files
            return draw(seed, "tar", epoch, tar), draw(seed, "order", epoch, one.file_name)

        shown = sorted(self._entries.of_epoch(epoch), key=place)
        return shown[rank::size][: len(shown) // size]


@overload
def dataset(
    feed: str | Path,
    split: str = ...,
    *,
    translate: TranslateOnTheFly | None = ...,
    transform: Transform | None = ...,
    epoch: int = ...,
    seed: int = ...,
    iterable: Literal[False] = ...,
    batch_size: int = ...,
    share: tuple[int, int] = ...,
) -> FeedDataset: ...


@overload
def dataset(
    feed: str | Path,
    split: str = ...,
    *,
    translate: TranslateOnTheFly | None = ...,
    transform: Transform | None = ...,
    epoch: int = ...,
    seed: int = ...,
    iterable: Literal[True],
    batch_size: int = ...,
    share: tuple[int, int] = ...,
) -> FeedStream: ...


def dataset(
    feed: str | Path,
    split: str = "train",
    *,
    translate: TranslateOnTheFly | None = None,
    transform: Transform | None = None,
    epoch: int = 0,
    seed: int = 0,
    iterable: bool = False,
    batch_size: int = 1,
    share: tuple[int, int] = (0, 1),
) -> FeedDataset | FeedStream:
    """Return a feed, or another labelled set, as a torch data set.

    Its examples are {"image": (3, H, W) float in [-1, 1], "label": int, or (H, W) int64 of a mask,
    "key": of the source, "style_index": which translation, -1 of others, "file_name"}. `set_epoch`
    moves on to another epoch.

    The label of a picture with objects is {"boxes": (N, 4) float: left, top, right, bottom in
    pixels, "labels": (N,) int64}, as torchvision's detectors take it: label n is `classes[n - 1]`,
    as 0 is the background. N differs, so that a loader needs a `collate_fn`, such as `list`.
    COCO's crowds are left out.

    Args:
        feed: folder of `feed build`; or "PICTURES[=LABELS]", which has one split, any name.
        split: of the feed.
        translate: what translates pictures when they are asked for, a batch at once; of
            PICTURES[=LABELS] alone, since a feed holds translations.
        transform: what is made of each example.
        epoch: the first one: which styles pictures get if they are translated, which of them it
            shows if the feed has a style an epoch, and the order of an iterable one.
        seed: of that order.
        iterable: an `IterableDataset` that shuffles by itself and reads tars as they lie; else one
            by index, that the loader shuffles.
        batch_size: the loader's, if iterable: then batches are the same whatever the number of
            workers.
        share: (i, n): the i-th of n ranks, if iterable; each gets as many pictures, so up to n - 1
            are left for another epoch.

    Raises:
        RunError: a feed of another version.
        SourceError: nothing there.
        UsageError: no such split, or pictures that can't be translated.
    """
    entries = open_entries(feed, split, translate)
    if not iterable:
        return FeedDataset(entries, transform, epoch)
    if not 0 <= share[0] < share[1] or batch_size < 1:
        raise UsageError(f"share={share}, batch_size={batch_size}: i is below n, and both above 0")
    return FeedStream(entries, transform, epoch, seed, batch_size, share)
