"""TensorBoard's event files of a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from i2ikit.errors import UsageError
from i2ikit.training.state import Home, writing

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


class Board:
    """Writes what TensorBoard shows: losses, rates, validations and sheets of samples."""

    def __init__(self, writer: SummaryWriter) -> None:
        self._writer = writer

    def losses(self, step: int, losses: Mapping[str, float], rates: Mapping[str, float]) -> None:
        """Add the terms of the losses, and the learning rates by optimizer."""
        for kind, values in (("loss", losses), ("rate", rates)):
            for name, value in values.items():
                self._writer.add_scalar(f"{kind}/{name}", value, step)

    def validation(self, step: int, metric: str, value: float) -> None:
        """Add what a validation found."""
        self._writer.add_scalar(f"valid/{metric}", value, step)

    def sheet(self, step: int, direction: str, path: Path) -> None:
        """Add a sheet of samples."""
        with Image.open(path) as sheet:
            self._writer.add_image(
                f"samples/{direction}", np.asarray(sheet), step, dataformats="HWC"
            )


@contextmanager
def open_board(home: Home, step: int) -> Iterator[Board]:
    """Write event files of the steps after `step`; those of an earlier start are hidden.

    Raises:
        UsageError: the package is not installed.
    """
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        raise UsageError(
            "--tensorboard: tensorboard is not installed", hint="pip install 'i2ikit[tensorboard]'"
        ) from None
    with writing(home):
        writer = SummaryWriter(str(home.board), purge_step=step + 1)
    with closing(writer):
        yield Board(writer)
