"""Pictures for training. What a step sees depends on the seed and its number alone.

So any worker can load any step, and a training that goes on where it stopped sees what it would
have seen.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from i2ikit.ahead import ahead
from i2ikit.data.images import Array, decode_image, to_tensor
from i2ikit.data.samples import File, Sample, Source
from i2ikit.data.sizes import shrink
from i2ikit.errors import SampleError, SourceError, UsageError
from i2ikit.model import InputKind

#: Pictures that are loaded together, of one size and with one augmentation, by their names.
Item: TypeAlias = Mapping[str, tuple[File, InputKind]]
#: A batch: a's and b's tensors by field name.
Batch: TypeAlias = tuple[dict[str, Tensor], dict[str, Tensor]]

_NAMED = 5


@dataclass(frozen=True)
class Augmentation:
    """What is done to pictures before the network sees them.

    Attributes:
        size: side of the squares that are cut out at a random place, in pixels.
        load_size: the shorter side that pictures are resized to before; 0: they stay as they are.
        flip: whether half of them are mirrored left to right.
    """

    size: int
    load_size: int
    flip: bool

    def apply(self, arrays: Mapping[str, Array], item: Item, draws: np.random.Generator) -> Batch:
        """Return the tensors of pictures that belong together, cut and mirrored alike.

        Raises:
            SampleError: they differ in size, or are smaller than the squares.
        """
        resized = self._resize(arrays, item)
        height, width = self._room(resized, item)
        corner = int(draws.integers(height + 1)), int(draws.integers(width + 1))
        is_flipped = self.flip and bool(draws.integers(2))
        return _cut(resized, item, corner, self.size, is_flipped=is_flipped)

    def middle(self, arrays: Mapping[str, Array], item: Item) -> Batch:
        """Return the tensors of pictures that belong together, cut out of their middle.

        Raises:
            SampleError: as `apply`.
        """
        resized = self._resize(arrays, item)
        height, width = self._room(resized, item)
        return _cut(resized, item, (height // 2, width // 2), self.size, is_flipped=False)

    def _resize(self, arrays: Mapping[str, Array], item: Item) -> Mapping[str, Array]:
        if not self.load_size:
            return arrays
        return {name: shrink(a, item[name][1], self.load_size) for name, a in arrays.items()}

    def _room(self, arrays: Mapping[str, Array], item: Item) -> tuple[int, int]:
        """Return how far the square's corner can move, down and to the right."""
        height, width = _common_size(arrays, item)
        if min(height, width) < self.size:
            name = next(iter(item.values()))[0].name
            raise SampleError(
                f"{name} is {width}×{height}, smaller than --size {self.size}",
                hint=f"leave out --load-size {self.load_size}: smaller pictures grow to --size",
            )
        return height - self.size, width - self.size


def _cut(
    arrays: Mapping[str, Array],
    item: Item,
    corner: tuple[int, int],
    size: int,
    *,
    is_flipped: bool,
) -> Batch:
    top, left = corner
    a: dict[str, Tensor] = {}
    b: dict[str, Tensor] = {}
    for name, array in arrays.items():
        square = array[top : top + size, left : left + size]
        square = np.ascontiguousarray(square[:, ::-1] if is_flipped else square)
        domain, _, field = name.partition(".")
        (a if domain == "a" else b)[field] = to_tensor(square, item[name][1])
    return a, b


def _common_size(arrays: Mapping[str, Array], item: Item) -> tuple[int, int]:
    sizes = {name: array.shape[:2] for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        each = ", ".join(f"{item[n][0].name} {w}×{h}" for n, (h, w) in sizes.items())
        raise SampleError(f"pictures that belong together differ in size: {each}")
    height, width = next(iter(sizes.values()))
    return height, width


class Pool:
    """Items to draw from: each once, in a new order, then all again."""

    def __init__(self, items: Sequence[Item], seed: int) -> None:
        """Hold the items; `seed` decides order and augmentation."""
        self.items, self.seed = items, seed
        self._order = lru_cache(maxsize=2)(self._shuffle)

    def _shuffle(self, epoch: int) -> npt.NDArray[np.intp]:
        return np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.items))

    def place(self, number: int) -> int:
        """Return where among the items the one is that is drawn as the `number`-th."""
        epoch, place = divmod(number, len(self.items))
        return int(self._order(epoch)[place])

    def load(self, number: int, augmentation: Augmentation) -> Batch:
        """Return the tensors of the item that is drawn as the `number`-th, a batch of one."""
        item = self.items[self.place(number)]
        arrays = read_arrays(item)
        draws = np.random.default_rng([self.seed, 1, number])
        return augmentation.apply(arrays, item, draws)


