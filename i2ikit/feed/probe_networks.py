"""The networks that a probe trains: small ones of its own, torchvision's, or a user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from i2ikit.errors import I2IError, ModelError, UsageError, did_you_mean
from i2ikit.evaluate.own import OwnNetwork
from i2ikit.labels.finding import Kind
from i2ikit.plugins import reason_of, resolve

#: From the number of classes to a network that takes (B, 3, H, W) in [-1, 1].
MakeNetwork: TypeAlias = Callable[[int], nn.Module]

_WIDTHS = (16, 32, 64)
#: The side of what the small classifier's last features are averaged to.
_GRID = 4
_SMALL: dict[Kind, str] = {
    "class": "small classifier, 5×5 convolutions of stride 2 to 16, 32, 64 channels, 4×4 averages,"
    " linear layers to 64 and to the classes",
    "mask": "small U, levels of two 3×3 convolutions to 16, 32, 64 channels",
}


def make_classifier(num_classes: int) -> nn.Module:
    """Return three 5×5 convolutions, each halving the picture, and two linear layers."""
    layers: list[nn.Module] = []
    channels = 3
    for width in _WIDTHS:
        layers += [nn.Conv2d(channels, width, 5, stride=2, padding=2), nn.ReLU()]
        channels = width
    return _begin(
        nn.Sequential(
            *layers,
            nn.AdaptiveAvgPool2d(_GRID),
            nn.Flatten(),
            nn.Linear(channels * _GRID**2, channels),
            nn.ReLU(),
            nn.Linear(channels, num_classes),
        )
    )


class SmallUNet(nn.Module):
    """A U of three levels, two 3×3 convolutions each; logits have the picture's own size."""

    def __init__(self, num_classes: int) -> None:
        """Make it with He's first weights."""
        super().__init__()
        first, second, third = _WIDTHS
        self.down = nn.ModuleList([_level(3, first), _level(first, second), _level(second, third)])
        self.up = nn.ModuleList([_level(third + second, second), _level(second + first, first)])
        self.head = nn.Conv2d(first, num_classes, 1)
        _begin(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes, H, W)."""
        kept: list[Tensor] = []
        for level in self.down:
            x = level(F.max_pool2d(x, 2) if kept else x)
            kept.append(x)
        kept.pop()
        for level in self.up:
            beside = kept.pop()
            x = level(torch.cat([F.interpolate(x, beside.shape[-2:]), beside], dim=1))
        logits: Tensor = self.head(x)
        return logits


def _level(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
    )


def _begin(network: nn.Module) -> nn.Module:
    """Give a network without normalisation He's first weights, from torch's global generator."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return network


class _Logits(nn.Module):
    """Torchvision's segmenters answer with a dictionary."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        answer = self.network(x)
        logits: Tensor = answer["out"] if isinstance(answer, dict) else answer
        return logits


@dataclass(frozen=True)
class ProbeNetwork:
    """What makes networks that differ in their first weights alone.

    Attributes:
        name: as the user gave it.
        make: from the number of classes to a network.
    """

    name: str
    make: MakeNetwork

    def fresh(self, num_classes: int) -> OwnNetwork:
        """Return one, its weights drawn from torch's global generator.

        Raises:
            ModelError: the function fails, or returns no network with weights.
        """
        try:
            network = self.make(num_classes)
        except I2IError:
            raise
        except Exception as error:  # a stranger's function raises what it likes
            raise ModelError(f"{self.name}({num_classes}) failed: {reason_of(error)}") from error
        if not isinstance(network, nn.Module) or not any(True for _ in network.parameters()):
            what = type(network).__name__
            raise ModelError(f"{self.name}({num_classes}) gave a {what}, no module with weights")
        return OwnNetwork(self.name, _Logits(network))


def choose_network(given: str | MakeNetwork | None, kind: Kind) -> ProbeNetwork:
    """Return what makes the networks of a probe.

    Args:
        given: None: small ones; "torchvision:NAME", without weights; a function of the number of
            classes, or where one is, "module:function".
        kind: what the labels are.

    Raises:
        UsageError: a text of another form, or a name that torchvision doesn't have.
        PluginError: the module can't be imported or lacks the function.
    """
    if given is None:
        own: MakeNetwork = make_classifier if kind == "class" else SmallUNet
        return ProbeNetwork(_SMALL[kind], own)
    if not isinstance(given, str):
        return ProbeNetwork(getattr(given, "__qualname__", type(given).__name__), given)
    module, _, name = given.partition(":")
    if not (module and name) or ":" in name:
        raise UsageError(
            f"--network {given} is not module:function",
            hint="a function of the number of classes; or torchvision:resnet18",
        )
    make = _find_in_torchvision(name, kind) if module == "torchvision" else resolve(given)
    return ProbeNetwork(given, make)


def _find_in_torchvision(name: str, kind: Kind) -> MakeNetwork:
    from torchvision import models

    module = models if kind == "class" else models.segmentation
    names = models.list_models(module=module)
    if name not in names:
        what = "classifier" if kind == "class" else "segmenter"
        raise UsageError(f"torchvision has no {what} '{name}'", hint=did_you_mean(name, names))
    nothing = {"weights": None} if kind == "class" else {"weights": None, "weights_backbone": None}
    return lambda num_classes: models.get_model(name, num_classes=num_classes, **nothing)
