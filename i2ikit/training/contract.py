"""The contract of a training: the networks and losses that make a model's weights.

A training states its networks, its optimizers and, for each of their steps, the terms of the loss.
The loop does what is the same for all: it sums, scales and differentiates, accumulates and steps;
it saves, resumes, and keeps a moving average of the weights.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from i2ikit.errors import UsageError
from i2ikit.model import RGB, InputKind, Model, SizeRule
from i2ikit.options import NoOptions, Options

#: The pictures of one domain in a batch, by field: as a model's `encode` takes them.
Fields: TypeAlias = Mapping[str, Tensor]


@dataclass(frozen=True)
class Update:
    """A step of some of the optimizers.

    Attributes:
        optimizers: their names. Only parameters that they own get gradients of this loss.
        losses: its terms by name, each a scalar with its weight; their sum is differentiated.
        translation: what the losses judge of A's pictures, (B, C, H, W) in [-1, 1] of domain B,
            not detached: a further term of it reaches what made it. None: they judge something
            else.
    """

    optimizers: Sequence[str]
    losses: Mapping[str, Tensor]
    translation: Tensor | None = None


#: Tensors by name; in a safetensors file, branches are joined with ".".
Tensors: TypeAlias = Mapping[str, "Tensor | Tensors"]


@dataclass(frozen=True)
class CheckpointFiles:
    """A checkpoint as a folder, in the layout of the original program.

    Attributes:
        tensors: by file name without suffix ("latest_net_G").
        texts: settings that weights can't tell, by file name ("opt.txt").
        suffix: of the original program's files of tensors (".pth").
    """

    tensors: Mapping[str, Tensors]
    texts: Mapping[str, str]
    suffix: str


class Training(nn.Module):
    """Base of every training. Its submodules are all that is saved, with its optimizers.

    Class attributes are facts; `__init__(options)` may set them on the instance.

    Attributes:
        paired: whether each picture of A has its own of B.
        offers_translation: whether one of its updates has a `translation`, of pictures that A's
            first field holds; for losses that are the same for every model.
        inputs_a: what it takes of domain A, by field name; the first names the pictures.
        inputs_b: the same of domain B.
        size: the sides of squares that it takes.
        batch_size: pictures of each domain in a step, as published.
        batch_multiple: what the pictures of a batch, and of any part of one, must be multiples of.
        optimizers: by name; made in `__init__`, with the rates of the first step.
    """

    Options: ClassVar[type[Options]] = NoOptions
    paired: ClassVar[bool] = False
    offers_translation: ClassVar[bool] = False
    inputs_a: Mapping[str, InputKind] = {"image": RGB()}
    inputs_b: Mapping[str, InputKind] = {"image": RGB()}
    size: SizeRule = SizeRule()
    batch_size: int = 1
    batch_multiple: int = 1
    optimizers: Mapping[str, Optimizer]

    def __init__(self, options: Any = None) -> None:
        """Make networks and optimizers; weights are drawn from torch's generator."""
        super().__init__()
        self.options: Any = options if options is not None else type(self).Options()

    @classmethod
    def suited(cls, size: int) -> dict[str, Any]:
        """Return options that suit squares of this side, where the user gives none."""
        del size
        return {}

    @classmethod
    def read_settings(cls, path: Path) -> Mapping[str, Any]:
        """Return the options that a settings file of the original program states.

        Names that are no options are passed over.

        Raises:
            UsageError: it can't be read, or this training reads none.
        """
        raise UsageError(f"{path}: this training reads no settings of an original program")

    @classmethod
    def start_options(cls, path: Path, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options of a checkpoint's networks, which hold where the user gives none.

        Args:
            path: as for `start_from`.
            given: options as the user gave them.

        Raises:
            CheckpointError: it can't be read, or is something else.
            UsageError: this training starts from no checkpoint.
        """
        del path, given
        raise UsageError("this training can't start from a checkpoint")

    def start_from(self, path: Path) -> None:
        """Take over the networks of a checkpoint: what the model's `read_checkpoint` reads.

        Called after `start_options`, before the first step.

        Raises:
            CheckpointError: it can't be read, or doesn't fit.
        """
        raise NotImplementedError

    @abstractmethod
    def updates(self, a: Fields, b: Fields, rng: torch.Generator) -> Iterator[Update]:
        """Yield the updates of one batch, in order; each is applied before the next is computed.

        Optimizers and the names of terms don't depend on the pictures: processes that share a
        batch average them.

        Args:
            a: of domain A, on the device, (B, …) each.
            b: of domain B; of the same scenes if the training is paired.
            rng: on the CPU; every number that is drawn comes from it, see `draw`.
        """
        raise NotImplementedError

    @abstractmethod
    def checkpoint(self, step: int) -> CheckpointFiles:
        """Return the folder that the model's `read_checkpoint` reads, after so many steps."""
        raise NotImplementedError

    def rate(self, step: int, steps: int) -> float:
        """Return what the learning rates of the first step are multiplied by at a later one.

        Args:
            step: how many steps were done.
            steps: how many there will be.
        """
        del step, steps
        return 1.0

    def on_step(self, step: int, steps: int) -> None:
        """Prepare for the step after `step`: thaw a part of the network, say. It does nothing."""


def draw(rng: torch.Generator, *shape: int, like: Tensor) -> Tensor:
    """Return standard normal numbers on the device of `like`, the same on every device."""
    return torch.randn(shape, generator=rng).to(like.device)


def network_options(model: type[Model], path: Path) -> dict[str, Any]:
    """Return the model's options that a checkpoint proves, or that a file beside it states.

    Raises:
        CheckpointError: it can't be read, or is something else.
    """
    read = model.read_checkpoint(path, model.directions[0])
    stated = {**read.hints, **read.options}
    return {name: stated[name] for name in model.Options.model_fields if name in stated}
