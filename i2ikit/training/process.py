"""The processes that share a training, a device each: what they must agree on.

Each computes its share of every batch; gradients are averaged, so that all keep the same weights.
The first one alone writes, measures and reports. What a collective call hands round is the same for
all, so that each makes it at the same places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from i2ikit.errors import RunError, UsageError

#: How long one waits for the others: a validation of the first must fit in.
_PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Process:
    """One of the processes of a training, in the terms of torchrun.

    Attributes:
        rank: its number, from 0.
        size: how many there are.
        local_rank: its number on this machine, and so its GPU's.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Return its part of so many pictures, which the processes must divide."""
        each = count // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def device(self, name: str) -> str:
        """Return the name of its own device.

        Raises:
            UsageError: all would have the same one.
        """
        if self.size == 1 or name == "cpu":
            return name
        if name == "auto":
            return f"cuda:{self.local_rank}" if torch.cuda.is_available() else "cpu"
        if name == "cuda":
            return f"cuda:{self.local_rank}"
        raise UsageError(
            f"--device {name} is one device, and {self.size} processes share the training",
            hint="leave it out: each takes its own GPU, or all the CPU",
        )

    def average(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the means over all processes; the names must be the same in each."""
        if self.size == 1:
            return dict(values)
        sums = torch.tensor(list(values.values()), dtype=torch.float64)
        with _together(self):
            dist.all_reduce(sums)
        return dict(zip(values, (sums / self.size).tolist(), strict=True))

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put the mean over all processes into each gradient; one without counts as 0.

        What has none in any process keeps none, so that its optimizer leaves it alone.
        """
        if self.size == 1 or not parameters:
            return
        has_some = [float(parameter.grad is not None) for parameter in parameters]
        known = parameters[0].new_tensor(has_some)
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        joined = torch.cat([known, *(part.flatten() for part in parts)])
        with _together(self):
            dist.all_reduce(joined)
        known, *means = torch.split(joined, [len(parameters), *(p.numel() for p in parameters)])
        for parameter, mean, count in zip(parameters, means, known.tolist(), strict=True):
            parameter.grad = (mean / self.size).view_as(parameter) if count else None

    def gather(self, numbers: Tensor) -> Tensor:
        """Return the (n,) tensors of all processes, on the CPU, as (size, n)."""
        if self.size == 1:
            return numbers[None]
        found = [torch.zeros_like(numbers) for _ in range(self.size)]
        with _together(self):
            dist.all_gather(found, numbers)
        return torch.stack(found)

    def any(self, *, is_so: bool) -> bool:
        """Return whether it is so in any process."""
        return self.average({"": float(is_so)})[""] > 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.average({"": 0.0})


ALONE = Process()


@contextmanager
def joined(process: Process, device: torch.device) -> Iterator[None]:
    """Connect the processes for the length of the work; torch knows where from torchrun.

    Raises:
        RunError: they can't be connected.
    """
    if process.size == 1:
        yield
        return
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(
            backend, rank=process.rank, world_size=process.size, timeout=_PATIENCE
        )
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"the {process.size} processes can't be connected: {str(error).splitlines()[0]}",
            hint="torchrun --nproc-per-node N -m i2ikit train … starts them",
        ) from None
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def _together(process: Process) -> Iterator[None]:
    """Turn what torch raises when another process is gone into a sentence."""
    try:
        yield
    except RuntimeError:
        raise RunError(
            f"process {process.rank} of {process.size} ends, for another one has failed",
            hint="that one says why",
        ) from None
