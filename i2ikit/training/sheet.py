"""Sheets of samples: inputs, what the checkpoint makes of them, and the truth where it is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor

from i2ikit.data.grid import lay_out
from i2ikit.data.images import Pixels, to_pixels
from i2ikit.loading import load_model
from i2ikit.model import Direction, Model
from i2ikit.training.data import Augmentation, Batch, Pool
from i2ikit.training.request import Request
from i2ikit.training.samples import translations
from i2ikit.training.state import Home, writing

_ROWS, _STYLES = 4, 4


def write_sheets(
    request: Request, home: Home, pools: Sequence[Pool], step: int, blocked: Iterable[str] = ()
) -> dict[Direction, Path]:
    """Write `samples/step-00001000-a2b.png`, and b2a for a model that goes both ways.

    They show the checkpoint "latest". A row an input; its styles are drawn by the row, the same on
    every sheet.
    """
    augmentation = Augmentation(request.size, request.augmentation.load_size, flip=False)
    checkpoint, written = home.checkpoint("latest"), {}
    model = load_model(request.model, checkpoint, blocked=blocked)
    for direction in model.directions:
        if direction != "a2b":
            model = load_model(request.model, checkpoint, direction, blocked=blocked)
        rows = [_row(model, pools, augmentation, direction, place) for place in range(_ROWS)]
        written[direction] = home.root / "samples" / f"step-{step:08d}-{direction}.png"
        _save(rows, written[direction], home)
    return written


def _row(
    model: Model,
    pools: Sequence[Pool],
    augmentation: Augmentation,
    direction: Direction,
    place: int,
) -> list[Pixels]:
    """Return an input, its translations, and its partner where there is one."""
    source, target = _load(pools, augmentation, place)
    if direction == "b2a":
        source, target = target, source
    row = [_shown(source[next(iter(model.inputs))])]
    made = translations(model, source, target, str(place), _STYLES)
    row += [to_pixels(picture[0]) for picture in made]
    if len(pools) == 1:
        row.append(_shown(next(iter(target.values()))))
    return row


def _load(pools: Sequence[Pool], augmentation: Augmentation, place: int) -> Batch:
    """Return the same pictures every time."""
    a: dict[str, Tensor] = {}
    b: dict[str, Tensor] = {}
    for pool in pools:
        part = pool.load(place, augmentation)
        a, b = {**a, **part[0]}, {**b, **part[1]}
    return a, b


def _shown(field: Tensor) -> Pixels:
    """Return a field as a picture; ids as levels of grey."""
    if not field.is_floating_point():
        top = max(1, int(field.max()))
        field = field.float() / top * 2 - 1
    return to_pixels(field[0].expand(3, -1, -1))


def _save(rows: Sequence[Sequence[Pixels]], path: Path, home: Home) -> None:
    with writing(home):
        path.parent.mkdir(exist_ok=True)
        scratch = home.scratch()
        lay_out(rows).save(scratch, "PNG")
        scratch.replace(path)
