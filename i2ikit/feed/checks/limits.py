"""What a translated picture may measure before it is kept out of training. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple


class Limit(NamedTuple):
    """A bound on a measure, named `max_MEASURE` or `min_MEASURE`."""

    measure: str
    is_most: bool
    value: float

    def is_broken(self, value: float) -> bool:
        """Tell whether a value lies beyond."""
        return value > self.value if self.is_most else value < self.value

    def __str__(self) -> str:
        return f"{self.measure} {'>' if self.is_most else '<'} {self.value:g}"


@dataclass(frozen=True)
class Limits:
    """The most, or the least, that measures of an output may be.

    Attributes:
        max_saturated: share of pixels with nothing but 0 and 255, beyond that of the source.
        min_contrast: spread of its levels, as a part of the source's.
        max_repeats: other inputs with almost the same output, though their sources differ.
        min_change: mean absolute difference from the source, in levels; less is a copy.
        min_structure: correlation of its edges with the source's.
        max_shift: pixels by which its edges seem to have moved.
        max_cycle: mean absolute difference, in levels, of the source and what the other direction
            makes of the output.
        min_agreement: share of the pixels in which a segmenter finds the labels; of a classifier,
            1 where it finds the class and 0 where not.
    """

    max_saturated: float = 0.25
    min_contrast: float = 0.1
    max_repeats: int = 2
    min_change: float = 5.0
    min_structure: float = 0.06
    max_shift: int = 2
    max_cycle: float = 60.0
    min_agreement: float = 0.5

    def each(self) -> tuple[Limit, ...]:
        """Return the limits one by one, in the order above."""
        split = ((name, *name.split("_", 1)) for name in (field.name for field in fields(self)))
        return tuple(
            Limit(measure, end == "max", getattr(self, name)) for name, end, measure in split
        )

    def broken(self, measures: Mapping[str, float]) -> list[Limit]:
        """Return the limits that an output's measures break; what wasn't measured breaks none."""
        return [
            limit
            for limit in self.each()
            if limit.measure in measures and limit.is_broken(measures[limit.measure])
        ]

    def reasons(self, measures: Mapping[str, float]) -> list[str]:
        """Return why an output is to be kept out: `saturated 0.93 > 0.5`; nothing if it isn't."""
        return [_reason(limit, measures) for limit in self.broken(measures)]


def _reason(limit: Limit, measures: Mapping[str, float]) -> str:
    text = str(limit).replace(" ", f" {measures[limit.measure]:.3g} ", 1)
    if limit.measure != "shift":
        return text
    return f"{text}, by ({measures['shift_x']:g}, {measures['shift_y']:g})"
