"""Feature spaces: a network, and how a picture is brought to what it takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from i2ikit.data.images import Pixels
from i2ikit.errors import UsageError
from i2ikit.evaluate.weights import download_weights, find_weights
from i2ikit.hookspecs import FeaturesEntry, WeightsFile
from i2ikit.plugins import Catalogue, blaming, resolve


@dataclass(frozen=True)
class FeatureSpace:
    """What turns pictures into the vectors that a metric compares.

    Attributes:
        name: "inception", "torchvision:resnet50" …
        dims: length of a vector.
        network: (B, 3, h, w) float32 to (B, dims), on the CPU; it is put into eval mode, and gives
            a picture the same features in any batch.
        prepare: an 8-bit picture, (H, W, 3) of any size, to the (3, h, w) float32 that the network
            takes; called from several threads at once.
        resize: in words what `prepare` does.
        convention: the package whose numbers this gives; "" if none.
        weights: the weights' file, or where else they are from.
        digest: SHA-256 of the weights, or of what else decides a feature and the other attributes
            don't say; "" if unknown: then features aren't kept for another time.
        is_official: whether they are the published ones; None if unknown.
    """

    name: str
    dims: int
    network: nn.Module
    prepare: Callable[[Pixels], Tensor]
    resize: str
    convention: str = ""
    weights: str = ""
    digest: str = ""
    is_official: bool | None = None

    def card(self) -> dict[str, object]:
        """Return what a result says of the space it was measured in."""
        return {
            "features": self.name,
            "dims": self.dims,
            "resize": self.resize,
            "convention": self.convention,
            "weights": self.weights,
            "weights_sha256": self.digest,
            "weights_official": self.is_official,
        }


def open_space(
    catalogue: Catalogue,
    name: str,
    *,
    dims: int | None = None,
    weights: str | Path | None = None,
    convention: str = "",
    download: bool = False,
) -> FeatureSpace:
    """Return the feature space called `name`, or `name:argument`, with its weights.

    Args:
        catalogue: the plugins.
        name: as `i2ikit weights` lists it.
        dims: which of the space's layers, by its length; None: the usual one.
        weights: a file to use instead of the official one.
        convention: the package whose number is wanted; "": the space's usual.
        download: fetch the official file if it isn't on this machine.

    Raises:
        UsageError: no such space, or it has no such dims or convention.
        CheckpointError: the weights are not there, damaged, or don't fit.
        PluginError: the plugin's code can't be imported.
    """
    base, _, argument = name.partition(":")
    entry = catalogue.find(FeaturesEntry, base)
    path = None if weights is None else Path(weights)
    if path is not None:
        find_weights(entry.weights or WeightsFile(path.name), path)
    elif download and not entry.weights:
        raise UsageError(
            f"features '{base}' have no file to download",
            hint="leave out --download; give --weights FILE if they need one",
        )
    if entry.weights and download and path is None:
        path = download_weights(entry.weights).path
    elif entry.weights and path is None:
        path = find_weights(entry.weights).path
    opener = resolve(entry.space)
    with blaming(f"features '{name}'"):
        space = opener(argument=argument, dims=dims, weights=path, convention=convention)
    if not isinstance(space, FeatureSpace):
        raise UsageError(f"features '{name}': {entry.space} returned {space!r}, no FeatureSpace")
    space.network.eval().requires_grad_(False)
    return space


def text_digest(*parts: object) -> str:
    """Return a SHA-256 over values as text."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
