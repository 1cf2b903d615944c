"""A tiny feature space and metrics with exact answers, offered like a plugin's."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn

from i2ikit import (
    Features,
    FeaturesEntry,
    FeatureSpace,
    Measured,
    MetricEntry,
    Options,
    hookimpl,
)
from i2ikit.data.images import Pixels
from i2ikit.evaluate.resizing import torch_bilinear

DIMS = 8


class Net(nn.Module):
    """A convolution with fixed weights, pooled; black pictures may come out wrong.

    `fault`: "nan" makes the features of black pictures NaN, "short" all features too short,
    "raising" raises, "training" has a layer that minds the mode.
    """

    def __init__(self, dims: int, fault: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, dims, 5, stride=3)
        self.norm = nn.BatchNorm2d(dims, affine=False) if fault == "training" else nn.Identity()
        self.fault = fault
        generator = torch.Generator().manual_seed(1)
        for weights in self.conv.parameters():
            weights.data = torch.randn(weights.shape, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        if self.fault == "raising":
            raise RuntimeError("no luck")
        rows: Tensor = self.norm(self.conv(x)).relu().mean(dim=(2, 3))
        if self.fault == "nan":
            is_black = (x == -1).flatten(1).all(dim=1)
            rows = torch.where(is_black[:, None], torch.nan, rows)
        return rows[:, 1:] if self.fault == "short" else rows


def open_stub(
    *,
    argument: str = "",
    dims: int | None = None,
    weights: Path | None = None,
    convention: str = "",
) -> FeatureSpace:
    if argument == "unopened":
        raise KeyError("no luck")
    return FeatureSpace(
        name="stub",
        dims=dims or DIMS,
        network=Net(dims or DIMS, argument),
        prepare=unprepared if argument == "unprepared" else partial(torch_bilinear, side=32),
        resize="torch bilinear to 32×32",
        convention=convention,
        weights="none",
        digest="5" * 64,
    )


def unprepared(pixels: Pixels) -> Tensor:
    raise ValueError("no luck")


def open_nothing(
    *, argument: str, dims: int | None, weights: Path | None, convention: str
) -> object:
    return 42


class GapOptions(Options):
    power: float = Field(1.0, gt=0, description="of each difference")


def measure_gap(real: Features, generated: Features, options: GapOptions) -> Measured:
    """Measure how far the means are apart."""
    gaps = abs(real.rows.mean(axis=0) - generated.rows.mean(axis=0)) ** options.power
    return Measured(float(gaps.sum()), card={"power": options.power})


def measure_by_zero(real: Features, generated: Features, options: Options) -> Measured:
    return Measured(1 / 0)


def measure_nan(real: Features, generated: Features, options: Options) -> Measured:
    return Measured(float("nan"))


def measure_nonsense(real: Features, generated: Features, options: Options) -> object:
    return 1.0


@hookimpl
def i2ikit_features() -> list[FeaturesEntry]:
    return [
        FeaturesEntry("stub", space="tests.evaluate.fakes:open_stub"),
        FeaturesEntry("nothing", space="tests.evaluate.fakes:open_nothing"),
    ]


@hookimpl
def i2ikit_metrics() -> list[MetricEntry]:
    return [
        MetricEntry(
            "gap",
            metric="tests.evaluate.fakes:measure_gap",
            options="tests.evaluate.fakes:GapOptions",
            features="stub",
        ),
        MetricEntry(
            "stub-fd",
            metric="i2ikit.evaluate.frechet:measure_fid",
            features="stub",
            by_statistics=True,
            is_biased=True,
        ),
        MetricEntry("raising", metric="tests.evaluate.fakes:measure_by_zero", features="stub"),
        MetricEntry("nan", metric="tests.evaluate.fakes:measure_nan", features="stub"),
        MetricEntry("nonsense", metric="tests.evaluate.fakes:measure_nonsense", features="stub"),
    ]
