"""Outputs grouped by the input that they were made from, for metrics of how much they vary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from i2ikit.errors import UsageError, counted
from i2ikit.evaluate.sets import Picture, group_by_key, open_set

#: OUT of a translation, a folder of folders, tars or a manifest; or groups of arrays, each as for
#: `as_pixels`.
Outputs: TypeAlias = str | Path | Iterable[Iterable[Any]]


@dataclass(frozen=True)
class Groups:
    """The outputs of each input.

    Attributes:
        location: as the user wrote it.
        members: the outputs by the name of their group: those of a translation in the order of
            their styles, others in that of their names. What comes from tars is held in memory, as
            files.
        grouped_by: what made them a group, for the card: "source", "folder" or "caller".
    """

    location: str
    members: Mapping[str, Sequence[Picture]]
    grouped_by: str

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return sum(map(len, self.members.values()))


def read_groups(outputs: Outputs) -> Groups:
    """Return the outputs of each input; groups of one picture are among them.

    Pictures that know their style index, as the outputs of `translate` do, are grouped by the input
    that they were made from; others by the folder that they lie in.

    Raises:
        SourceError: nothing there, or nothing that can be measured.
        UsageError: no group has two pictures.
    """
    groups = _read_stored(outputs) if isinstance(outputs, str | Path) else _read_arrays(outputs)
    if max(map(len, groups.members.values()), default=0) < 2:
        raise UsageError(
            f"no group of {groups.location} has two pictures: {counted(groups.count, 'picture')} in"
            f" {counted(len(groups.members), 'group')}",
            hint="translate with --style-sample 10, or put the outputs of each input into a folder",
        )
    return groups


def _read_stored(location: str | Path) -> Groups:
    pictures = list(open_set(location).read())
    if any(picture.style_index is not None for picture in pictures):
        return Groups(str(location), group_by_key(pictures), "source")
    members: dict[str, list[Picture]] = {}
    for picture in pictures:
        members.setdefault(picture.key.rpartition("/")[0], []).append(picture)
    if loose := members.get(""):
        raise UsageError(
            f"{counted(len(loose), 'picture')} of {location}, like {loose[0].name}, can't be "
            "grouped: they are no outputs of translate, and lie in no sub-folder",
            hint="put the outputs of each input into a folder of its own",
        )
    return Groups(str(location), members, "folder")


def _read_arrays(groups: Iterable[Iterable[Any]]) -> Groups:
    members: dict[str, list[Picture]] = {}
    for place, group in enumerate(groups):
        if getattr(group, "ndim", 4) < 4:
            raise UsageError(
                f"group {place} is a single array of shape {tuple(group.shape)}",  # type: ignore[attr-defined]
                hint="give a list of pictures for each input",
            )
        members[str(place)] = [
            Picture(f"picture {index} of group {place}", str(place), array=array)
            for index, array in enumerate(group)
        ]
    return Groups("arrays", members, "caller")
