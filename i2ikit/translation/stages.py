"""What passes between the stages of a run, and the clock that watches them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from i2ikit.data.images import Array, Pixels
from i2ikit.data.samples import Sample
from i2ikit.data.sizes import Geometry
from i2ikit.evaluate.meter import Prepared
from i2ikit.translation.receipts import Outcome

Out = TypeVar("Out")


@dataclass(frozen=True)
class Failed:
    """An input that can't go on, and why."""

    index: int
    key: str
    reason: str


@dataclass(frozen=True)
class Loaded:
    """A decoded sample whose arrays have sizes that the network takes.

    Attributes:
        index: its position in the shard.
        sample: where it came from, its columns true to the outputs.
        inputs: an array for each input of the model, padded or resized.
        reference: arrays of its own example picture, if it has one.
        size: (height, width) that its outputs get.
        geometry: how its outputs' pixels lie to those of its file.
        sidecars: files that travel along, true to the outputs, by what follows the key in their
            names.
    """

    index: int
    sample: Sample
    inputs: Mapping[str, Array]
    reference: Mapping[str, Array] | None
    size: tuple[int, int]
    geometry: Geometry
    sidecars: Mapping[str, bytes]


@dataclass(frozen=True)
class Translated:
    """A sample with its outputs, one a style."""

    loaded: Loaded
    pictures: Sequence[Pixels]
    style_rows: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Saved:
    """A sample's outputs as files ready to be put in place.

    Attributes:
        outcome: what the receipt will say.
        files: by their names under OUT, or in the tar.
        measured: its pictures as the meter takes them, if there is one.
    """

    outcome: Outcome
    files: Mapping[str, bytes]
    measured: Sequence[Prepared] = ()


@dataclass
class Clock:
    """Seconds that the run's main thread spent in each stage, those before it included."""

    seconds: dict[str, float] = field(default_factory=dict)

    def shares(self) -> dict[str, float]:
        """Return the seconds of each stage alone, in the order that items pass them."""
        totals = sorted(self.seconds.items(), key=lambda stage: stage[1])
        before = [0.0, *(total for _, total in totals)]
        return {name: total - less for (name, total), less in zip(totals, before, strict=False)}

    def watch(self, stage: str, items: Iterable[Out]) -> Iterator[Out]:
        """Yield from `items`, adding the time it takes to get each."""
        iterator = iter(items)
        while True:
            start = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start
            yield item
