"""How the files of a feed are named, for the programs that read it.

A picture's stem is ORIGIN/ and the name that it has in its own set: `translated/dog/a_s00`,
`original/dog/a`. So names of different origins never meet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from i2ikit.data.keys import key_problem, member_key, split_picture
from i2ikit.errors import SampleError, UsageError
from i2ikit.feed.candidates import Candidate
from i2ikit.labels.finding import PLURALS, Kind

LayoutName: TypeAlias = Literal["imagefolder", "cityscapes", "coco", "huggingface", "shards"]

_CITYSCAPES_END = "_leftImg8bit"


@dataclass(frozen=True)
class Names:
    """The files of one picture, by their names below FEED.

    Attributes:
        picture: the picture itself.
        mask: its mask; of class ids if there is a map.
        source_mask: the mask with the source's ids; "" where a mapped one takes its place.
        objects: the file of its objects, without suffix: that is the file's own.
    """

    picture: str
    mask: str = ""
    source_mask: str = ""
    objects: str = ""


@dataclass(frozen=True)
class Layout:
    """A way to name files.

    Attributes:
        kinds: of labels that it can hold.
        name: from a picture's split, class ("" if a file is its label), stem and suffix to its
            files.
    """

    kinds: Collection[Kind]
    name: Callable[[str, str, str, str], Names]


def name_files(layout: Layout, one: Candidate, suffix: str) -> Names:
    """Return the names of a picture's files; `suffix` is that of the picture.

    Raises:
        SampleError: its class can't name a folder.
    """
    class_name = one.label if isinstance(one.label, str) else ""
    if class_name and (key_problem(class_name) or "/" in class_name or class_name[0] == "."):
        raise SampleError(f"'{one.source_key}' has class {class_name!r}, which names no folder")
    return layout.name(one.split, class_name, f"{one.origin}/{_stem(one)}", suffix)


def _stem(one: Candidate) -> str:
    if one.origin != "translated":
        return one.source_key
    _, tar, member = one.name.rpartition(".tar/")
    return split_picture(member if tar else one.name)[0]


def _imagefolder(split: str, class_name: str, stem: str, suffix: str) -> Names:
    return Names(f"{split}/{class_name}/{stem}{suffix}")


def _cityscapes(split: str, class_name: str, stem: str, suffix: str) -> Names:
    """Name a picture as the data set's own loaders want it: SPLIT/CITY/NAME, no deeper."""
    del class_name
    folder, _, base = stem.rpartition("/")
    base = base.replace(_CITYSCAPES_END, "")
    city = folder.replace("/", "-")
    fine = f"gtFine/{split}/{city}/{base}_gtFine"
    return Names(
        f"leftImg8bit/{split}/{city}/{base}{_CITYSCAPES_END}{suffix}",
        f"{fine}_labelTrainIds.png",
        f"{fine}_labelIds.png",
    )


def _huggingface(split: str, class_name: str, stem: str, suffix: str) -> Names:
    del class_name
    picture, mask = f"{split}/{stem}{suffix}", f"{split}/masks/{stem}.png"
    return Names(picture, mask, objects=f"{split}/objects/{stem}")


def _coco(split: str, class_name: str, stem: str, suffix: str) -> Names:
    del class_name
    return Names(f"{split}/{stem}{suffix}", objects=f"{split}/objects/{stem}")


def _loose(split: str, class_name: str, stem: str, suffix: str) -> Names:
    """Name the files of a sample as they are called in a tar; it is packed later."""
    del class_name
    key = f"{split}/{member_key(stem)}"
    return Names(f"{key}{suffix}", f"{key}.mask.png", objects=f"{key}.objects")


_CLASS: tuple[Kind, ...] = ("class",)
_MASK: tuple[Kind, ...] = ("mask",)
_OBJECTS: tuple[Kind, ...] = ("objects",)
LAYOUTS: Mapping[LayoutName, Layout] = MappingProxyType(
    {
        "imagefolder": Layout(_CLASS, _imagefolder),
        "cityscapes": Layout(_MASK, _cityscapes),
        "coco": Layout(_OBJECTS, _coco),
        "huggingface": Layout(_CLASS + _MASK + _OBJECTS, _huggingface),
        "shards": Layout(_CLASS + _MASK + _OBJECTS, _loose),
    }
)


_USUAL: Mapping[Kind, LayoutName] = MappingProxyType(
    {"class": "imagefolder", "mask": "cityscapes", "objects": "coco"}
)


def choose_layout(name: LayoutName | None, kind: Kind) -> LayoutName:
    """Return the layout that was asked for, or the usual one for labels of this kind.

    Raises:
        UsageError: it can't hold labels of this kind.
    """
    if name is None:
        return _USUAL[kind]
    if name not in LAYOUTS:
        raise UsageError(f"there is no layout '{name}'", hint=f"there are: {', '.join(LAYOUTS)}")
    if kind not in LAYOUTS[name].kinds:
        fitting = [other for other, layout in LAYOUTS.items() if kind in layout.kinds]
        raise UsageError(
            f"--layout {name} can't hold {PLURALS[kind]}:"
            f" it is for {' and '.join(PLURALS[own] for own in LAYOUTS[name].kinds)}",
            hint=f"those that can: {', '.join(fitting)}",
        )
    return name
