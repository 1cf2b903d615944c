"""A probe: one network trained on one labelled set for a fixed time, and tested on another.

Nothing is chosen by looking at the test: no early stop, no best checkpoint; the last weights count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from i2ikit.data.images import to_tensor
from i2ikit.devices import arithmetic
from i2ikit.errors import ModelError
from i2ikit.evaluate.compute import Compute
from i2ikit.evaluate.own import OwnNetwork
from i2ikit.feed.probe_networks import ProbeNetwork
from i2ikit.feed.probe_sets import ProbeSet
from i2ikit.model import RGB
from i2ikit.progress import Progress

#: (classes, classes) pictures or pixels, by the label and by the prediction.
Confusion: TypeAlias = npt.NDArray[np.int64]

#: Adam's rate at the first step; it falls to 0 along a line.
RATE = 0.001
#: Pictures are shifted by up to so many pixels each way, their edges repeated. Never flipped: a
#: mirrored digit is none.
SHIFT = 2


@dataclass(frozen=True)
class Probe:
    """What is the same for all training sets.

    Attributes:
        network: what is trained.
        num_classes: how many classes there are.
        steps: updates.
        batch_size: pictures an update.
        device: where it is trained and tested.
    """

    network: ProbeNetwork
    num_classes: int
    steps: int
    batch_size: int
    device: torch.device

    def run(
        self, training: ProbeSet, test: ProbeSet, seed: int, on_step: Callable[[], None]
    ) -> Confusion:
        """Train a fresh network and return what it makes of the test; see `train`."""
        network = self.train(training, seed, on_step)
        with arithmetic(1):
            return self._test(network, test)

    def train(self, training: ProbeSet, seed: int, on_step: Callable[[], None]) -> OwnNetwork:
        """Return a fresh network, trained and in eval mode.

        On a CPU the same each time, by one thread; the global random state is left as it was.

        Args:
            training: what to learn from.
            seed: of the first weights, the order of the pictures, and their shifts.
            on_step: called after each update.

        Raises:
            ModelError: the network breaks its contract, or its training diverges.
        """
        devices = [self.device] * (self.device.type == "cuda")
        with torch.random.fork_rng(devices=devices), arithmetic(1):
            torch.manual_seed(seed)
            network = self.network.fresh(self.num_classes).to(self.device)
            self._train(network, training, torch.Generator().manual_seed(seed), on_step)
        return network.eval()

    def describe(self) -> str:
        """Return the network's name with how many weights it has.

        Raises:
            ModelError: it can't be made.
        """
        with torch.random.fork_rng(devices=[]):
            network = self.network.fresh(self.num_classes)
        count = sum(weights.numel() for weights in network.parameters())
        return f"{self.network.name}; {count:,} weights"

    def _train(
        self,
        network: OwnNetwork,
        training: ProbeSet,
        generator: torch.Generator,
        on_step: Callable[[], None],
    ) -> None:
        optimizer = torch.optim.Adam(network.train().parameters())
        chosen = _choose(len(training.pictures), self.batch_size, generator)
        with torch.enable_grad():
            for step in range(self.steps):
                for group in optimizer.param_groups:
                    group["lr"] = RATE * (1 - step / self.steps)
                pictures, labels = _shift(training, next(chosen), generator)
                logits = self._answer(network, pictures)
                due = labels.to(self.device).long()
                loss = F.cross_entropy(logits, due, ignore_index=training.ignored)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                on_step()

    @torch.no_grad()
    def _test(self, network: OwnNetwork, test: ProbeSet) -> Confusion:
        confusion = torch.zeros(self.num_classes**2, dtype=torch.int64)
        for pictures, labels in zip(
            torch.split(test.pictures, self.batch_size),
            torch.split(test.labels, self.batch_size),
            strict=True,
        ):
            seen = self._answer(network, pictures).argmax(dim=1).cpu()
            counts = labels != test.ignored
            places = labels[counts].long() * self.num_classes + seen[counts]
            confusion += torch.bincount(places, minlength=self.num_classes**2)
        return confusion.view(self.num_classes, -1).numpy()

    def _answer(self, network: OwnNetwork, pictures: Tensor) -> Tensor:
        """Return logits, (B, classes) or (B, classes, H, W), of pictures (B, H, W, 3) uint8."""
        logits: Tensor = network(_as_floats(pictures).to(self.device))
        if logits.shape[1:2] != (self.num_classes,) or logits.ndim not in (2, 4):
            raise ModelError(
                f"{network.name} returned shape {tuple(logits.shape)}, where logits of"
                f" {self.num_classes} classes are due"
            )
        size = pictures.shape[1:3]
        if logits.ndim == 4 and logits.shape[-2:] != size:
            logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
        return logits.float()


def step_counter(compute: Compute, total: int) -> Callable[[], None]:
    """Return what reports another of `total` updates each time it is called."""
    done = 0

    def on_step() -> None:
        nonlocal done
        done += 1
        if compute.on_progress:
            compute.on_progress(Progress(done, total, 0, 0))

    return on_step


def _choose(count: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield places of `batch_size` pictures without end; all pictures come once, then again."""
    order = torch.empty(0, dtype=torch.int64)
    while True:
        while len(order) < batch_size:
            order = torch.cat([order, torch.randperm(count, generator=generator)])
        yield order[:batch_size]
        order = order[batch_size:]


def _shift(training: ProbeSet, places: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return pictures (B, H, W, 3) and labels, each shifted by its own amount."""
    height, width = training.pictures.shape[1:3]
    by = torch.randint(-SHIFT, SHIFT + 1, (2, len(places), 1), generator=generator)
    rows = (torch.arange(height) + by[0]).clamp(0, height - 1)[:, :, None]
    columns = (torch.arange(width) + by[1]).clamp(0, width - 1)[:, None, :]
    each = places[:, None, None]
    labels = training.labels
    shifted = labels[each, rows, columns] if labels.ndim == 3 else labels[places]
    return training.pictures[each, rows, columns], shifted


def _as_floats(pictures: Tensor) -> Tensor:
    """Return (B, H, W, 3) uint8 as (B, 3, H, W) float in [-1, 1]."""
    batch, height, width, _ = pictures.shape
    tall = to_tensor(pictures.reshape(batch * height, width, 3).numpy(), RGB())
    return tall.view(3, batch, height, width).transpose(0, 1).contiguous()
