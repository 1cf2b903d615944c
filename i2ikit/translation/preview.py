"""`--plan`: what a run would do, found out without writing anything."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image

from i2ikit.data.samples import File, Sample, Source
from i2ikit.translation.plan import load_plan
from i2ikit.translation.prepare import Prepared, compare, prepare
from i2ikit.translation.receipts import is_done
from i2ikit.translation.request import Request

#: So many inputs, evenly spread, tell how large the outputs are.
_LOOKED_AT = 50


@dataclass(frozen=True)
class Preview:
    """What a run would do.

    Attributes:
        settings: everything that decides a pixel or a name.
        num_inputs: None where remote tars hide it.
        num_styles: outputs per input.
        num_outputs: None where the inputs are unknown.
        num_shards: the pieces that a kill can lose one of.
        num_done: inputs whose shards an earlier start has done.
        sizes: (width, height) of the outputs, of the inputs that were looked at.
        pixel_bytes: the outputs' size without compression, from the mean of `sizes`.
    """

    settings: dict[str, Any]
    num_inputs: int | None
    num_styles: int
    num_outputs: int | None
    num_shards: int
    num_done: int
    sizes: tuple[tuple[int, int], ...]
    pixel_bytes: int | None


def preview(request: Request, blocked: Iterable[str] = ()) -> Preview:
    """Return what `translate` would do with the same request.

    Raises:
        I2IError: what `translate` would raise before its first image.
    """
    prepared = prepare(request, blocked)
    plan = prepared.plan
    sizes = tuple(_sizes(prepared))
    count = plan.num_inputs
    outputs = None if count is None else count * plan.num_styles
    mean = sum(width * height for width, height in sizes) / len(sizes) if sizes else None
    return Preview(
        settings=asdict(plan.settings),
        num_inputs=count,
        num_styles=plan.num_styles,
        num_outputs=outputs,
        num_shards=len(plan.shards),
        num_done=_count_done(prepared),
        sizes=tuple(sorted(set(sizes))),
        pixel_bytes=None if outputs is None or mean is None else round(3 * mean * outputs),
    )


def _count_done(prepared: Prepared) -> int:
    home = prepared.request.root / ".i2ikit"
    there = load_plan(home)
    if there is None:
        return 0
    compare(there.settings, prepared.plan.settings, prepared.request.root)
    done = (shard for shard in there.shards if is_done(home / "receipts", shard))
    return sum(len(shard.keys or ()) for shard in done)


def _sizes(prepared: Prepared) -> Iterable[tuple[int, int]]:
    """Yield the output sizes of some inputs, read off the files' heads."""
    primary = next(iter(prepared.loaded.model.inputs))
    for sample in _spread(prepared.source):
        file = sample.fields.get(primary)
        size = file and _size(file)
        if size:
            yield _resized(size, prepared.request.size)


def _spread(source: Source) -> Iterable[Sample]:
    for part in source.parts:
        if part.splittable and part.keys:
            step = -(-len(part.keys) // _LOOKED_AT)
            yield from source.read(part.name, part.keys[::step])


def _size(file: File) -> tuple[int, int] | None:
    source = io.BytesIO(file.data) if isinstance(file.data, bytes) else file.data
    try:
        with Image.open(source) as image:
            return image.size
    except Exception:  # an unreadable picture has no outputs; the run will say so
        return None


def _resized(size: tuple[int, int], shorter: int | None) -> tuple[int, int]:
    if shorter is None:
        return size
    width, height = (round(side * shorter / min(size)) for side in size)
    return width, height
