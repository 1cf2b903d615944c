"""One step of a training: what is the same for every network and loss."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from i2ikit.devices import Precision, autocast
from i2ikit.errors import ModelError, RunError
from i2ikit.training.contract import Fields, Training, Update
from i2ikit.training.data import Batch
from i2ikit.training.process import ALONE, Process


class Stepper:
    """Applies the updates of a training to one batch after another.

    Attributes:
        scalers: one for each optimizer, for fp16; they are a part of the state.
    """

    def __init__(
        self,
        training: Training,
        device: torch.device,
        precision: Precision,
        process: Process = ALONE,
    ) -> None:
        """Hold the training, whose networks are on `device`; `process` does a share of it."""
        self._process = process
        self._training, self._device, self._precision = training, device, precision
        self._rates = {
            name: [group["lr"] for group in optimizer.param_groups]
            for name, optimizer in training.optimizers.items()
        }
        enabled = precision == "fp16" and device.type == "cuda"
        self.scalers = {
            name: GradScaler(device.type, enabled=enabled) for name in training.optimizers
        }

    def step(
        self, parts: Sequence[Batch], rng: torch.Generator, step: int, steps: int
    ) -> dict[str, float]:
        """Apply the updates of one batch, given in parts that are computed one after the other.

        Returns:
            The terms of the losses, averaged over the parts and the processes.

        Raises:
            RunError: a term is NaN or infinite, in any process, naming it; or the device is out of
                memory.
            ModelError: the training breaks its contract.
        """
        self._set_rates(step, steps)
        self._training.on_step(step, steps)
        with torch.random.fork_rng(devices=[self._device] * (self._device.type == "cuda")):
            torch.manual_seed(int(torch.randint(2**62, (), generator=rng)))  # for dropout
            try:
                return self._apply([self._updates(part, rng) for part in parts])
            except torch.OutOfMemoryError:
                raise RunError(
                    f"{self._device} ran out of memory at step {step}",
                    hint="--accumulate N computes the batch in N parts",
                ) from None

    def _set_rates(self, step: int, steps: int) -> None:
        factor = self._training.rate(step, steps)
        for name, optimizer in self._training.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * factor

    def rates(self) -> dict[str, float]:
        """Return the learning rate of each optimizer, as of the last step."""
        optimizers = self._training.optimizers.items()
        return {name: optimizer.param_groups[0]["lr"] for name, optimizer in optimizers}

    def _updates(self, part: Batch, rng: torch.Generator) -> Iterator[Update]:
        a, b = (self._moved(fields) for fields in part)
        return self._training.updates(a, b, rng)

    def _moved(self, fields: Fields) -> dict[str, Tensor]:
        return {name: value.to(self._device, non_blocking=True) for name, value in fields.items()}

    def _apply(self, parts: Sequence[Iterator[Update]]) -> dict[str, float]:
        """Run the parts in lock-step, so that each update sees the gradients of all of them."""
        logged: dict[str, float] = {}
        while True:
            names: tuple[str, ...] = ()
            terms: dict[str, float] = {}
            for part in parts:
                with autocast(self._device, self._precision):
                    update = next(part, None)
                if update is None:
                    return logged
                if not names:
                    names = tuple(update.optimizers)
                    self._clear(names)
                for term, value in _read(update.losses).items():
                    terms[term] = terms.get(term, 0.0) + value / len(parts)
                self._differentiate(names, update.losses, len(parts))
            terms = self._process.average(terms)
            _check(terms)
            logged |= {term: logged.get(term, 0.0) + value for term, value in terms.items()}
            self._process.average_gradients(self._parameters(names))
            self._move(names)

    def _parameters(self, names: Sequence[str]) -> list[nn.Parameter]:
        return [
            parameter
            for name in names
            for group in self._training.optimizers[name].param_groups
            for parameter in group["params"]
            if parameter.requires_grad
        ]

    def _clear(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._training.optimizers:
                raise ModelError(f"the training has no optimizer '{name}'")
            self._training.optimizers[name].zero_grad(set_to_none=True)

    def _differentiate(
        self, names: Sequence[str], losses: Mapping[str, Tensor], num_parts: int
    ) -> None:
        """Add the gradients of the losses' sum to the parameters of these optimizers only."""
        parameters = self._parameters(names)
        total = torch.stack([value.float() for value in losses.values()]).sum() / num_parts
        scaled = self.scalers[names[0]].scale(total)
        gradients = torch.autograd.grad(scaled, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                known = parameter.grad
                parameter.grad = gradient if known is None else known.add_(gradient)

    def _move(self, names: Sequence[str]) -> None:
        scaler = self.scalers[names[0]]
        for name in names:
            scaler.step(self._training.optimizers[name])
        scaler.update()


def _read(losses: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the numbers; a GPU is waited for once, not for each."""
    together = torch.stack([value.detach().float() for value in losses.values()])
    return dict(zip(losses, together.tolist(), strict=True))


def _check(logged: Mapping[str, float]) -> None:
    for term, value in logged.items():
        if not math.isfinite(value):
            raise RunError(
                f"the loss '{term}' is {value}",
                hint="the last good checkpoint is kept; a lower rate or --precision fp32 may help",
            )
