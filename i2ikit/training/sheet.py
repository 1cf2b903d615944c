"""Sheets of samples: inputs, what the checkpoint makes of them, and the truth where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from i2ikit.data.grid import lay_out
from i2ikit.data.images import Pixels, to_pixels
from i2ikit.loading import load_model
from i2ikit.model import Direction, Model
from i2ikit.training.data import Augmentation, Batch, Pool
from i2ikit.training.request import Request
from i2ikit.training.state import Home
from i2ikit.translation.noise import draw_noise

_ROWS, _STYLES = 4, 4


def write_sheet(request: Request, home: Home, pools: Sequence[Pool], step: int) -> None:
    """Write `samples/step-00001000-a2b.png`, and b2a for a model that goes both ways.

    A row an input; its styles are drawn by the row, the same on every sheet.
    """
    augmentation = Augmentation(request.size, request.augmentation.load_size, flip=False)
    model = load_model(request.model, home.checkpoint("latest"))
    for direction in model.directions:
        if direction != "a2b":
            model = load_model(request.model, home.checkpoint("latest"), direction)
        rows = [_row(model, pools, augmentation, direction, place) for place in range(_ROWS)]
        path = home.root / "samples" / f"step-{step:08d}-{direction}.png"
        _save(rows, path, home)


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
    inputs = {name: source[name] for name in model.inputs}
    row = [_shown(next(iter(inputs.values())))]
    with torch.inference_mode():
        content = model.encode(**inputs)
        for index in range(_STYLES if model.noise_shape else 1):
            style = None
            if model.noise_shape:
                noise = draw_noise(0, str(place), index, model.noise_shape)[None]
                style = model.style_from_noise(noise, content)
            elif model.reference_inputs:
                example = {n: {**source, **target}[n] for n in model.reference_inputs}
                style = model.style_from_reference(**example)
            row.append(to_pixels(model.decode(content, style)[0]))
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
    path.parent.mkdir(exist_ok=True)
    scratch = home.scratch()
    lay_out(rows).save(scratch, "PNG")
    scratch.replace(path)
