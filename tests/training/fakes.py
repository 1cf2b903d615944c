"""A model of one 1×1 convolution, and its training on pairs or on two domains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import SGD, Adam

from i2ikit import (
    Checkpoint,
    CheckpointFiles,
    Model,
    ModelEntry,
    Options,
    SizeRule,
    Training,
    Update,
    hookimpl,
)
from i2ikit.checkpoints import load_strictly, read_state_dict
from i2ikit.training.contract import Fields, draw, network_options


class ShadeOptions(Options):
    rate: float = Field(0.05, gt=0, description="learning rate")
    noise: float = Field(0.0, ge=0, description="of the target")
    dropout: float = Field(0.5, ge=0, lt=1, description="of what the critic sees")
    fails_at: int = Field(-1, description="step whose loss is NaN")


class Shade(Model):
    noise_shape = (1,)

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        self.conv = nn.Conv2d(3, 3, 1)

    @classmethod
    def read_checkpoint(cls, path: Path, direction: object) -> Checkpoint:
        file = next(path.glob("shade.*"))
        return Checkpoint(read_state_dict(file), files=(file,))

    def encode(self, *, image: Tensor) -> Tensor:
        content: Tensor = self.conv(image)
        return content

    def style_from_noise(self, noise: Tensor, content: Tensor) -> Tensor:
        return noise

    def decode(self, content: Tensor, style: Tensor) -> Tensor:
        return content


class ShadeTraining(Training):
    """Unpaired: the mean of A's translations is brought to the mean of B."""

    offers_translation = True
    Options = ShadeOptions
    options: ShadeOptions

    def __init__(self, options: ShadeOptions | None = None) -> None:
        super().__init__(options)
        self.net = Shade()
        self.critic = nn.Linear(3, 1)
        self.drop = nn.Dropout(self.options.dropout)
        self.step = 0
        self.optimizers = {
            "net": Adam(self.net.parameters(), lr=self.options.rate),
            "critic": SGD(self.critic.parameters(), lr=self.options.rate),
        }

    def updates(self, a: Fields, b: Fields, rng: torch.Generator) -> Iterator[Update]:
        fake = self.net.conv(a["image"])
        target = b["image"] + self.options.noise * draw(rng, *b["image"].shape, like=b["image"])
        gap = self.distance(fake, target)
        if self.step == self.options.fails_at:
            gap = gap * float("nan")
        terms = {"gap": gap, "judged": self.critic(fake.mean((2, 3))).mean() * 1e-3}
        yield Update(("net",), terms, fake)
        means = self.drop(fake.detach().mean((2, 3)))
        yield Update(("critic",), {"critic": self.critic(means).square().mean()})

    def distance(self, fake: Tensor, target: Tensor) -> Tensor:
        return (fake.mean((2, 3)) - target.mean((2, 3))).square().mean()

    @classmethod
    def start_options(cls, path: Path, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return network_options(Shade, path)

    def start_from(self, path: Path) -> None:
        load_strictly(self.net, Shade.read_checkpoint(path, "a2b").weights, str(path))

    def checkpoint(self, step: int) -> CheckpointFiles:
        return CheckpointFiles({"shade": self.net.state_dict()}, {"step.txt": str(step)}, ".pth")

    def rate(self, step: int, steps: int) -> float:
        return 1 - step / steps

    def on_step(self, step: int, steps: int) -> None:
        self.step = step


class PairedShadeTraining(ShadeTraining):
    """Paired: each translation is brought to its own picture of B."""

    paired = True
    size = SizeRule(multiple_of=4)

    def distance(self, fake: Tensor, target: Tensor) -> Tensor:
        return (fake - target).square().mean()


class FixedShadeTraining(PairedShadeTraining):
    """Paired, and from nothing but its seed."""

    @classmethod
    def start_options(cls, path: Path, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return super(ShadeTraining, cls).start_options(path, given)


class HalvingShadeTraining(ShadeTraining):
    """Unpaired, with facts of a training that halves its batches and pictures, and keeps them."""

    offers_translation = False
    size = SizeRule(multiple_of=4, minimum=20)
    batch_multiple = 2


@hookimpl
def i2ikit_models() -> list[ModelEntry]:
    module = "tests.training.fakes"
    return [
        ModelEntry("shade", model=f"{module}:Shade", training=f"{module}:ShadeTraining"),
        ModelEntry("pairs", model=f"{module}:Shade", training=f"{module}:PairedShadeTraining"),
        ModelEntry("halves", model=f"{module}:Shade", training=f"{module}:HalvingShadeTraining"),
        ModelEntry("fixed", model=f"{module}:Shade", training=f"{module}:FixedShadeTraining"),
        ModelEntry("untrained", model=f"{module}:Shade"),
        ModelEntry("wrong", model=f"{module}:Shade", training=f"{module}:Shade"),
    ]
