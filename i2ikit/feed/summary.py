"""What a feed was built from, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from i2ikit.feed.candidates import Mix, Styles
from i2ikit.feed.layouts import LayoutName

#: What is done about problems.
OnError: TypeAlias = Literal["stop", "skip"]


@dataclass(frozen=True)
class Settings:
    """What decides which pictures a feed holds, and how they are named; see `build`."""

    labels: str
    map: str | None
    mix: Mix
    target: str | None
    styles: Styles
    split: str | None
    layout: LayoutName | None
    gate: str | None
    seed: int


@dataclass(frozen=True)
class FeedSummary:
    """A feed that was built.

    Attributes:
        output: the folder.
        layout: its layout.
        num_pictures: pictures in it.
        counts: of these, by split and origin.
        classes: pictures by class, or objects; {} of masks.
        num_rejected: translations that the gate's report kept out.
        num_left_out: problems that left something out.
        left_out: the first few, a sentence each.
        notes: what else is to be known, a sentence each.
    """

    output: Path
    layout: str
    num_pictures: int
    counts: Mapping[str, Mapping[str, int]]
    classes: Mapping[str, int]
    num_rejected: int
    num_left_out: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...] = ()
