"""All sets of a probe, read alike, and what in them doesn't go together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from i2ikit.data.sizes import shrunk_size
from i2ikit.errors import UsageError, counted
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.results import compare_sides
from i2ikit.feed.probe_sets import Frame, ProbeSet, Reading, decode, load_set
from i2ikit.feed.training_sets import holds_classes
from i2ikit.labels.finding import Kind
from i2ikit.labels.id_maps import open_id_map
from i2ikit.labels.labelled import LabelledSet

#: All sets together hold at most so many bytes.
MOST_BYTES = 8 * 10**9
_NAMED = 5


@dataclass(frozen=True)
class ProbeData:
    """Training sets and a test in memory.

    Attributes:
        kind: of their labels.
        frame: the size of all pictures.
        names: of the classes, by number from 0.
        sets: those to train on.
        test: the one to test on.
    """

    kind: Kind
    frame: Frame
    names: Sequence[str]
    sets: Mapping[str, ProbeSet]
    test: ProbeSet


def find_kind(opened: Mapping[str, LabelledSet]) -> Kind:
    """Return the kind of labels that all sets have.

    Raises:
        UsageError: some have classes, and some masks.
    """
    kinds: dict[Kind, str] = {one.kind: one.location for one in opened.values()}
    if len(kinds) > 1:
        raise UsageError(
            f"{kinds['class']} has classes, and {kinds['mask']} masks", hint="see PICTURES=LABELS"
        )
    return next(iter(kinds))


def load_all(
    opened: Mapping[str, LabelledSet],
    test: str,
    *,
    size: int | None,
    map: str | None,
    compute: Compute,
) -> ProbeData:
    """Decode all sets into memory, in one size and with the same numbers for classes.

    Args:
        opened: the sets by name.
        test: the name of the one to test on.
        size: see `choose_frame`.
        map: what the ids of masks mean.
        compute: workers, and what a file that can't be used does.

    Raises:
        UsageError: they are too large, or a map was given for classes.
        SampleError: a file can't be used, and the work stops at such.
        SourceError: none of a set, or the map, can be used.
    """
    kind = find_kind(opened)
    if map is not None and kind == "class":
        raise UsageError(f"--map {map} is for masks, and the sets have classes")
    id_map = None if map is None else open_id_map(map)
    frame = choose_frame(opened[test], size)
    check_memory(list(opened.values()), frame)
    samples = [one for found in opened.values() for one in found.samples]
    names = LabelledSet("", kind, tuple(samples)).classes
    sets = {}
    for name, found in opened.items():
        own_map = None if holds_classes(found.location) else id_map
        sets[name] = load_set(found, Reading(frame, names, own_map), compute)
    if kind == "mask":
        known = id_map.names if id_map else {}
        last = max(place for one in sets.values() for place in one.classes)
        names = tuple(known.get(place, str(place)) for place in range(last + 1))
    return ProbeData(kind, frame, names, sets, sets.pop(test))


def choose_frame(test: LabelledSet, size: int | None) -> Frame:
    """Return the size of all pictures: that of the test's, or with a shorter side of `size`.

    Raises:
        UsageError: the test's pictures have several sizes, and no size is given.
    """
    shapes = {decode(one.picture).shape[:2] for one in test.samples}
    if len(shapes) > 1:  # no shape is the right one: squares
        if size is None:
            raise UsageError(
                f"the pictures of {test.location} have {len(shapes)} sizes",
                hint="say --size: all become squares of it",
            )
        return size, size
    height, width = shapes.pop()
    return shrunk_size((height, width), size or min(height, width))


def check_memory(sets: Sequence[LabelledSet], frame: Frame) -> None:
    """Refuse sets that are too large to be held.

    Raises:
        UsageError: saying how large they are.
    """
    pictures = sum(len(one.samples) for one in sets)
    size = pictures * frame[0] * frame[1] * (3 if sets[0].kind == "class" else 4)
    if size > MOST_BYTES:
        raise UsageError(
            f"{counted(pictures, 'picture')} of {frame[1]}x{frame[0]} take"
            f" {size / 1e9:.1f} GB, and a probe holds {MOST_BYTES / 1e9:g} GB of all sets at most",
            hint="--size makes them smaller",
        )


def compare(data: ProbeData) -> dict[str, list[str]]:
    """Return warnings about each training set, beside the test.

    Raises:
        UsageError: a training set has no class of the test, or the test has one that no training
            set has.
    """
    asked = data.test.classes
    for name, one in data.sets.items():
        if not asked & one.classes:
            raise UsageError(
                f"{name}: {one.side['location']} and the test {data.test.side['location']} have no"
                " class in common",
                hint=f"it has {_list(data, one.classes)}; the test {_list(data, asked)}",
            )
    learned = frozenset().union(*(one.classes for one in data.sets.values()))
    if unknown := asked - learned:
        raise UsageError(
            f"the test has classes that no training set has: {_list(data, unknown)}",
            hint=f"those have: {_list(data, learned)}",
        )
    return {name: list(_warn(data, name)) for name in data.sets}


def _warn(data: ProbeData, name: str) -> Iterator[str]:
    one, asked = data.sets[name], data.test.classes
    if lacking := asked - one.classes:
        yield f"{name}: classes of the test that it lacks: {_list(data, lacking)}"
    if further := one.classes - asked:
        yield f"{name}: classes that the test lacks, which only mislead: {_list(data, further)}"
    if shared := one.digests & data.test.digests:
        yield f"{name}: {counted(len(shared), 'picture')} of the test are in it, too"
    yield from (f"{name}: {warning}" for warning in compare_sides(one.side, data.test.side))


def _list(data: ProbeData, classes: Iterable[int]) -> str:
    names = [f"'{data.names[place]}'" for place in sorted(classes)]
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
