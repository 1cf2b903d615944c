"""What every stage of a run needs to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from i2ikit.data.samples import Source
from i2ikit.model import Model
from i2ikit.translation.plan import Plan
from i2ikit.translation.styles import Styles


@dataclass(frozen=True)
class Job:
    """A plan with all that is needed to run its shards on one device.

    Attributes:
        plan: what was fixed.
        source: where samples come from.
        model: on `device`, in eval mode.
        styles: one or several per input.
        root: OUT.
        device: where the network runs.
        batch_size: pictures that the network works on at a time; a GPU takes them in batches, so
            there it is how many wait for it.
        workers: threads that decode, and as many that encode; 0: none.
        on_error: whether a failed input is recorded or ends the run.
        on_input: called after each input with whether it failed.
    """

    plan: Plan
    source: Source
    model: Model
    styles: Styles
    root: Path
    device: torch.device
    batch_size: int
    workers: int
    on_error: Literal["skip", "stop"]
    on_input: Callable[[bool], None]

    @property
    def home(self) -> Path:
        """Return the folder of the run's records."""
        return self.root / ".i2ikit"

    @property
    def receipts(self) -> Path:
        """Return the folder of the shards' receipts."""
        return self.home / "receipts"
