"""The settings of pix2pixHD's training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from i2ikit.errors import UsageError
from i2ikit_pix2pixhd.options import Pix2PixHDOptions


class Pix2PixHDTrainingOptions(Pix2PixHDOptions):
    """The model's options, and upstream's of the training by their names and defaults.

    Features are learned if `feat_num` is given (upstream: 3): of instances, or of label classes
    with `label_feat`.
    """

    nef: int = Field(16, ge=1, description="channels of the feature encoder, if there is one")
    # published names are kept as they are
    num_D: int = Field(  # noqa: N815
        2, ge=1, le=5, description="discriminators, each at half the size of the one before"
    )
    n_layers_D: int = Field(  # noqa: N815
        3, ge=1, le=8, description="strided layers of each discriminator"
    )
    ndf: int = Field(64, ge=1, description="channels of a discriminator's first layer")
    lr: float = Field(2e-4, gt=0, description="learning rate of Adam, for half of the steps")
    beta1: float = Field(0.5, ge=0, lt=1, description="first momentum of Adam")
    no_lsgan: bool = Field(
        False, description="cross entropy instead of least squares as the adversarial loss"
    )
    no_ganFeat_loss: bool = Field(  # noqa: N815
        False, description="no matching of the discriminators' features"
    )
    lambda_feat: float = Field(
        10, ge=0, description="weight of feature matching, and of the VGG loss"
    )
    vgg: str = Field(
        "", description="torchvision's file of VGG19 (vgg19-dcbb9e9d.pth); without, no VGG loss"
    )
    load_pretrain: str = Field(
        "",
        description="a checkpoint to start from: of the same networks, or of fewer local enhancers",
    )
    niter_fix_global: float = Field(
        0,
        ge=0,
        description="steps in which of the generator only the finest local enhancer learns; below"
        " 1, their share",
    )

    @property
    def has_features(self) -> bool:
        """Whether an encoder is trained with the generator."""
        return self.feat_num > 0

    def for_model(self) -> Pix2PixHDOptions:
        """Return the options of the model that is trained."""
        shared = {name: getattr(self, name) for name in Pix2PixHDOptions.model_fields}
        return Pix2PixHDOptions(**shared | {"nef": self.nef if self.has_features else 0})

    def num_fixed_steps(self, steps: int) -> int:
        """Return how many of the steps `niter_fix_global` means."""
        given = self.niter_fix_global
        return int(given * steps if given < 1 else given)

    def settings(self) -> str:
        """Return the text of an `opt.txt`, from which the original program knows the networks."""
        values = {
            "feat_num": self.feat_num,
            "instance_feat": self.has_features and not self.label_feat,
            "label_feat": self.has_features and self.label_feat,
            "label_nc": self.num_labels,
            "n_blocks_global": self.n_blocks_global,
            "n_blocks_local": self.n_blocks_local,
            "n_downsample_E": self.n_downsample_encoder,
            "n_downsample_global": self.n_downsample_global,
            "n_local_enhancers": self.n_local_enhancers,
            "nef": self.nef,
            "netG": "local" if self.n_local_enhancers else "global",
            "ngf": self.ngf,
            "no_instance": not self.has_edges,
            "norm": self.norm,
        }
        lines = [f"{name}: {value}" for name, value in values.items()]
        head, tail = "------------ Options -------------", "-------------- End ----------------"
        return "\n".join([head, *lines, tail, ""])

    @model_validator(mode="after")
    def _there_is_something_to_train(self) -> Self:
        if self.niter_fix_global and not self.n_local_enhancers:
            raise ValueError("niter_fix_global needs local enhancers (n_local_enhancers)")
        if self.num_clusters:
            raise ValueError("num_clusters is no setting of a training: clusters are made after it")
        return self


def read_opt_txt(path: Path) -> dict[str, str | int]:
    """Return the options that an `opt.txt` of the original program states.

    Left out are paths of that machine, and `niter_fix_global`, which counts epochs there.

    Raises:
        UsageError: it can't be read, or holds no settings.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from None
    pairs = re.findall(r"^\s*(\w+): (\S+)\s*$", text, re.MULTILINE)
    stated: dict[str, str | int] = {n: v for n, v in pairs if n not in _ELSEWHERE and v != "None"}
    if not stated:
        raise UsageError(f"{path} holds no settings: lines of NAME: VALUE are expected")
    if stated.get("netG") == "global":
        stated["n_local_enhancers"] = 0  # the file has upstream's default, 1, which it ignores
    if "True" not in (stated.get("instance_feat"), stated.get("label_feat")):
        stated["feat_num"] = 0
    if "n_downsample_E" in stated:
        stated["n_downsample_encoder"] = stated["n_downsample_E"]
    return stated


_ELSEWHERE = {"load_pretrain", "vgg", "niter_fix_global", "input_nc"}