def read_arrays(item: Item) -> dict[str, Array]:
    """Return the pictures of an item, decoded."""
    return {
        name: decode_image(file.read(), kind, file.name).array
        for name, (file, kind) in item.items()
    }


def load_step(
    pools: Sequence[Pool], augmentation: Augmentation, batch_size: int, share: slice, step: int
) -> Batch:
    """Return the part `share` of the batch of a step."""
    numbers = range(step * batch_size, (step + 1) * batch_size)[share]
    parts = [pool.load(number, augmentation) for pool in pools for number in numbers]
    joined: list[dict[str, Tensor]] = []
    for domain in (0, 1):
        fields = {name for part in parts for name in part[domain]}
        joined.append(
            {n: torch.cat([p[domain][n] for p in parts if n in p[domain]]) for n in sorted(fields)}
        )
    return joined[0], joined[1]


def batches(
    pools: Sequence[Pool],
    augmentation: Augmentation,
    batch_size: int,
    share: slice,
    start: int,
    workers: Executor | None,
    depth: int,
) -> Generator[Batch]:
    """Yield the batches of all steps from `start` on, without end, some of them loaded ahead."""
    load = partial(load_step, pools, augmentation, batch_size, share)
    yield from ahead(load, count(start), workers, depth)


def read_samples(source: Source) -> list[Sample]:
    """Return all samples of a source; those of tars are held in memory, as files.

    Raises:
        SourceError: one can't be used.
    """
    samples = [sample for part in source.parts for sample in source.read(part.name, part.keys)]
    for sample in samples:
        if sample.problem:
            raise SourceError(sample.problem)
    return samples


def make_items(
    samples: Sequence[Sample], kinds: Mapping[str, InputKind], domain: str, flag: str
) -> dict[str, dict[str, tuple[File, InputKind]]]:
    """Return the files of each sample that a training takes, by key; `flag` names further ones.

    Raises:
        SourceError: a sample lacks a field.
    """
    items = {}
    for sample in samples:
        for name in kinds:
            if name not in sample.fields:
                raise SourceError(
                    f"'{sample.key}' of domain {domain.upper()} has no {name}",
                    hint=f"name it with {flag} {name}=DIR",
                )
        items[sample.key] = {f"{domain}.{n}": (sample.fields[n], kinds[n]) for n in kinds}
    return items


def make_pools(
    a: Mapping[str, Item], b: Mapping[str, Item], seed: int, *, paired: bool
) -> list[Pool]:
    """Return what to draw from: pairs, or each domain by itself.

    Raises:
        UsageError: a picture lacks its partner.
    """
    if not paired:
        return [Pool(list(a.values()), 2 * seed), Pool(list(b.values()), 2 * seed + 1)]
    check_partners(a, b)
    return [Pool([{**a[key], **b[key]} for key in a], 2 * seed)]


def check_partners(a: Mapping[str, Item], b: Mapping[str, Item]) -> None:
    """Do nothing if the keys of A are those of B.

    Raises:
        UsageError: a picture lacks its partner.
    """
    for mine, others, domain in ((a, b, "A"), (b, a, "B")):
        if lonely := [key for key in mine if key not in others]:
            listed = ", ".join(f"'{key}'" for key in lonely[:_NAMED])
            more = ", …" if len(lonely) > _NAMED else ""
            raise UsageError(
                f"{len(lonely)} of the {len(mine)} pictures of {domain} lack their partner:"
                f" {listed}{more}",
                hint="pairs are made by key: the path in its folder, without suffix",
            )
