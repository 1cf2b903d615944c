"""`--plan`: what a run would do, found out without writing anything."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from i2ikit.data.sizes import shrunk_size
from i2ikit.translation.execution import Execution
from i2ikit.translation.home import Home
from i2ikit.translation.look import Size, look_at_sizes
from i2ikit.translation.plan import Plan
from i2ikit.translation.prepare import prepare, settle
from i2ikit.translation.receipts import is_done
from i2ikit.translation.request import Request


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
    sizes: tuple[Size, ...]
    pixel_bytes: int | None


def preview(request: Request, execution: Execution) -> Preview:
    """Return what `run` would do with the same arguments.

    Raises:
        I2IError: what `run` would raise before its first image.
    """
    execution.check()
    prepared = prepare(request, execution.blocked)
    plan, _ = settle(prepared, execution)
    looked_at = look_at_sizes(prepared.source, next(iter(prepared.loaded.model.inputs)))
    sizes = [_resized(size, request.size) for size in looked_at]
    count = plan.num_inputs
    outputs = None if count is None else count * plan.num_styles
    mean = sum(width * height for width, height in sizes) / len(sizes) if sizes else None
    return Preview(
        settings=asdict(plan.settings),
        num_inputs=count,
        num_styles=plan.num_styles,
        num_outputs=outputs,
        num_shards=len(plan.shards),
        num_done=0 if execution.restart else _count_done(prepared.home, plan),
        sizes=tuple(sorted(set(sizes))),
        pixel_bytes=None if outputs is None or mean is None else round(3 * mean * outputs),
    )


def _count_done(home: Home, plan: Plan) -> int:
    return sum(len(shard.keys or ()) for shard in plan.shards if is_done(home, shard))


def _resized(size: Size, shorter: int | None) -> Size:
    """Return an output's (width, height)."""
    return size if shorter is None else shrunk_size(size, shorter)
