"""The worst outputs of each check, drawn beside their sources."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from i2ikit.data.grid import lay_out
from i2ikit.data.images import Pixels
from i2ikit.feed.checks.limits import Limit, Limits
from i2ikit.feed.checks.pairs import Translated

_COUNT, _COLUMNS = 16, 4
#: Side of the square that a picture is fitted into, and height of the line below, in pixels.
_SIDE, _LINE = 128, 14


class Worst:
    """The few outputs that are worst by each measure.

    Attributes:
        limits: those of which there are measures say which end is bad.
    """

    def __init__(self, limits: Limits) -> None:
        """Begin with none."""
        self.limits = limits
        self._heaps: dict[Limit, list[tuple[float, str]]] = defaultdict(list)

    def add(self, file_name: str, measures: Mapping[str, float]) -> None:
        """Take in an output."""
        for limit in self.limits.each():
            if limit.measure in measures:
                value = measures[limit.measure]
                badness = value if limit.is_most else -value
                heap = self._heaps[limit]
                push = heapq.heappushpop if len(heap) == _COUNT else heapq.heappush
                push(heap, (badness, file_name))

    def each(self) -> dict[Limit, list[tuple[float, str]]]:
        """Return value and name of the worst, the very worst first."""
        return {
            limit: [
                (badness if limit.is_most else -badness, name)
                for badness, name in sorted(heap, reverse=True)
            ]
            for limit, heap in self._heaps.items()
        }


def draw_sheets(folder: Path, made: Translated, worst: Worst) -> None:
    """Write worst-MEASURE.png: source, output, and below them the value and the output's name.

    In red where the value breaks the limit.
    """
    found = worst.each()
    pairs = _read(made, {name for ranking in found.values() for _, name in ranking})
    for limit, ranking in found.items():
        cells = [
            _draw(*pairs[name], f"{value:.3g}  {name}", is_broken=limit.is_broken(value))
            for value, name in ranking
        ]
        rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
        lay_out(rows).save(folder / f"worst-{limit.measure}.png")


def _read(made: Translated, names: set[str]) -> dict[str, tuple[Pixels, Pixels]]:
    """Return source and output, fitted into squares, of outputs by name."""
    pairs = {}
    for one in made.read():
        chosen = [output for output in one.outputs if output.file_name in names]
        if chosen:
            source = made.decode_source(one)
            for output in chosen:
                pixels = made.decode_output(output, source)
                pairs[output.file_name] = (_fit(source), _fit(pixels))
    return pairs


def _fit(pixels: Pixels) -> Pixels:
    square = ImageOps.pad(Image.fromarray(pixels), (_SIDE, _SIDE), color="white")
    return np.asarray(square, dtype=np.uint8)


def _draw(source: Pixels, output: Pixels, text: str, *, is_broken: bool) -> Pixels:
    cell = Image.new("RGB", (2 * _SIDE, _SIDE + _LINE), "white")
    cell.paste(Image.fromarray(source), (0, 0))
    cell.paste(Image.fromarray(output), (_SIDE, 0))
    ImageDraw.Draw(cell).text((2, _SIDE + 1), text, fill="red" if is_broken else "black")
    return np.asarray(cell, dtype=np.uint8)
