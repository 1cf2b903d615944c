"""Pictures decoded in groups that are compared within: loaded ahead, of one size each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from i2ikit.data.images import Header, Pixels
from i2ikit.errors import SampleError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.extract import Tally
from i2ikit.evaluate.sets import Picture, read_picture
from i2ikit.progress import Progress


@dataclass(frozen=True)
class Loaded:
    """A picture that was read, or why it can't be.

    Attributes:
        picture: where it is from.
        pixels: (H, W, 3); None if it can't be read.
        header: what its file says; None if it can't be read.
        failure: why it can't be read.
    """

    picture: Picture
    pixels: Pixels | None = None
    header: Header | None = None
    failure: str = ""


AnyLoaded = TypeVar("AnyLoaded", bound=Loaded)


@dataclass(frozen=True)
class Takes:
    """What a comparison takes.

    Attributes:
        measure: its name, for messages.
        by: what sets the least side, for messages.
        least_side: in pixels.
    """

    measure: str
    by: str
    least_side: int


def load(picture: Picture) -> Loaded:
    """Read and decode a picture."""
    try:
        header, pixels = read_picture(picture)
        return Loaded(picture, pixels, header)
    except SampleError as error:
        return Loaded(picture, failure=str(error))


def check_sizes(members: Sequence[Loaded], takes: Takes) -> list[Loaded]:
    """Return a group; one that is too small, or not of the first's size, as a failure."""
    readable = [member.pixels.shape for member in members if member.pixels is not None]
    return [
        member
        if member.pixels is None
        else _check_size(member, member.pixels.shape, readable[0], takes)
        for member in members
    ]


def _check_size(
    member: Loaded, shape: tuple[int, ...], first: tuple[int, ...], takes: Takes
) -> Loaded:
    height, width = shape[:2]
    failure = ""
    if min(height, width) < takes.least_side:
        failure = (
            f"{member.picture.name} is {width}x{height}: {takes.by} takes pictures of"
            f" {takes.least_side} pixels a side or more"
        )
    elif shape != first:
        failure = (
            f"{member.picture.name} is {width}x{height}, others of its input {first[1]}x{first[0]}:"
            f" {takes.measure} compares pictures of one size"
        )
    return Loaded(member.picture, failure=failure) if failure else member


def follow(
    batches: Iterable[Sequence[AnyLoaded]], compute: Compute, total: int
) -> Iterator[Sequence[AnyLoaded]]:
    """Yield the batches, report how far they are, and stop at a failure if that is asked.

    Raises:
        SampleError: a picture can't be read, and the work stops at such.
    """
    done = failed = 0
    for items in batches:
        for item in items:
            if item.failure and compute.on_error == "stop":
                raise SampleError(item.failure, hint="--on-error skip leaves it out and counts it")
            failed += item.failure != ""
        done += len(items)
        if compute.on_progress:
            compute.on_progress(Progress(done, total, failed, 0))
        yield items


def tally_up(tally: Tally, pictures: Iterable[Loaded]) -> None:
    """Take in pictures, and why others can't be read."""
    for picture in pictures:
        if picture.header is None:
            tally.failures.append(picture.failure)
        else:
            tally.count(picture.header)
