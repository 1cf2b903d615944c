"""A metric and a feature space of a stranger."""

import torch
from torch import nn

from i2ikit import FeatureSpace, Measured


def measure_gap(real, generated, options):
    gap = real.rows.mean(axis=0) - generated.rows.mean(axis=0)
    return Measured(float(abs(gap).sum()), parts={"largest": float(abs(gap).max())})


def open_colours(*, argument, dims, weights, convention):
    return FeatureSpace(
        name="colours",
        dims=3 * 256,
        network=nn.Flatten(),
        prepare=lambda picture: nn.functional.adaptive_avg_pool2d(
            torch.from_numpy(picture).permute(2, 0, 1) / 255, 16
        ),
        resize="the mean of each block, 0 … 1",
    )
