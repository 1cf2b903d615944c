"""What the stages of a run need to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from i2ikit.data.images import Rounding
from i2ikit.data.samples import Source
from i2ikit.devices import Precision
from i2ikit.evaluate.meter import Meter
from i2ikit.labels.whole_set import SetLabels
from i2ikit.model import Model
from i2ikit.translation.home import Home
from i2ikit.translation.plan import Plan
from i2ikit.translation.styles import Styles


@dataclass(frozen=True)
class Translator:
    """All that decides the pixels of an output, its input apart.

    Attributes:
        model: on `device`, in eval mode.
        styles: one or several per input.
        device: where the network runs.
        precision: at which it computes.
        size: the shorter side that inputs are resized to, in pixels; None: they stay as they are.
        rounding: from the model's range to 8 bits.
    """

    model: Model
    styles: Styles
    device: torch.device
    precision: Precision = "fp32"
    size: int | None = None
    rounding: Rounding = "round"


@dataclass(frozen=True)
class Job:
    """A plan with all that is needed to run its shards on one device.

    Attributes:
        plan: what was fixed.
        source: where samples come from.
        translator: what makes the outputs.
        set_labels: what files of the whole data set say of its pictures.
        home: where OUT and the run's records are.
        batch_size: pictures that the network works on at a time; a GPU takes them in batches, so
            there it is how many wait for it.
        workers: threads that decode, and as many that encode; 0: none.
        on_error: whether a failed input is recorded or ends the run.
        on_input: called after each input with whether it failed.
        meter: measures the outputs; None where that wasn't asked for.
    """

    plan: Plan
    source: Source
    translator: Translator
    set_labels: SetLabels
    home: Home
    batch_size: int
    workers: int
    on_error: Literal["skip", "stop"]
    on_input: Callable[[bool], None]
    meter: Meter | None = None
