"""First weights, as the papers draw them."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from torch import nn

Init: TypeAlias = Literal["gaussian", "kaiming", "xavier", "orthogonal"]


def draw_weights(network: nn.Module, kind: Init, gain: float = 0.02) -> None:
    """Draw the weights of convolutions and linear layers from torch's generator; biases are 0.

    Args:
        network: changed in place; batch norms get a scale of N(1, gain) and a shift of 0.
        kind: "gaussian" N(0, gain), "kaiming" normal by fan-in (which needs no gain), "xavier"
            normal or "orthogonal" times `gain`.
        gain: see `kind`.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            _draw(module, kind, gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, gain)
            nn.init.zeros_(module.bias)


def gain_of(kind: Init) -> float:
    """Return the gain that MUNIT's program draws with: sqrt(2) but for "gaussian"."""
    return 0.02 if kind == "gaussian" else math.sqrt(2)


def _draw(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, kind: Init, gain: float) -> None:
    match kind:
        case "gaussian":
            nn.init.normal_(layer.weight, 0.0, gain)
        case "kaiming":
            nn.init.kaiming_normal_(layer.weight, a=0, mode="fan_in")
        case "xavier":
            nn.init.xavier_normal_(layer.weight, gain)
        case "orthogonal":
            nn.init.orthogonal_(layer.weight, gain)
