"""A network on one or several devices, which share its batches."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from queue import SimpleQueue

import torch
from torch import Tensor, nn

from i2ikit.devices import Precision, autocast
from i2ikit.errors import RunError


class Replicas:
    """Copies of a network, one a device; a batch goes to whichever is free.

    Attributes:
        count: how many batches can be computed at once.
    """

    def __init__(
        self, network: nn.Module, devices: Sequence[torch.device], precision: Precision
    ) -> None:
        """Copy the network to each device."""
        self.count = len(devices)
        self._precision = precision
        self._free: SimpleQueue[tuple[torch.device, nn.Module]] = SimpleQueue()
        for device in devices:
            own = copy.deepcopy(network) if self.count > 1 else network
            self._free.put((device, place(own, device)))

    def __call__(self, batch: Tensor) -> Tensor:
        """Return what the network makes of (B, 3, H, W), float32 on the CPU.

        Raises:
            RunError: the device is out of memory.
        """
        device, network = self._free.get()
        try:
            return infer(network, batch, device, self._precision)
        finally:
            self._free.put((device, network))


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """Return the network on a device, in the layout that convolutions are fastest in.

    Raises:
        RunError: the device is out of memory.
    """
    try:
        return network.to(device).to(memory_format=torch.channels_last)
    except torch.OutOfMemoryError:
        raise RunError(f"{device} has no memory for the network") from None


@torch.inference_mode()
def infer(network: nn.Module, batch: Tensor, device: torch.device, precision: Precision) -> Tensor:
    """Return what a network on `device` makes of (B, 3, H, W), float32 on the CPU.

    Raises:
        RunError: the device is out of memory.
    """
    try:
        inputs = batch.to(device).contiguous(memory_format=torch.channels_last)
        with autocast(device, precision):
            outputs: Tensor = network(inputs)
        return outputs.float().cpu()
    except torch.OutOfMemoryError:
        raise RunError(
            f"{device} ran out of memory with {len(batch)} pictures at a time",
            hint=f"--batch-size {max(1, len(batch) // 2)}",
        ) from None
