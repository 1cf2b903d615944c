"""LPIPS (Zhang et al. 2018, arXiv:1801.03924): its networks, and the vectors they make of pictures.

The distance is, summed over layers, the spatial mean of weighted squared differences between
features of unit length. No weight is negative. So features times the roots of their weights make
one vector a picture, LPIPS is the squared Euclidean distance of two vectors, and a picture goes
through the network once, in however many pairs it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from i2ikit.checkpoints import check_fit, read_state_dict
from i2ikit.errors import CheckpointError, UsageError, did_you_mean
from i2ikit.evaluate.results import warn_of_weights
from i2ikit.evaluate.weights import download_weights, find_weights
from i2ikit.hookspecs import WeightsFile

_URL = "https://download.pytorch.org/models/"
_ALEX, _SQUEEZE, _VGG = (
    "alexnet-owt-7be5be79.pth",
    "squeezenet1_1-b8a52dc0.pth",
    "vgg16-397923af.pth",
)

#: The weights of the networks, without LPIPS's own, which come with its package.
BACKBONES = {
    "alex": WeightsFile(_ALEX, url=_URL + _ALEX, sha256="7be5be79"),
    "squeeze": WeightsFile(_SQUEEZE, url=_URL + _SQUEEZE, sha256="b8a52dc0"),
    "vgg": WeightsFile(_VGG, url=_URL + _VGG, sha256="397923af"),
}
#: 0.0 lacks the scaling of the input; papers of 2017 and 2018 have it.
VERSIONS = ("0.0", "0.1")

#: The least side that leaves the last layer a pixel.
_LEAST_SIDES = {"alex": 31, "squeeze": 17, "vgg": 16}
#: What lpips calls the networks.
_TRUNKS = {"alex": "alexnet", "squeeze": "squeezenet", "vgg": "vgg16"}
#: What keeps the length of features from being 0, as in lpips.
_EPSILON = 1e-10
#: Numbers of each vector that are raised to float64 at a time.
_BLOCK = 32768


class _Head(nn.Module):
    """A layer's weights: features (B, C, h, w) to their part of the vectors, (B, h, w, C)."""

    roots: Tensor

    def __init__(self, weights: Tensor) -> None:
        """Hold the roots of (C,) weights."""
        super().__init__()
        self.register_buffer("roots", weights.sqrt())

    def forward(self, features: Tensor) -> Tensor:
        """Return features of unit length, weighted so that squares sum to a spatial mean."""
        channels = features.float().permute(0, 2, 3, 1)  # in memory they lie in this order
        height, width = channels.shape[1:3]
        length = torch.linalg.vector_norm(channels, dim=3, keepdim=True).add_(_EPSILON)
        return channels.mul(self.roots / (height * width) ** 0.5).div_(length)


