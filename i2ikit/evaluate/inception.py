"""The Inception v3 of FID, from the blocks that pytorch-fid defines.

Those differ from torchvision's: average pools leave the padding out, and the last block has a max
pool where the paper has an average (https://github.com/mseitzer/pytorch-fid, Apache-2.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from i2ikit.checkpoints import check_fit, hash_file, read_state_dict
from i2ikit.errors import UsageError, did_you_mean
from i2ikit.evaluate.resizing import Prepare, clean_bicubic, tensorflow_bilinear, torch_bilinear
from i2ikit.evaluate.space import FeatureSpace

SIDE = 299
NUM_CLASSES = 1008

#: The layers after which features are taken, by their length. 1008: the logits, without the bias.
_STAGES: dict[int, tuple[str, ...]] = {
    64: ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1"),
    192: ("Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
    768: (
        *("Mixed_5b", "Mixed_5c", "Mixed_5d"),
        *("Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    ),
    2048: ("Mixed_7a", "Mixed_7b", "Mixed_7c"),
}


@dataclass(frozen=True)
class Convention:
    """A package's way from a file to the network.

    Attributes:
        package: with the version it was read from.
        prepare: the resize to `SIDE`, and the range.
        resize: the same in words.
    """

    package: str
    prepare: Prepare
    resize: str


CONVENTIONS = {
    "pytorch-fid": Convention(
        "pytorch-fid 0.3.0",
        partial(torch_bilinear, side=SIDE),
        "torch bilinear to 299×299, no antialiasing; 2x-1",
    ),
    "clean-fid": Convention(
        "clean-fid 0.1.35, mode clean",
        partial(clean_bicubic, side=SIDE),
        "Pillow bicubic to 299×299, antialiased, float; (x-128)/128",
    ),
    "torch-fidelity": Convention(
        "torch-fidelity 0.4.0",
        partial(tensorflow_bilinear, side=SIDE),
        "TensorFlow 1 bilinear to 299×299, no antialiasing; (x-128)/128",
    ),
}
DIMS = (*_STAGES, NUM_CLASSES)


class Inception(nn.Module):
    """Pooled features of one stage: (B, 3, 299, 299) in [-1, 1] to (B, dims)."""

    def __init__(self, dims: int) -> None:
        """Build the network up to the stage whose features have `dims` channels."""
        super().__init__()
        whole = make_inception()
        self.stages = nn.ModuleDict()
        for length, names in _STAGES.items():
            self.stages.update({name: getattr(whole, name) for name in names})
            if length == dims:
                break
        self.fc: nn.Linear | None = None
        if dims == NUM_CLASSES:
            self.fc = whole.get_submodule("fc")  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of a batch."""
        for stage in self.stages.values():
            x = stage(x)
        x = x.mean(dim=(2, 3))
        return x if self.fc is None else nn.functional.linear(x, self.fc.weight)


def make_inception() -> nn.Module:
    """Return the network without weights (on the "meta" device if entered), in training mode."""
    from pytorch_fid import inception as blocks
    from torchvision.models import inception_v3

    whole: nn.Module = inception_v3(
        weights=None, num_classes=NUM_CLASSES, aux_logits=False, init_weights=False
    )
    whole.Mixed_5b = blocks.FIDInceptionA(192, pool_features=32)
    whole.Mixed_5c = blocks.FIDInceptionA(256, pool_features=64)
    whole.Mixed_5d = blocks.FIDInceptionA(288, pool_features=64)
    whole.Mixed_6b = blocks.FIDInceptionC(768, channels_7x7=128)
    whole.Mixed_6c = blocks.FIDInceptionC(768, channels_7x7=160)
    whole.Mixed_6d = blocks.FIDInceptionC(768, channels_7x7=160)
    whole.Mixed_6e = blocks.FIDInceptionC(768, channels_7x7=192)
    whole.Mixed_7b = blocks.FIDInceptionE_1(1280)
    whole.Mixed_7c = blocks.FIDInceptionE_2(2048)
    return whole


def open_inception(
    *, argument: str, dims: int | None, weights: Path, convention: str
) -> FeatureSpace:
    """Return the feature space "inception".

    Raises:
        UsageError: unknown dims or convention.
        CheckpointError: the weights are damaged or don't fit.
    """
    if argument:
        raise UsageError(f"features 'inception' take no argument '{argument}'")
    dims, convention = dims or 2048, convention or "pytorch-fid"
    if dims not in DIMS:
        listed = ", ".join(map(str, DIMS))
        raise UsageError(f"--dims {dims}: Inception has features of {listed}")
    if convention not in CONVENTIONS:
        raise UsageError(
            f"unknown convention '{convention}'", hint=did_you_mean(convention, CONVENTIONS)
        )
    chosen, digest = CONVENTIONS[convention], hash_file(weights)
    return FeatureSpace(
        name="inception",
        dims=dims,
        network=_load(dims, weights),
        prepare=chosen.prepare,
        resize=chosen.resize,
        convention=chosen.package,
        weights=weights.name,
        digest=digest,
        is_official=digest.startswith("6726825d"),
    )


def _load(dims: int, weights: Path) -> nn.Module:
    """Return the network of a stage in eval mode, batch norms folded into convolutions."""
    with torch.device("meta"):
        whole = make_inception()
        network = Inception(dims)
    values = read_state_dict(weights)
    counters = {name for name in whole.state_dict() if name.endswith("num_batches_tracked")}
    values |= {name: torch.zeros((), dtype=torch.long) for name in counters - values.keys()}
    check_fit(whole, values, str(weights))
    own = {name: values[name.removeprefix("stages.")] for name in network.state_dict()}
    network.load_state_dict(own, assign=True)
    network.eval().requires_grad_(False)
    _fold(network)
    return network


def _fold(network: nn.Module) -> None:
    from torchvision.models.inception import BasicConv2d

    for module in network.modules():
        if isinstance(module, BasicConv2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.bn)
            module.bn = nn.Identity()
