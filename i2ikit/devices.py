"""Where networks run: devices, threads, precision, and kernels that give the same sums again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import torch

from i2ikit.errors import UsageError

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; "auto": a GPU if there is one.

    Raises:
        UsageError: this machine doesn't have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name} can't be used: {reason}") from None
    return device


def default_workers() -> int:
    """Return how many threads decode, and as many encode, beside the network."""
    return min(8, max(1, (os.cpu_count() or 1) // 2))


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the context in which a network computes at `precision`."""
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32")


@contextmanager
def arithmetic(threads: int) -> Iterator[None]:
    """Set how many threads compute one operation, and kernels that repeat their sums; restore."""
    before = torch.get_num_threads()
    cudnn = torch.backends.cudnn
    flags = (cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32)
    torch.set_num_threads(threads)
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = False, True, False
    try:
        yield
    finally:
        torch.set_num_threads(before)
        cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = flags