class PerceptualNetwork(nn.Module):
    """Pictures to vectors, (B, 3, H, W) in [-1, 1] to (B, D): D depends on the size."""

    def __init__(self, trunk: nn.Module, scaling: nn.Module, heads: Sequence[Tensor]) -> None:
        """Join a network of lpips, what comes before it, and the weights of its layers, (C,)."""
        super().__init__()
        self.scaling = scaling
        self.trunk = trunk
        self.heads = nn.ModuleList(map(_Head, heads))

    def layers(self, pictures: Tensor) -> list[Tensor]:
        """Return each layer's part of the vectors, (B, h, w, C)."""
        features = self.trunk(self.scaling(pictures))
        return [head(layer) for head, layer in zip(self.heads, features, strict=True)]

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the vectors."""
        return torch.cat([layer.flatten(1) for layer in self.layers(pictures)], dim=1)


@dataclass(frozen=True)
class Perceptual:
    """LPIPS in one of its networks.

    Attributes:
        net: "alex", "squeeze" or "vgg".
        version: of LPIPS, "0.0" or "0.1".
        network: (B, 3, H, W) in [-1, 1] to (B, D), on the CPU in eval mode; LPIPS is the squared
            distance of two rows.
        least_side: of the pictures it takes, in pixels.
        weights: the backbone's file.
        digest: its SHA-256.
        is_official: whether it is the published one.
    """

    net: str
    version: str
    network: PerceptualNetwork
    least_side: int
    weights: str
    digest: str
    is_official: bool | None

    def card(self) -> dict[str, object]:
        """Return what a result says of the network it was measured with."""
        return {
            "net": self.net,
            "lpips_version": self.version,
            "range": "[-1, 1]",
            "resize": "none",
            "weights": self.weights,
            "weights_sha256": self.digest,
            "weights_official": self.is_official,
        }

    def warnings(self) -> list[str]:
        """Return what keeps its numbers from being compared with published ones."""
        return warn_of_weights([self.card()])


def open_perceptual(
    net: str, version: str, backbone: str | Path | None = None, *, download: bool = False
) -> Perceptual:
    """Return LPIPS in the network called `net`.

    Args:
        net: "alex", "squeeze" or "vgg".
        version: of LPIPS, "0.0" or "0.1".
        backbone: a file of torchvision's layout to use instead of the official one, with or without
            the classifier.
        download: fetch the official file if it isn't on this machine.

    Raises:
        UsageError: no such network or version.
        CheckpointError: the backbone is not there, damaged, or doesn't fit.
    """
    if net not in BACKBONES:
        raise UsageError(f"unknown network '{net}' of LPIPS", hint=did_you_mean(net, BACKBONES))
    if version not in VERSIONS:
        raise UsageError(f"--lpips-version {version} is none of {', '.join(VERSIONS)}")
    fetch = download and backbone is None
    found = (
        download_weights(BACKBONES[net])
        if fetch
        else find_weights(BACKBONES[net], backbone, flag="--backbone")
    )
    return Perceptual(
        net,
        version,
        _make_network(net, version, found.path),
        _LEAST_SIDES[net],
        found.path.name,
        found.sha256,
        found.is_official,
    )


def _make_network(net: str, version: str, backbone: Path) -> PerceptualNetwork:
    """Return the network in eval mode, made of lpips's own parts."""
    import lpips

    scaling = lpips.ScalingLayer() if version == "0.1" else nn.Identity()
    folder = Path(lpips.__file__).parent / "weights" / f"v{version}"
    network = PerceptualNetwork(
        _load_trunk(net, backbone), scaling, _read_heads(folder / f"{net}.pth")
    )
    return network.eval().requires_grad_(False)


def _load_trunk(net: str, backbone: Path) -> nn.Module:
    """Return lpips's network with torchvision's weights: "slice2.3.bias" is its "features.3.bias".

    Raises:
        CheckpointError: the weights don't fit.
    """
    from lpips import pretrained_networks

    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")  # torchvision's, of an argument that lpips gives
        trunk: nn.Module = getattr(pretrained_networks, _TRUNKS[net])(pretrained=False)
    own = {f"features.{name.partition('.')[2]}": name for name in trunk.state_dict()}
    given = read_state_dict(backbone)
    values = {
        own.get(name, name): value
        for name, value in given.items()
        if not name.startswith("classifier.")
    }
    check_fit(trunk, values, str(backbone))
    trunk.load_state_dict(values, assign=True)
    return trunk


def _read_heads(path: Path) -> list[Tensor]:
    """Return the weights of each layer, (C,).

    Raises:
        CheckpointError: one is negative, so that its root doesn't exist.
    """
    heads = [value.flatten() for _, value in sorted(read_state_dict(path).items())]
    least = min(float(head.min()) for head in heads)
    if least < 0:
        raise CheckpointError(f"{path} has a weight of {least:g}: LPIPS has none below 0")
    return heads


def distances(vectors: Sequence[Tensor]) -> Tensor:
    """Return LPIPS of all pairs, (n, n) float64, from n vectors, (D,) float32 each.

    |a - b|² comes from products of centred vectors, in float64: for all pairs at once it takes
    less time than a few differences, and is as exact as the vectors are.
    """
    found = torch.zeros(len(vectors), len(vectors), dtype=torch.float64)
    for start in range(0, len(vectors[0]) if vectors else 0, _BLOCK):
        rows = torch.stack([vector[start : start + _BLOCK] for vector in vectors]).double()
        rows -= rows.mean(dim=0)
        products = rows @ rows.T
        squares = products.diagonal()
        found += squares[:, None] + squares[None, :] - 2 * products
    return found.clamp_(min=0).fill_diagonal_(0)
