"""How an evaluation is carried out, as opposed to what it measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from i2ikit.devices import PRECISIONS, Precision, arithmetic, choose_device, default_workers
from i2ikit.errors import UsageError
from i2ikit.progress import Progress

#: Pictures a network takes at a time; on a CPU larger batches only wait for memory.
_BATCH_SIZES = {"cpu": 8}
_GPU_BATCH_SIZE = 64


@dataclass(frozen=True)
class Compute:
    """How an evaluation is carried out.

    Attributes:
        device: "auto", "cpu", "cuda" …; several, separated by commas, share the work.
        precision: of the network: "fp32", "bf16" or "fp16". It changes features, by up to a few
            percent: both sides of a comparison must have the same.
        batch_size: pictures that a network takes at a time. None: chosen.
        workers: threads that read and decode. None: chosen.
        cache: whether features are kept in the user's cache folder, and taken from there.
        on_error: whether a picture that can't be read is left out and named, or ends the work.
        download: whether official weights may be fetched.
        blocked: plugins not to import.
        on_progress: called after each batch.
    """

    device: str = "auto"
    precision: Precision = "fp32"
    batch_size: int | None = None
    workers: int | None = None
    cache: bool = True
    on_error: Literal["skip", "stop"] = "skip"
    download: bool = False
    blocked: tuple[str, ...] = ()
    on_progress: Callable[[Progress], None] | None = None

    def check(self) -> None:
        """Refuse values out of bounds.

        Raises:
            UsageError: naming the flag.
        """
        if self.precision not in PRECISIONS:
            raise UsageError(f"--precision {self.precision} is none of {', '.join(PRECISIONS)}")
        if self.on_error not in ("skip", "stop"):
            raise UsageError(f"--on-error {self.on_error} is neither skip nor stop")
        for flag, value, least in (
            ("--batch-size", self.batch_size, 1),
            ("--workers", self.workers, 0),
        ):
            if value is not None and value < least:
                raise UsageError(f"{flag} {value} is less than {least}")

    def devices(self) -> list[torch.device]:
        """Return the devices that share the work.

        Raises:
            UsageError: this machine lacks one.
        """
        return [choose_device(name.strip()) for name in self.device.split(",")]

    def chosen_batch_size(self, device: torch.device) -> int:
        """Return how many pictures a network on `device` takes at a time."""
        return self.batch_size or _BATCH_SIZES.get(device.type, _GPU_BATCH_SIZE)

    def chosen_workers(self) -> int:
        """Return how many threads read and decode."""
        return default_workers() if self.workers is None else self.workers

    @contextmanager
    def kernels(self) -> Iterator[None]:
        """Set torch's threads and kernels for the length of the work."""
        side_by_side = sum(device.type == "cpu" for device in self.devices())
        with arithmetic(max(1, torch.get_num_threads() // max(1, side_by_side))):
            yield
