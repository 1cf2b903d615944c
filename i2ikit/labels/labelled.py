"""Sets of pictures with a label each: a class, or a mask of ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from i2ikit.data.samples import File, Sample, Source
from i2ikit.data.sources import open_source
from i2ikit.errors import SampleError, SourceError, UsageError, counted
from i2ikit.labels.finding import FORMS, Find, Kind, Labels, open_labels, picture_names
from i2ikit.labels.set_objects import OBJECTS, are_objects, open_objects

_NAMED = 5


@dataclass(frozen=True)
class Labelled:
    """A picture with its label.

    Attributes:
        key: its own.
        picture: its file.
        label: the name of its class, or the file of its mask or of its objects.
        source_key: the key of what it was translated from; its own for other pictures.
    """

    key: str
    picture: File
    label: str | File
    source_key: str


@dataclass(frozen=True)
class LabelledSet:
    """Pictures with labels of one kind.

    Attributes:
        location: as the user wrote it.
        kind: "class" or "mask".
        samples: in the order of their keys' source.
        left_out: why others don't count, a sentence each.
    """

    location: str
    kind: Kind
    samples: tuple[Labelled, ...]
    left_out: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, numbers by value; () of masks."""
        return sort_classes(one.label for one in self.samples if isinstance(one.label, str))


def sort_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the different names of classes in order, numbers by value."""
    return tuple(sorted(set(names), key=_class_order))


def _class_order(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


@dataclass(frozen=True)
class LabelledSource:
    """Pictures and labels that are read one after the other.

    Attributes:
        location: as the user wrote it.
        place: where the pictures are.
        source: reads them.
        labels: finds their labels, of any kind.
    """

    location: str
    place: str
    source: Source
    labels: Labels

    def read(self, problems: list[str]) -> Iterator[Labelled]:
        """Yield the pictures with their labels, in order.

        Why others don't count is added to `problems`, a sentence each.

        Raises:
            SourceError: a tar is damaged or cut off.
        """
        is_translation = (Path(self.place) / ".i2ikit" / "plan.json").is_file()
        names: set[str] = set()
        for part in self.source.parts:
            for sample in self.source.read(part.name, part.keys):
                if is_translation and "style_index" not in sample.columns:
                    continue  # what travels beside is no picture
                names.update(picture_names(sample))
                try:
                    yield _label(sample, self.labels.find)
                except SampleError as error:
                    problems.append(str(error))
        problems += self.labels.strays(names, self.place)


def open_labelled(text: str, on_error: Literal["skip", "stop"] = "stop") -> LabelledSet:
    """Return the pictures and labels of `PICTURES[=LABELS]`.

    Args:
        text: what the user wrote, see `open_labelled_source`.
        on_error: whether a picture without label, or the reverse, is left out or an error.

    Raises:
        SourceError: the set can't be read, or holds nothing with a label.
        SampleError: a picture lacks its label or the reverse, and `on_error` is "stop".
        UsageError: LABELS says not how, or means objects.
    """
    source = open_labelled_source(text)
    if source.labels.kind == OBJECTS:
        raise refuse_objects(text)
    problems: list[str] = []
    samples = tuple(source.read(problems))
    if problems and (on_error == "stop" or not samples):
        listed = "; ".join(problems[:_NAMED]) + ("; …" if len(problems) > _NAMED else "")
        raise SampleError(f"{counted(len(problems), 'label')} amiss in {text}: {listed}")
    if not samples:
        raise SourceError(f"{text} holds no labelled pictures")
    return LabelledSet(text, source.labels.kind, samples, tuple(problems))


def open_labelled_source(text: str) -> LabelledSource:
    """Return what reads the pictures and labels of `PICTURES[=LABELS]`.

    PICTURES: a folder, tars or a manifest. LABELS: see `open_labels` and, of objects,
    `open_objects`; "folder" if left out.

    Raises:
        SourceError: the set can't be read.
        UsageError: LABELS says not how.
    """
    place, how = _split(text)
    source = open_source(place, inputs=("image",), fields={})
    if not are_objects(how):
        return LabelledSource(text, place, source, open_labels(how))
    keys = [key for part in source.parts for key in part.keys or ()]
    return LabelledSource(text, place, source, open_objects(how, source.carried, keys))


def refuse_objects(text: str) -> UsageError:
    """Return the error for a set with objects where a picture has one class or one mask."""
    return UsageError(
        f"{text} has objects in its pictures, and here a picture has a class or a mask",
        hint="`i2ikit feed build` and `i2ikit.feed.dataset` take objects",
    )


def _split(text: str) -> tuple[str, str]:
    place, equals, how = text.rpartition("=")
    if not equals or Path(text).exists():  # a path may hold one, too
        return text, "folder"
    if not place or not how:
        raise UsageError(f"{text} is not PICTURES[=LABELS]", hint=f"LABELS: {FORMS}")
    return place, how


def _label(sample: Sample, find: Find) -> Labelled:
    if sample.problem:
        raise SampleError(sample.problem)
    source_key = str(sample.columns.get("key", sample.key))
    return Labelled(sample.key, sample.fields["image"], find(sample), source_key)
