"""What a training says of itself: before its first step, after each, and in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from i2ikit.training.request import Request
from i2ikit.training.validation import Validation


@dataclass(frozen=True)
class Start:
    """What a training is about to do.

    Attributes:
        request: what was asked for.
        is_paired: whether A and B are pairs.
        num_a: pictures of A.
        num_b: pictures of B.
        batch_size: pictures of each domain a step.
        num_parameters: weights that are trained.
        device: where.
        num_processes: how many share it, a device each.
        num_classes: that the semantic loss tells apart; 0: there is no such loss.
        validation: what checkpoints are measured by; None: they aren't.
        resumed: steps that earlier starts had done.
    """

    request: Request
    is_paired: bool
    num_a: int
    num_b: int
    batch_size: int
    num_parameters: int
    device: str
    num_processes: int
    num_classes: int
    validation: Validation | None
    resumed: int


@dataclass(frozen=True)
class Validated:
    """What a validation found.

    Attributes:
        metric: "fd", "l1" or "lpips"; the less, the better.
        value: of the checkpoint.
        best: the least so far.
    """

    metric: str
    value: float
    best: float


@dataclass(frozen=True)
class Report:
    """How far a training is.

    Attributes:
        step: steps done.
        steps: steps in all.
        losses: terms of the last step.
        validated: the last validation of this start; None before the first.
        resumed: steps that earlier starts had done.
    """

    step: int
    steps: int
    losses: Mapping[str, float]
    validated: Validated | None
    resumed: int


@dataclass(frozen=True)
class TrainSummary:
    """What a training has done, with earlier starts of the same.

    Attributes:
        output: the folder.
        checkpoint: the last; what `translate --checkpoint` takes.
        best_checkpoint: the one whose validation found the least; None if there was none.
        best: what was found.
        step: steps done.
        resumed: steps that earlier starts had done.
        seconds: that this start took after loading.
        losses: terms of the last step; none if there was nothing to do.
        is_complete: whether all steps are done.
    """

    output: Path
    checkpoint: Path
    best_checkpoint: Path | None
    best: float | None
    step: int
    resumed: int
    seconds: float
    losses: Mapping[str, float]
    is_complete: bool
