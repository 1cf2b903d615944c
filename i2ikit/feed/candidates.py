"""What may go into a feed: pictures of three origins, each with its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from i2ikit.data.samples import File
from i2ikit.data.sizes import Geometry
from i2ikit.labels.finding import Kind

Origin: TypeAlias = Literal["translated", "original", "target"]
ORIGINS: tuple[Origin, ...] = ("translated", "original", "target")
#: Ratios of the numbers of pictures.
Mix: TypeAlias = Mapping[Origin, float]
#: All styles of a source, so many of them, or one an epoch.
Styles: TypeAlias = Literal["all", "epoch"] | int


@dataclass(frozen=True)
class Beside:
    """A label that lies with its picture, and was moved as the picture was.

    Attributes:
        kind: "objects"; or "mask", as `--field NAME=…` of a translation leaves it.
        field: the NAME.
    """

    kind: Kind
    field: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Candidate:
    """A picture that may go into a feed; its bytes are read when it does.

    Attributes:
        origin: where it comes from.
        source_key: the key in IN of the translation; a target picture's own key.
        name: of a translation, its file's under TRANSLATED; else the key.
        style_index: of a translation.
        label: its class; the file of its source's mask or objects; or, where these lie with the
            picture, what to look for when it is read.
        geometry: how a translation's pixels moved; None if they didn't.
        split: the split it goes to.
        epoch: the only one that shows it; None: all do.
        source_sha256: of the source's picture; "" where it wasn't needed or can't be read.
    """

    origin: Origin
    source_key: str
    name: str
    style_index: int | None
    label: str | File | Beside
    geometry: Geometry | None = None
    split: str = ""
    epoch: int | None = None
    source_sha256: str = ""
