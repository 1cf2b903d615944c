"""A show of the checkpoints that plugins bring with examples: translated, measured, laid out."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from i2ikit.data.grid import lay_out
from i2ikit.data.images import Pixels
from i2ikit.errors import UsageError
from i2ikit.evaluate import pixels
from i2ikit.hookspecs import CheckpointEntry
from i2ikit.loading import load_model
from i2ikit.model import Direction
from i2ikit.plugins import discover, locate
from i2ikit.scratch import new_folder
from i2ikit.translation.run import translate

#: Styles of each input, for models that draw them.
STYLES = 8
#: How much larger the page shows a sheet.
_ZOOM = 2


@dataclass(frozen=True)
class Shown:
    """One checkpoint, in one direction.

    Attributes:
        name: of the checkpoint, and the direction: "demo-munit a2b".
        summary: the checkpoint's.
        sheet: a picture: each row an input, its translations, and the truth.
        folder: the translated pictures.
        measured: by name; L1 is of values in [-1, 1].
    """

    name: str
    summary: str
    sheet: Path
    folder: Path
    measured: Mapping[str, float]


def demo(
    output: str | Path,
    *,
    blocked: Iterable[str] = (),
    on_start: Callable[[str], None] | None = None,
) -> list[Shown]:
    """Translate the examples of all default checkpoints; write sheets and OUT/index.html.

    Args:
        output: a new folder; there is none if this is stopped.
        blocked: plugins not to import.
        on_start: told the name of each checkpoint before its turn.

    Raises:
        RunError: `output` is there already.
        UsageError: no plugin brings a checkpoint with examples.
    """
    root, blocked = Path(output), tuple(blocked)
    offered = [entry for entry, _ in discover(blocked).offered(CheckpointEntry)]
    entries = [entry for entry in offered if entry.is_default and entry.examples]
    if not entries:
        raise UsageError("no plugin brings a checkpoint with examples")
    shown = []
    with new_folder(root) as scratch:
        for entry in entries:
            model = load_model(entry.model, entry.name, blocked=blocked)
            num_styles = STYLES if model.noise_shape else None
            for direction in model.directions:
                if on_start:
                    on_start(f"{entry.name} {direction}")
                shown.append(_show(entry, direction, num_styles, scratch, blocked))
        (scratch / "index.html").write_text(_page(shown), encoding="utf-8")
    return [
        replace(one, sheet=root / one.sheet.name, folder=root / one.folder.name) for one in shown
    ]


def _show(
    entry: CheckpointEntry,
    direction: Direction,
    num_styles: int | None,
    root: Path,
    blocked: tuple[str, ...],
) -> Shown:
    """Translate a checkpoint's examples one way, measure them and write their sheet."""
    places = {name: locate(place) for name, place in entry.examples.items()}
    truth = locate(entry.truth)
    if direction == "b2a":
        places, truth = {"image": truth}, next(iter(places.values()))
    source, *_ = places.values()
    folder = root / f"{entry.name}-{direction}"
    translate(
        source,
        folder,
        model=entry.model,
        checkpoint=entry.name,
        direction=direction,
        style_sample=num_styles,
        fields={name: str(place) for name, place in list(places.items())[1:]},
        blocked=blocked,
    )
    sheet = root / f"{folder.name}.png"
    lay_out([_row(path, folder, truth) for path in sorted(source.glob("*.png"))]).save(sheet)
    result = pixels(truth, folder)
    return Shown(
        name=f"{entry.name} {direction}",
        summary=entry.summary,
        sheet=sheet,
        folder=folder,
        measured={"L1": result.value, **result.parts},
    )


def _row(source: Path, folder: Path, truth: Path) -> list[Pixels]:
    outputs = sorted(folder.glob(f"{source.stem}*.png"))
    return [_read(path) for path in (source, *outputs, truth / source.name)]


def _read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def _page(shown: Sequence[Shown]) -> str:
    """Return a page that needs nothing but the files beside it."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><meta charset="utf-8"><title>i2ikit demo</title>',
            "<style>body{font:16px/1.5 sans-serif;margin:2em;max-width:90em}",
            "img{image-rendering:pixelated;max-width:100%}td{padding-right:2em}</style>",
            "<h1>i2ikit demo</h1>",
            "<p>Each row: an input, its translations, and the true picture. The places are none",
            "that the networks were trained on.</p>",
            *(_section(one) for one in shown),
            "</html>",
            "",
        ]
    )


def _section(one: Shown) -> str:
    with Image.open(one.sheet) as image:
        width = image.width * _ZOOM
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{value:.4g}</td></tr>"
        for name, value in one.measured.items()
    )
    return (
        f"<h2>{html.escape(one.name)}</h2><p>{html.escape(one.summary)}</p>"
        f'<img src="{one.sheet.name}" width="{width}" alt="{html.escape(one.name)}">'
        f"<table>{rows}</table>"
    )
